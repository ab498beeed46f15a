//! What a flow is, and how much is remembered of it.

use std::time::Duration;

use lb_common::ServiceFlags;

/// What tells the flows of a service apart: all packets of a flow go to the same backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Addresses and ports of both ends: a flow is a connection.
    #[default]
    Flow,
    /// The client: all that it sends to any service with the same ring goes to the same backend.
    Client(Clients),
    /// The client and the service.
    ClientService(Clients),
}

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    /// How many bits of its address tell it from others, as in [`lb_common::ServiceValue::client_bits`].
    pub bits: u8,
    /// For how long a silent client is remembered when a change has moved it.
    pub timeout: Duration,
}

impl Affinity {
    /// What a client is, where flows are told apart by client.
    pub const fn clients(self) -> Option<Clients> {
        match self {
            Self::Flow => None,
            Self::Client(clients) | Self::ClientService(clients) => Some(clients),
        }
    }

    /// The bit of [`ServiceFlags`] for it.
    pub const fn flag(self) -> u16 {
        match self {
            Self::Flow => 0,
            Self::Client(_) => ServiceFlags::CLIENT,
            Self::ClientService(_) => ServiceFlags::CLIENT_SERVICE,
        }
    }
}

/// Which flows are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Track {
    /// Those that a change has made it necessary to remember.
    #[default]
    Changes,
    /// All of them, from their first packet on.
    Always,
    /// None: a change moves the flows whose rows it moves.
    Never,
}
