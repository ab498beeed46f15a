//! QUIC services, and the ids by which their connections find their servers.

use std::collections::HashMap;

use crate::{
    config::{
        report::{At, Report},
        written::{WrittenBackend, WrittenService},
    },
    model::{ConnectionIds, Protocol, ServerId},
};

/// A service with `quic` has datagrams, and each of its backends an id of its own; others have no ids.
pub(super) fn check(service: &WrittenService, report: &mut Report<'_>) {
    let Some(quic) = &service.quic else {
        for id in service.backends.iter().filter_map(|backend| backend.server_id.as_ref()) {
            let message =
                format!("a backend of {} cannot have a `server_id`: the service has no `quic`", service.called());
            report.error(&id.span, message, "remove it, or write `quic = { server_id_bytes = … }` for the service");
        }
        return;
    };
    if service.protocol == Some(Protocol::Tcp) {
        let message = format!("{} cannot have `quic`: its protocol is `tcp`", service.called());
        report.error(&quic.span, message, "write `protocol = \"udp\"`, or remove `quic`");
    }
    // What is wrong with the settings is reported already, and what ids must be like is not known.
    let Some(ids) = quic.value else { return };
    for backend in service.backends.iter().filter(|backend| !backend.has_server_id) {
        is_missing(service, backend, ids, report);
    }
    let mut seen = HashMap::new();
    for backend in &service.backends {
        let Some(id) = &backend.server_id else { continue };
        has_the_length(service, id, ids, report);
        let line = report.line(id.span.start);
        if let Some((first, line)) = seen.insert(id.value, (backend, line)) {
            let message = format!("`{}` is the server id of {} already, in line {line}", id.value, first.called());
            report.error(
                &id.span,
                message,
                "give each server an id of its own, and let it form its connection ids with it",
            );
        }
    }
}

fn is_missing(service: &WrittenService, backend: &WrittenBackend, ids: ConnectionIds, report: &mut Report<'_>) {
    let bytes = ids.server_id_bytes;
    let example = format!("{:0width$x}", 1, width = 2 * usize::from(bytes));
    let message = format!("{} of {} has no `server_id`", backend.called(), service.called());
    let help = format!(
        "write what the server puts into its connection ids, {}, like `server_id = \"{example}\"`",
        length(bytes)
    );
    report.missing(&backend.span, message, &help);
}

fn has_the_length(service: &WrittenService, id: &At<ServerId>, ids: ConnectionIds, report: &mut Report<'_>) {
    let (found, wanted) = (id.value.bytes(), ids.server_id_bytes);
    if found != wanted {
        let message =
            format!("`{}` has {}, and a server id of {} has {wanted}", id.value, length(found), service.called());
        report.error(
            &id.span,
            message,
            format!("write {} hexadecimal digits, or change `server_id_bytes`", 2 * wanted),
        );
    }
}

fn length(bytes: u8) -> String {
    format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" })
}
