//! Which drops a follower wants to see.

use ipnet::IpNet;
use lb_common::{DropReason, DropSample};

use crate::{
    api::types::{ApiError, DropEvent, DropFilter},
    config::{listed, nearest, prefix::prefix, quote},
    model::Model,
};

/// A [`DropFilter`] that means something.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Empty for all.
    reasons: Vec<DropReason>,
    source: Option<IpNet>,
    service: Option<String>,
}

impl Filter {
    /// What is asked for, if there is such a thing.
    pub(super) fn new(asked: &DropFilter, model: &Model) -> Result<Self, ApiError> {
        let reasons = asked.reason.split(',').filter(|name| !name.is_empty()).map(reason).collect::<Result<_, _>>()?;
        let source = asked.source.as_deref().map(prefix).transpose().map_err(ApiError::usage)?;
        let names: Vec<&str> = model.services.iter().map(|service| &*service.name).collect();
        if let Some(unknown) = asked.service.as_deref().filter(|name| !names.contains(name)) {
            return Err(unknown_name("service", unknown, &names));
        }
        Ok(Self { reasons, source, service: asked.service.clone() })
    }

    /// Whether a drop is wanted.
    pub(super) fn wants(&self, sample: &DropSample, event: &DropEvent) -> bool {
        let is_reason = |reason: &DropReason| *reason as u32 == sample.reason;
        (self.reasons.is_empty() || self.reasons.iter().any(is_reason))
            && self.source.is_none_or(|source| source.contains(&event.source))
            && (self.service.is_none() || self.service == event.service)
    }
}

fn reason(name: &str) -> Result<DropReason, ApiError> {
    let names: Vec<&str> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
    DropReason::from_name(name).ok_or_else(|| unknown_name("drop reason", name, &names))
}

fn unknown_name(what: &str, name: &str, known: &[&str]) -> ApiError {
    let meant = nearest(name, known.iter().copied());
    let name = quote(name);
    match meant {
        Some(meant) => ApiError::usage(format_args!("there is no {what} {name}; did you mean `{meant}`?")),
        None if known.is_empty() => ApiError::usage(format_args!("there is no {what} {name}; there are none")),
        None => ApiError::usage(format_args!("there is no {what} {name}; there are {}", listed(known))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::memory, config::Document};

    fn model() -> Model {
        let text = "[node]\ninterfaces = ['eth0']\n[[service]]\nname = 'web'\naddress = '192.0.2.80'\nport = 80\n\
                    delivery = 'l2'\nbackend = [{ address = '10.0.0.1' }]\n";
        Document::parse("sluice.toml", text).unwrap().1
    }

    fn filter(reason: &str, source: Option<&str>, service: Option<&str>) -> Result<Filter, String> {
        let (source, service) = (source.map(str::to_owned), service.map(str::to_owned));
        Filter::new(&DropFilter { reason: reason.to_owned(), source, service }, &model()).map_err(|error| error.error)
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let refused = |reason, source, service| filter(reason, source, service).unwrap_err();
        assert_eq!(refused("deneid", None, None), "there is no drop reason `deneid`; did you mean `denied`?");
        let unknown = refused("denied,nonsense", None, None);
        assert!(
            unknown.starts_with("there is no drop reason `nonsense`; there are `denied`, `malformed_ip`"),
            "{unknown}"
        );
        assert_eq!(refused("", None, Some("mail")), "there is no service `mail`; there are `web`");
        assert_eq!(refused("", None, Some("wbe")), "there is no service `wbe`; did you mean `web`?");
        let prefix = refused("", Some("nonsense"), None);
        assert!(prefix.starts_with("`nonsense` is neither an address nor a prefix"), "{prefix}");
    }

    #[test]
    fn all_parts_must_fit() {
        // From 203.0.113.9, denied, to the service `web`; from 2001:db8::9, no backend, to no service.
        let events = memory::drop_events();
        let samples = [DropReason::Denied, DropReason::NoBackend]
            .map(|reason| DropSample { reason: reason as u32, ..DropSample::default() });
        let wanted = |reason: &str, source: Option<&str>, service: Option<&str>| {
            let filter = filter(reason, source, service).unwrap();
            [0, 1].map(|index| filter.wants(&samples[index], &events[index]))
        };
        assert_eq!(wanted("", None, None), [true, true]);
        assert_eq!(wanted("denied", None, None), [true, false]);
        assert_eq!(wanted("no_backend,denied", None, None), [true, true]);
        assert_eq!(wanted("", Some("203.0.113.0/24"), None), [true, false]);
        assert_eq!(wanted("", Some("2001:db8::9"), None), [false, true]);
        assert_eq!(wanted("", None, Some("web")), [true, false]);
        assert_eq!(wanted("no_backend", Some("203.0.113.0/24"), None), [false, false]);
    }
}
