//! A service's exceptions from the sanity checks.

use crate::{
    config::{report::Report, written::WrittenService},
    model::{Protocol, SanityCheck},
};

/// No exception is without effect.
pub(super) fn check(service: &WrittenService, report: &mut Report<'_>) {
    let Some(protocol) = service.protocol else { return };
    for (check, is_on) in &service.sanity {
        let of = match check {
            SanityCheck::TcpFlags => Protocol::Tcp,
            SanityCheck::Amplifiers => Protocol::Udp,
            _ => continue,
        };
        if of != protocol {
            let (name, protocol) = (check.name(), protocol.name());
            let message = format!("{} has no use for `{name}`: its protocol is `{protocol}`", service.called());
            let help = format!("remove it: the check is of packets of `{}`", of.name());
            report.error(&is_on.span, message, help);
        }
    }
}
