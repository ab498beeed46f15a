//! The ports that the node's kernel chooses from for connections of the node's own.

use std::fs;

use lb_common::PortSpan;

use crate::plan;

/// What the kernel chooses from now.
pub(super) fn now() -> PortSpan {
    ephemeral(|path| fs::read_to_string(path).unwrap_or_default())
}

/// What the kernel is told to choose from, or what it does if that cannot be read.
pub(super) fn ephemeral(read: impl Fn(&str) -> String) -> PortSpan {
    let range = read("/proc/sys/net/ipv4/ip_local_port_range");
    let mut bounds = range.split_whitespace().filter_map(|port| port.parse().ok());
    match (bounds.next(), bounds.next()) {
        (Some(first), Some(last)) => PortSpan { first, last },
        _ => plan::EPHEMERAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked() {
        assert_eq!(ephemeral(|_| "1024\t65535\n".to_owned()), PortSpan { first: 1024, last: 65535 });
        assert_eq!(ephemeral(|_| String::new()), plan::EPHEMERAL);
    }
}
