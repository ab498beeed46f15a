//! What is told of the firewall's lists.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Moment, Origin};

/// `GET /v1/lists`: an element; `GET /v1/lists/{name}` with its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its name.
    pub name: String,
    /// `allow` or `deny`.
    pub action: String,
    /// The services that it is for; none: all packets.
    pub services: Vec<String>,
    /// Prefixes on it: of its own entries and of its files, each once.
    pub prefixes: usize,
    /// Where prefixes come from of which no more is known.
    pub sources: Vec<ListSource>,
    /// Its own entries, sorted; only where one list is asked for.
    pub entries: Vec<ListEntry>,
    /// Packets that the list has matched.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where prefixes of a list come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSource {
    /// The file, or `import`.
    pub name: String,
    /// How many prefixes it has.
    pub prefixes: usize,
    /// How many of them stand there more than once.
    pub duplicates: usize,
    /// How many of them another one covers.
    pub covered: usize,
    /// When they were fetched, if they are from a server.
    #[serde(default)]
    pub fetched: Option<Moment>,
    /// Why they are not what the server has now.
    #[serde(default)]
    pub problem: Option<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Its prefix.
    pub prefix: String,
    /// Why it is there.
    pub reason: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// When it expires; none: never.
    pub until: Option<Moment>,
    /// Seconds until then.
    pub seconds_left: Option<u64>,
    /// Packets that it has matched, if it counts by itself.
    pub packets: Option<u64>,
}

/// `GET /v1/lists/{name}/test?address=A`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTest {
    /// The address that was asked about.
    pub address: IpAddr,
    /// The longest prefix in the list that covers it.
    pub matched: Option<String>,
    /// What happens to a packet from the address, over all lists, in words: `allowed by 192.0.2.0/24`.
    pub outcome: String,
    /// The longest prefix of each list that covers it, in the order in which the lists are asked.
    pub found: Vec<ListFound>,
}

/// A list that covers an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListFound {
    /// The list.
    pub list: String,
    /// `allow` or `deny`.
    pub action: String,
    /// The services that it is for; none: all packets.
    pub services: Vec<String>,
    /// The entry.
    pub entry: ListEntry,
}

/// The answer to `POST /v1/lists/{name}/refresh`: what a fetch at once has made of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// What its feed has.
    pub source: ListSource,
    /// How many of the feed's prefixes are new.
    pub added: usize,
    /// How many of those that it had are gone.
    pub removed: usize,
}

/// The answer to an import: what the list has now from imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What was imported.
    pub source: ListSource,
    /// Microseconds from the request to the last write into the kernel.
    pub microseconds: u64,
}
