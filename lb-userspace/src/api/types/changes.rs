//! What commands ask for, and what is said of it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{AdminState, Moment, Origin};

/// A change that a command asks for: the body of `POST /v1/change`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// What to change.
    pub edit: Edit,
    /// Leave the configuration file alone.
    #[serde(default)]
    pub ephemeral: bool,
}

/// One edit of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Add a backend to a service or a pool.
    BackendAdd {
        /// The name of the service or the pool.
        service: String,
        /// The new backend's name; the address if it is not given.
        name: Option<String>,
        /// The address.
        address: IpAddr,
        /// The port, for `nat`.
        port: Option<u16>,
        /// The weight.
        weight: Option<u32>,
        /// The server id, for a service with `quic`: two hexadecimal digits for each byte.
        #[serde(default)]
        server_id: Option<String>,
    },
    /// Remove a backend.
    BackendRemove {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
    },
    /// Change what the operator wants of a backend.
    BackendState {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
        /// The new state.
        state: AdminState,
        /// When a drain is over, whatever flows are left.
        #[serde(default)]
        drain_until: Option<Moment>,
    },
    /// Change a backend's weight.
    BackendWeight {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
        /// The new weight.
        weight: u32,
    },
    /// Add prefixes to a list.
    ListAdd {
        /// The list's name.
        list: String,
        /// Addresses or prefixes.
        prefixes: Vec<String>,
        /// For how long, and why.
        #[serde(default, skip_serializing_if = "ListTerms::is_default")]
        terms: ListTerms,
    },
    /// Remove prefixes from a list.
    ListRemove {
        /// The list's name.
        list: String,
        /// Addresses or prefixes.
        prefixes: Vec<String>,
    },
    /// Attach the program to one more interface.
    Attach {
        /// The interface.
        interface: String,
    },
    /// Detach the program from an interface.
    Detach {
        /// The interface.
        interface: String,
    },
}

/// For how long entries are on a list, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListTerms {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how many seconds; without this, for good, and the entries are written into the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// Add what covers services, backends, this node, or everything.
    pub force: bool,
    /// Who says so; kept of entries that expire.
    pub origin: Origin,
}

impl ListTerms {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A whole new configuration: the body of `POST /v1/apply`. Without a body the daemon reloads its own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// What errors call the text: the path that the operator gave.
    pub origin: String,
    /// The configuration, as TOML.
    pub text: String,
    /// It is on trial for so many seconds: then what was before comes back, unless it has been confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_seconds: Option<u64>,
}

/// The end of a trial: the body of `POST /v1/confirm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// Bring back what was before instead of keeping the configuration.
    #[serde(default)]
    pub undo: bool,
}

/// The answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// What was done, a sentence each; empty if there was nothing to do.
    pub changes: Vec<String>,
    /// Microseconds from the request to the last write into the kernel.
    pub microseconds: u64,
    /// Things the operator should know.
    pub warnings: Vec<String>,
}
