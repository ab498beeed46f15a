//! An edit makes of the model what it says, whatever the document looks like, and comments survive.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{deterministic, valid};
use crate::{
    api::types::{Edit, ListTerms},
    model::{AdminState, Backend, Model, Moment},
};

/// How a generated document is written.
#[derive(Clone, Copy, Debug)]
struct Style {
    inline: bool,
    spread: bool,
    trailing_comma: bool,
    comments: bool,
}

fn style() -> impl Strategy<Value = Style> {
    any::<(bool, bool, bool, bool)>().prop_map(|(inline, spread, trailing_comma, comments)| Style {
        inline,
        spread,
        trailing_comma,
        comments,
    })
}

impl Style {
    /// A comment that no edit may lose: it stands behind nothing that an edit removes.
    fn heading(self, number: usize) -> String {
        if self.comments { format!("\n# heading {number}\n\n") } else { String::new() }
    }

    fn array(self, elements: &[String]) -> String {
        let comma = if self.trailing_comma && !elements.is_empty() { "," } else { "" };
        if self.spread || self.comments {
            let heading = if self.comments { "    # heading of an array\n" } else { "" };
            let lines = elements.join(",\n    ");
            let indent = if elements.is_empty() { "" } else { "    " };
            format!("[\n{heading}{indent}{lines}{comma}\n]")
        } else {
            format!("[{}{comma}]", elements.join(", "))
        }
    }

    fn backends(self, service: usize, count: u8) -> String {
        let address = |number| format!("\"10.{service}.0.{number}\"");
        if self.inline {
            let elements: Vec<_> = (1..=count).map(|number| format!("{{ address = {} }}", address(number))).collect();
            return format!("backend = {}\n", self.array(&elements));
        }
        (1..=count)
            .map(|number| {
                let heading = self.heading(usize::from(number));
                format!("{heading}[[service.backend]]\naddress = {}\n", address(number))
            })
            .collect()
    }

    fn document(self, backends: &[u8], deny: &[u8]) -> String {
        let mut text = format!("[node]\ninterfaces = {}\n", self.array(&["\"eth0\"".into()]));
        for (service, &count) in backends.iter().enumerate() {
            text += &self.heading(service);
            text += &format!("[[service]]\nname = \"s{service}\"\naddress = \"10.200.0.{service}\"\nport = 80\n");
            text += "delivery = \"ipip\"\n";
            text += &self.backends(service, count);
        }
        let deny: Vec<String> = deny.iter().map(|number| format!("\"192.0.2.{number}\"")).collect();
        text + &format!("[firewall]\ndeny = {}\n", self.array(&deny))
    }
}

/// An edit without regard for what there is; numbers are small, so that most hit something.
fn edit() -> impl Strategy<Value = Edit> {
    let backend = || (0..3_u8, 1..6_u8).prop_map(|(service, number)| (format!("s{service}"), ip(service, number)));
    let until = |seconds| Some(Moment::from_seconds(seconds));
    let state = prop_oneof![
        Just((AdminState::Up, None)),
        Just((AdminState::Disabled, None)),
        Just((AdminState::Drain, None)),
        (1_800_000_000_u64..1_800_000_003).prop_map(move |seconds| (AdminState::Drain, until(seconds))),
    ];
    let list = || prop::collection::vec((0..8_u8).prop_map(|number| format!("192.0.2.{number}")), 1..4);
    let interface = || prop::sample::select(vec!["eth0", "eth1"]).prop_map(String::from);
    prop_oneof![
        (backend(), prop::option::of(0..1001_u32)).prop_map(|((service, address), weight)| Edit::BackendAdd {
            service,
            name: None,
            address,
            port: None,
            weight,
            server_id: None,
        }),
        backend().prop_map(|(service, backend)| Edit::BackendRemove { service, backend: backend.to_string() }),
        (backend(), state).prop_map(|((service, backend), (state, drain_until))| Edit::BackendState {
            service,
            backend: backend.to_string(),
            state,
            drain_until,
        }),
        (backend(), 0..1001_u32).prop_map(|((service, backend), weight)| Edit::BackendWeight {
            service,
            backend: backend.to_string(),
            weight,
        }),
        list().prop_map(|prefixes| Edit::ListAdd { list: "deny".into(), prefixes, terms: ListTerms::default() }),
        list().prop_map(|prefixes| Edit::ListRemove { list: "deny".into(), prefixes }),
        interface().prop_map(|interface| Edit::Attach { interface }),
        interface().prop_map(|interface| Edit::Detach { interface }),
    ]
}

