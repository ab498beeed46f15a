//! Why an edit could not be made.

use crate::config::{
    diagnostic::Diagnostics,
    fault::{Fault, quote},
    names::{listed, nearest},
};

/// Why an edit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such service.
    #[error("there is no service {}; {}", quote(.service), candidates(.service, .known))]
    UnknownService {
        /// The name in the command.
        service: String,
        /// The services that there are.
        known: Vec<String>,
    },
    /// The service or pool has no such backend.
    #[error("{owner} has no backend {}; {}", quote(.backend), candidates(.backend, .known))]
    UnknownBackend {
        /// The service or pool, as messages call it.
        owner: String,
        /// The name or address in the command.
        backend: String,
        /// The backends that it has.
        known: Vec<String>,
    },
    /// Several backends of the service or pool have the address.
    #[error("{owner} has several backends with the address {address}; name one of {}", listed(.names))]
    AmbiguousBackend {
        /// The service or pool, as messages call it.
        owner: String,
        /// The address in the command.
        address: String,
        /// The backends that have it.
        names: Vec<String>,
    },
    /// The service or pool has a backend with this name, or with this address and port, which is not the same.
    #[error(
        "{owner} has a backend `{name}` already: {what}; change it with `sluice backend weight`, or remove it first"
    )]
    BackendExists {
        /// The service or pool, as messages call it.
        owner: String,
        /// The backend that is there.
        name: String,
        /// Its address, port and weight, in words.
        what: String,
    },
    /// The server id in the command is none.
    #[error("{0}; nothing was changed")]
    ServerId(Fault),
    /// There is no such list.
    #[error("there is no list {}; {}", quote(.list), candidates(.list, .known))]
    UnknownList {
        /// The name in the command.
        list: String,
        /// The lists that there are.
        known: Vec<String>,
    },
    /// The list is Sluice's own.
    #[error(
        "the list `{list}` is built in, and no command changes it; to let a source in, `sluice allow add PREFIX`; to switch the list \
         off, write `{list} = false` into `[firewall.sanity]` or a service's `sanity`"
    )]
    BuiltIn {
        /// The list.
        list: String,
    },
    /// Words of the command are not prefixes that can stand in the list.
    #[error("{}; nothing was changed", joined(.0))]
    Prefixes(Vec<Fault>),
    /// Prefixes are not in the list.
    #[error("not in the {list} list: {}; nothing was changed", .prefixes.join(", "))]
    NotListed {
        /// The list.
        list: String,
        /// The prefixes, each with the entry that covers it if there is one.
        prefixes: Vec<String>,
    },
    /// The interface is not in the document.
    #[error("the configuration does not attach to {}; {}", quote(.interface), candidates(.interface, .known))]
    UnknownInterface {
        /// The name in the command.
        interface: String,
        /// The interfaces that there are.
        known: Vec<String>,
    },
    /// The configuration would have errors.
    #[error("this change would make the configuration invalid:\n{0}")]
    Invalid(#[from] Diagnostics),
    /// The document is written in a way that hides from the editor what the command is about.
    #[error("the configuration is written in a way that commands cannot edit; change the file by hand and reload")]
    ByHand,
}

fn candidates(written: &str, known: &[String]) -> String {
    const SHOWN: usize = 20;
    if let Some(meant) = nearest(written, known.iter().map(String::as_str)) {
        return format!("did you mean `{meant}`?");
    }
    match known.len() {
        0 => "there are none".into(),
        1 => format!("there is {}", listed(known)),
        2..=SHOWN => format!("there are {}", listed(known)),
        more => format!("there are {} and {} more", listed(&known[..SHOWN]), more - SHOWN),
    }
}

fn joined(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}
