//! Why a packet was dropped: one list that is the counter's index, its name and its explanation.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The reason of a drop. The discriminant is the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics, commands and tests.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What happened and what to do about it, for an operator.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

drop_reasons! {
    /// The source is on the deny list.
    Denied = "denied",
    /// The IP header of a packet to a service is malformed: version, header length or total length are impossible.
    MalformedIp = "malformed_ip",
    /// The TCP, UDP or ICMP header of a packet to a service is cut short or its length fields are impossible.
    MalformedTransport = "malformed_transport",
    /// A packet to an IPv6 service has more extension headers than the datapath walks.
    ExtensionHeaders = "extension_headers",
    /// A later fragment of a packet to a service: it has no ports, so its backend is not known.
    FragmentUnknown = "fragment_unknown",
    /// The time to live (hop limit) ran out here.
    TtlExpired = "ttl_expired",
    /// The service has no backend that may take traffic: all are down, draining or disabled.
    NoBackend = "no_backend",
    /// The MAC address of the way to the backend is not known: is it reachable, does it answer ARP or ND?
    NextHopUnresolved = "next_hop_unresolved",
    /// The packet does not fit the way to the backend once it is rewritten: raise the MTU there, or lower the MSS.
    MtuExceeded = "mtu_exceeded",
    /// The client of a `nat` reply has no known MAC address yet; the daemon is asking for it.
    NeighbourUnknown = "neighbour_unknown",
    /// The kernel forbids the way to the client of a `nat` reply: is forwarding (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding) on?
    NoRoute = "no_route",
    /// The way to the client of a `nat` reply leads out of an interface that Sluice does not use: add it to `node.interfaces`.
    EgressUnknown = "egress_unknown",
    /// The frame could not be grown or shrunk: the driver left no headroom.
    NoHeadroom = "no_headroom",
    /// The service allows only some sources, and this is none of them: see `allow_from` of the service.
    SourceNotAllowed = "source_not_allowed",
    /// A SYN to a service under SYN protection: its source has not proved itself, and its prefix has got enough answers for now.
    SynUnproved = "syn_unproved",
    /// A SYN to a service under SYN protection, of a source that has proved itself but opens too many connections: see `per_source` in `[syn]`.
    SynLimited = "syn_limited",
    /// A reset that answered SYN protection's question: its source is let in now, and all is well.
    SynProof = "syn_proof",
    /// A map held what it never should. This is a fault of Sluice: please report it.
    Inconsistent = "inconsistent",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_index_the_list() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert!(!reason.explanation().is_empty());
        }
    }
}