fn ip(service: u8, number: u8) -> IpAddr {
    Ipv4Addr::new(10, service, 0, number).into()
}

/// What an edit means, without a document: the oracle. `None`: it cannot be made.
fn expected(mut model: Model, edit: &Edit) -> Option<Model> {
    let prefix = |text: &String| IpNet::from(text.parse::<IpAddr>().unwrap());
    match edit {
        Edit::BackendAdd { service, address, weight, .. } => {
            let backends = &mut model.services.iter_mut().find(|s| s.name == *service)?.backends;
            if let Some(there) = backends.iter().find(|there| there.address == *address) {
                return weight.is_none_or(|weight| weight == there.weight).then_some(model);
            }
            backends.push(Backend {
                name: address.to_string(),
                address: *address,
                port: None,
                weight: weight.unwrap_or(Backend::DEFAULT_WEIGHT),
                state: AdminState::Up,
                drain_until: None,
                server_id: None,
            });
        }
        Edit::BackendRemove { service, backend } => {
            let backends = &mut model.services.iter_mut().find(|s| s.name == *service)?.backends;
            let index = backends.iter().position(|there| there.name == *backend)?;
            backends.remove(index);
        }
        Edit::BackendState { service, backend, state, drain_until } => {
            let backend = backend_of(&mut model, service, backend)?;
            (backend.state, backend.drain_until) = (*state, *drain_until);
        }
        Edit::BackendWeight { service, backend, weight } => backend_of(&mut model, service, backend)?.weight = *weight,
        Edit::ListAdd { prefixes, .. } => {
            for prefix in prefixes.iter().map(prefix) {
                if !model.firewall.deny.contains(&prefix) {
                    model.firewall.deny.push(prefix);
                }
            }
        }
        Edit::ListRemove { prefixes, .. } => {
            let unwanted: Vec<IpNet> = prefixes.iter().map(prefix).collect();
            if unwanted.iter().any(|prefix| !model.firewall.deny.contains(prefix)) {
                return None;
            }
            model.firewall.deny.retain(|prefix| !unwanted.contains(prefix));
        }
        Edit::Attach { interface } => {
            if !model.node.interfaces.contains(interface) {
                model.node.interfaces.push(interface.clone());
            }
        }
        Edit::Detach { interface } => {
            let index = model.node.interfaces.iter().position(|there| there == interface)?;
            model.node.interfaces.remove(index);
        }
    }
    Some(model)
}

fn backend_of<'a>(model: &'a mut Model, service: &str, backend: &str) -> Option<&'a mut Backend> {
    let service = model.services.iter_mut().find(|there| there.name == service)?;
    service.backends.iter_mut().find(|there| there.name == backend)
}

fn headings(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains("# heading")).collect()
}

proptest! {
    #![proptest_config(deterministic(1000))]

    #[test]
    fn edits_do_to_the_model_what_they_say(
        style in style(),
        backends in prop::collection::vec(0..4_u8, 0..4),
        deny in prop::collection::btree_set(0..8_u8, 0..4),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let text = style.document(&backends, &Vec::from_iter(deny));
        let (mut document, mut model) = valid(&text);
        for edit in edits {
            match (document.edit(&edit), expected(model.clone(), &edit)) {
                (Ok(edited), Some(expected)) => {
                    prop_assert_eq!(&edited.model, &expected, "{:?} of\n{}", edit, document.text());
                    prop_assert_eq!(edited.done.is_some(), expected != model);
                    prop_assert_eq!(headings(edited.document.text()), headings(&text), "{:?}", edit);
                    prop_assert_eq!(&valid(edited.document.text()).1, &expected);
                    (document, model) = (edited.document, edited.model);
                }
                (Err(_), None) => {}
                (result, expected) => prop_assert!(false, "{edit:?}: {result:?} instead of {expected:?}"),
            }
        }
    }
}
