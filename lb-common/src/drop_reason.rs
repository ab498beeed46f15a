//! Why a packet was dropped: one list that is the counter's index, its name, its explanation and what to do about it.

macro_rules! drop_reasons {
    ($(#[doc = $explanation:literal] $(#[doc = $advice:literal])* $variant:ident = $name:literal,)+) => {
        /// The reason of a drop. The discriminant is the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum DropReason {
            $(#[doc = $explanation] $(#[doc = $advice])* $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason with an index.
            #[inline(always)]
            pub const fn from_index(index: u32) -> Option<Self> {
                $(if index == Self::$variant as u32 {
                    return Some(Self::$variant);
                })+
                None
            }

            /// The name in metrics, commands and tests.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What happened, for an operator: the first line of the list's comment.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation.trim_ascii(),)+ }
            }

            /// What to do about it, and with which switch: the other lines.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => concat!($($advice),*).trim_ascii(),)+ }
            }
        }
    };
}

impl DropReason {
    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

// A line that says what happened, then lines that say what to do.
drop_reasons! {
    /// The source is on the deny list.
    /// `sluice deny test ADDRESS` names the prefix. To let it in: `sluice deny remove PREFIX`, or `sluice allow add ADDRESS`,
    /// which is asked first.
    Denied = "denied",
    /// The IP header of a packet to a service, or to the protected node, is malformed: version, header length or total length are impossible.
    /// Look at the sender, or at what stands between it and the node; there is nothing to be set on the node.
    MalformedIp = "malformed_ip",
    /// The TCP, UDP or ICMP header of a packet to a service, or to the protected node, is cut short or its length fields are impossible.
    /// Look at the sender; there is nothing to be set on the node. If there are many of few sources: `sluice deny add`.
    MalformedTransport = "malformed_transport",
    /// A packet to an IPv6 service, or to the protected node, has more extension headers than the datapath walks.
    /// Honest clients do not send more than four. If there are many of few sources: `sluice deny add`.
    ExtensionHeaders = "extension_headers",
    /// A later fragment of a packet to a service whose first fragment, which tells the backend, has not been seen in the last 30 seconds.
    /// Routers in front must keep the fragments of a packet together (hash by addresses alone). `full-nat` services take no fragments
    /// at all. Best is to make the packets smaller: lower the MTU of the sender, or the size of datagrams (DNS: an EDNS buffer of 1232).
    FragmentUnknown = "fragment_unknown",
    /// The time to live (hop limit) ran out here.
    /// Traceroutes do this. If it is much, packets go in circles: often a router sends back what an `l2` backend that is not on its
    /// segment should get, or a backend that does not own the service's address forwards.
    TtlExpired = "ttl_expired",
    /// The service has no backend that may take traffic: all are down, draining or disabled.
    /// `sluice backends` says why, in STATE and REASON. `sluice backend enable` or `undrain` takes one back.
    NoBackend = "no_backend",
    /// The MAC address of the way to the backend is not known.
    /// Is the backend reachable, does it answer ARP or ND? `ip route get BACKEND` and `ip neigh` on the node show the way.
    NextHopUnresolved = "next_hop_unresolved",
    /// The packet does not fit the way to the backend once it is rewritten; the sender is told what would.
    /// If it goes on, the sender does not get or heed ICMP "fragmentation needed" or "packet too big": raise the MTU there, or lower
    /// the MSS. In the generic mode, or with LRO, packets that were merged do not fit: `ethtool -K IFACE gro off lro off`.
    MtuExceeded = "mtu_exceeded",
    /// The client of a `nat` reply has no known MAC address yet; the daemon is asking for it.
    /// One for each new client or router is normal. If it rises steadily: does the daemon run, does the neighbour answer ARP or ND?
    NeighbourUnknown = "neighbour_unknown",
    /// The kernel forbids the way to the client of a `nat` reply.
    /// Is forwarding on (`sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding`)? What says `ip route get CLIENT`?
    NoRoute = "no_route",
    /// The way leads out of an interface that Sluice does not use.
    /// Add it to `node.interfaces`, or `sluice attach IFACE`.
    EgressUnknown = "egress_unknown",
    /// The frame could not be grown or shrunk: the driver left no headroom.
    /// Take another driver or a newer version of it, or the generic mode; `l2` and `nat` without VLAN tags need no room.
    NoHeadroom = "no_headroom",
    /// The service allows only some sources, and this is none of them.
    /// `sluice services NAME` shows its `allow_from`; add the source there. Behind another NAT or proxy the source is that one's.
    SourceNotAllowed = "source_not_allowed",
    /// A TCP segment to a service has flags that no honest sender sets: none at all, SYN with FIN or RST, FIN without ACK.
    /// Scanners send these. If there are many of few sources: `sluice deny add`. The switch is `tcp_flags` in `[firewall.sanity]`, or in
    /// a service's `sanity`.
    TcpFlags = "tcp_flags",
    /// A packet to a service comes from an address that nobody can have: unspecified, loopback, multicast or reserved.
    /// The source is forged; the router in front can filter such packets (BCP 38). The switch is `martians` in `[firewall.sanity]`, or in
    /// a service's `sanity`.
    MartianSource = "martian_source",
    /// A packet to a service has the service's own address as its source.
    /// The source is forged; the router in front can filter such packets (BCP 38). The switch is `land` in `[firewall.sanity]`, or in a
    /// service's `sanity`.
    Land = "land",
    /// A datagram to a service comes from a port that amplifiers answer from: somebody has asked them in the service's name.
    /// If honest clients have such ports: `amplifiers = false` in the service's `sanity`, or name other ports in `[firewall.sanity]`.
    Amplifier = "amplifier",
    /// A fragment of a packet to a service is smaller than any network needs it to be, or begins inside the TCP header.
    /// Such fragments are made to get past firewalls. The switch is `tiny_fragments` in `[firewall.sanity]`, or for first fragments in a
    /// service's `sanity`.
    TinyFragment = "tiny_fragment",
    /// An ICMP error to a service's address is about a packet that no service sent, or quotes too little of it to tell.
    /// A few late ones are normal. Many mean that somebody forges a service's address elsewhere, or forges the errors.
    IcmpUnknown = "icmp_unknown",
    /// A rule of the firewall drops such packets.
    /// `sluice rules` shows which rule counts them; `sluice explain` and `sluice drops` name the one that drops a packet.
    Rule = "rule",
    /// The packet is over a rate limit.
    /// `sluice limits` shows which limit that is, `sluice drops --top` who sends; raise the limit if these are honest clients.
    RateLimited = "rate_limited",
    /// A map held what it never should. This is a fault of Sluice.
    /// Please report it, with the output of `sluice --json services` and `bpftool map`.
    Inconsistent = "inconsistent",
    /// A TCP segment to a `full-nat` service opens no session and belongs to none.
    /// Its session has been idle for too long (clients can send keepalives), its backend is gone, or the node lost its sessions.
    SessionUnknown = "session_unknown",
    /// No port of the node was free for a new session of a `full-nat` service.
    /// Give the node more addresses or ports for sessions (`node.full_nat`); `sluice status` shows how many are in use.
    PortsExhausted = "ports_exhausted",
    /// A SYN to a service under SYN protection: its source has not proved itself, and its prefix has got enough answers for now.
    /// In a flood this is as it should be; `sluice syn` shows it. If a prefix has many honest newcomers, raise `answers` in `[syn]`.
    SynUnproved = "syn_unproved",
    /// A SYN to a service under SYN protection, of a source that has proved itself but opens too many connections a second.
    /// For a large proxy or a network behind one address, raise `per_source` in `[syn]`. Or else deny the source: `sluice deny add`.
    SynLimited = "syn_limited",
    /// A reset that answered SYN protection's question: its source is let in now.
    /// It has done its work, and there is nothing to do.
    SynProof = "syn_proof",
    /// A packet for the node itself, which is protected, that belongs to no connection of the node's and that the firewall does not let in.
    /// `sluice explain` shows it. To let it in: a `[[rule]]` with `action = "pass"`, or the allow list; or `protect = "services"` in `[firewall]`.
    NodeProtected = "node_protected",
    /// A segment or datagram to a service comes from port 0, or is for port 0.
    /// No socket has that port: it is forged, or sent by hand. The switch is `port_zero` in `[firewall.sanity]`, or in a service's
    /// `sanity`.
    PortZero = "port_zero",
    /// A packet to a service says which way it takes: it has a source route, or IPv6's routing header of type 0.
    /// Hosts and routers refuse such packets anyway. The switch is `source_routes` in `[firewall.sanity]`, or in a service's `sanity`.
    SourceRoute = "source_route",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_index_the_list() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert_eq!(DropReason::from_index(index as u32), Some(*reason));
            assert_eq!(DropReason::from_name(reason.name()), Some(*reason));
        }
        assert_eq!(DropReason::from_index(DropReason::ALL.len() as u32), None);
        assert_eq!(DropReason::from_name("nonsense"), None);
    }

    #[test]
    fn every_reason_says_what_happened_and_what_to_do() {
        for reason in DropReason::ALL {
            for text in [reason.explanation(), reason.advice()] {
                assert!(text.len() > 20, "{} says no more than {text:?}", reason.name());
                assert!(text.ends_with(['.', '?']), "{}: a sentence ends: {text:?}", reason.name());
            }
        }
    }
}
