//! Services among each other.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;
use lb_common::Delivery;

use crate::config::{
    report::{At, Report},
    written::{WrittenPool, WrittenService},
};

/// Names are unique, addresses can be delivered to, no backend is a service, and no key is without effect.
pub(super) fn check(services: &[WrittenService], pools: &[WrittenPool], report: &mut Report<'_>) {
    names_are_unique(services, report);
    prefixes_can_be_delivered(services, report);
    no_backend_is_a_service(services, pools, report);
    for service in services {
        gue_port_is_used(service, report);
    }
}

fn gue_port_is_used(service: &WrittenService, report: &mut Report<'_>) {
    let (Some(port), Some(delivery)) = (&service.gue_port, service.delivery) else { return };
    if delivery != Delivery::Gue {
        let message = format!("{} cannot have a `gue_port`: its delivery is `{}`", service.called(), delivery.name());
        report.error(&port.span, message, "remove it, or write `delivery = \"gue\"`");
    }
}

fn names_are_unique(services: &[WrittenService], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for name in services.iter().filter_map(|service| service.name.as_ref()) {
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a service named `{}` is there already, in line {first}", name.value);
            report.error(&name.span, message, "give each service a name of its own");
        }
    }
}

fn prefixes_can_be_delivered(services: &[WrittenService], report: &mut Report<'_>) {
    for service in services.iter().filter(|service| service.delivery == Some(Delivery::Nat)) {
        if let Some(address) = service.address.as_ref().filter(|address| is_prefix(address.value)) {
            let message = format!(
                "`nat` cannot serve a prefix: a reply could not be given its address in {} back",
                address.value
            );
            report.error(&address.span, message, "name one address, or write `delivery = \"ipip\"` or `\"l2\"`");
        }
    }
}

fn is_prefix(address: IpNet) -> bool {
    address.prefix_len() < address.max_prefix_len()
}

fn no_backend_is_a_service(services: &[WrittenService], pools: &[WrittenPool], report: &mut Report<'_>) {
    let addresses = services.iter().filter_map(|service| Some((service.address.as_ref()?.value, service)));
    let (prefixes, single): (Vec<_>, Vec<_>) = addresses.partition(|(address, _)| is_prefix(*address));
    let mut owners: HashMap<IpAddr, &WrittenService> = HashMap::new();
    for (address, service) in single {
        owners.entry(address.addr()).or_insert(service);
    }
    let groups = services.iter().map(|service| (Some(service), service.own_backends()));
    for (own, backends) in groups.chain(pools.iter().map(|pool| (None, pool.backends.as_slice()))) {
        for address in backends.iter().filter_map(|backend| backend.address.as_ref()) {
            let own = own.and_then(|service| Some((service.address.as_ref()?.value, service)));
            let covering = own.iter().chain(&prefixes).find(|(prefix, _)| prefix.contains(&address.value));
            let owner = covering.map(|(_, service)| *service).or_else(|| owners.get(&address.value).copied());
            if let Some(owner) = owner {
                let is_own = own.is_some_and(|(_, service)| std::ptr::eq(service, owner));
                belongs_to_a_service(address, owner, is_own, report);
            }
        }
    }
}

fn belongs_to_a_service(address: &At<IpAddr>, owner: &WrittenService, is_own: bool, report: &mut Report<'_>) {
    let whose = if is_own {
        "its service".to_owned()
    } else {
        format!("{}, in line {}", owner.called(), report.line(owner.span.start))
    };
    let relation = if owner.address.as_ref().is_some_and(|owner| is_prefix(owner.value)) { "an" } else { "the" };
    let message = format!("{} is {relation} address of {whose}, so it cannot be a backend's", address.value);
    let help = "name the address that the server itself has; packets to it would come back here";
    report.error(&address.span, message, help);
}
