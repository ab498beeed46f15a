//! SYN protection is for TCP.

use crate::{
    config::{report::Report, written::WrittenService},
    model::{Protocol, SynProtection},
};

/// A service without SYNs has no protection against them.
pub(super) fn check(service: &WrittenService, report: &mut Report<'_>) {
    let Some(protection) = &service.syn_protection else { return };
    if service.protocol == Some(Protocol::Udp) && protection.value != SynProtection::Off {
        let message = format!("{} cannot have `syn_protection`: its protocol is `udp`", service.called());
        report.error(&protection.span, message, "remove it, or write `protocol = \"tcp\"`");
    }
}
