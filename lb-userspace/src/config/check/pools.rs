//! Pools: backends that several services share.

use std::collections::HashMap;

use super::backends;
use crate::config::{
    fault::quote,
    names::{listed, nearest},
    report::{At, Report},
    written::{Written, WrittenBackend, WrittenPool, WrittenService},
};

/// Gives each service of a pool the pool's backends, and its health check where the service has none.
pub(in crate::config) fn share(written: &mut Written, report: &mut Report<'_>) {
    let names: Vec<&str> = written.pools.iter().filter_map(name).collect();
    for service in &mut written.services {
        let Some(wanted) = &service.pool else { continue };
        let Some(pool) = written.pools.iter().find(|pool| name(pool) == Some(&wanted.value)) else {
            report.error(
                &wanted.span,
                format!("there is no pool {}", quote(&wanted.value)),
                help(&wanted.value, &names),
            );
            continue;
        };
        if !service.backends.is_empty() {
            let message = format!("{} has both a `pool` and backends of its own", service.called());
            report.error(&wanted.span, message, "keep one of the two");
        }
        service.backends.clone_from(&pool.backends);
        service.health = service.health.take().or_else(|| pool.health.clone());
    }
}

fn name(pool: &WrittenPool) -> Option<&str> {
    pool.name.as_ref().map(|name| name.value.as_str())
}

fn help(wanted: &str, names: &[&str]) -> String {
    match (nearest(wanted, names.iter().copied()), names) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "add it: a section `[[pool]]` with this `name`".to_owned(),
        (None, names) => format!("the pools are {}", listed(names)),
    }
}

/// Names are unique, also among the services, each pool is used, and its backends are distinct.
pub(super) fn check(pools: &[WrittenPool], services: &[WrittenService], report: &mut Report<'_>) {
    let mut seen: HashMap<&str, (&str, usize)> = HashMap::new();
    for At { value, span } in services.iter().filter_map(|service| service.name.as_ref()) {
        seen.entry(value).or_insert(("service", report.line(span.start)));
    }
    for pool in pools {
        backends::are_distinct(&pool.backends, "a pool", report);
        backends::have_places_of_their_own(&pool.backends, &pool.called(), WrittenBackend::port, report);
        let Some(At { value, span }) = &pool.name else { continue };
        if let Some((what, line)) = seen.insert(value, ("pool", report.line(span.start))) {
            let message = format!("a {what} named `{value}` is there already, in line {line}");
            report.error(span, message, "give the pool a name of its own: commands take services and pools by name");
        }
        let is_used = services.iter().filter_map(|service| service.pool.as_ref()).any(|pool| pool.value == *value);
        if !is_used {
            let help = format!("write `pool = \"{value}\"` in a service, or remove it");
            report.error(span, format!("no service uses the pool `{value}`"), help);
        }
    }
}
