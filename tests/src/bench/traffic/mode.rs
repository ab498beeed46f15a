//! The deliveries of Sluice that are measured.

use std::net::SocketAddr;

/// A delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// Its word in the configuration.
    pub(super) name: &'static str,
    /// How much longer packets become.
    pub(super) added_bytes: usize,
    /// What the backends have to be for it.
    pub(super) backends: Backends,
}

/// How a backend takes part in a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backends {
    /// It owns the service's address, and answers the client itself.
    OwnTheAddress,
    /// It runs Sluice's agent, and answers the client itself.
    RunTheAgent,
    /// It knows nothing; its replies to the client pass the node.
    ReplyToTheNode,
}

/// All of them.
pub(super) const MODES: [Mode; 4] = [
    Mode { name: "l2", added_bytes: 0, backends: Backends::OwnTheAddress },
    Mode { name: "ipip", added_bytes: 20, backends: Backends::RunTheAgent },
    Mode { name: "gue", added_bytes: 32, backends: Backends::RunTheAgent },
    Mode { name: "nat", added_bytes: 0, backends: Backends::ReplyToTheNode },
];

impl Mode {
    /// The settings of a service that is delivered in this way.
    pub(super) fn settings(&self, service: SocketAddr) -> String {
        let (address, port, delivery) = (service.ip(), service.port(), self.name);
        format!("address = \"{address}\"\nport = {port}\nprotocol = \"tcp\"\ndelivery = \"{delivery}\"\n")
    }
}
