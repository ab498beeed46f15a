//! The firewall as the operator wants it.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use ipnet::IpNet;
use lb_common::ListKind;
use serde::{Deserialize, Serialize};

use super::{Limit, Rule, Sanity};

/// Who is protected from what nobody has let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protect {
    /// Services alone: what is for none goes on to the node's own stack.
    #[default]
    Services,
    /// The node itself, too: what is for no service must belong to a connection of the node's, or be let in.
    Node,
}

/// The firewall: lists, rules, limits and sanity checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Who is protected from what nobody has let in.
    pub protect: Protect,
    /// Sources that skip the rest of the firewall.
    pub allow: Vec<IpNet>,
    /// Sources whose packets are dropped.
    pub deny: Vec<IpNet>,
    /// The lists besides these two.
    pub lists: Vec<NamedList>,
    /// What is written with an entry of a list, by the list's name and the entry's prefix.
    pub remarks: BTreeMap<(String, IpNet), Remark>,
    /// Whose decisions are entries of the deny list.
    pub crowdsec: Option<CrowdSec>,
    /// The rules, in the order in which packets meet them; names are unique.
    pub rules: Vec<Rule>,
    /// The limits; names are unique.
    pub limits: Vec<Limit>,
    /// The sanity checks.
    pub sanity: Sanity,
}

/// A local API of CrowdSec's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrowdSec {
    /// Where it is, without a path.
    pub url: String,
    /// What it knows this node by.
    pub key: CrowdSecKey,
    /// How often it is asked.
    pub interval: Duration,
}

impl CrowdSec {
    /// How often it is asked if nothing is said of it.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
}

/// A key of CrowdSec's.
#[derive(Clone, PartialEq, Eq)]
pub enum CrowdSecKey {
    /// The key.
    Text(String),
    /// A file that holds it.
    File(PathBuf),
}

impl std::fmt::Debug for CrowdSecKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Firewall {
    /// The list with a name: what a match means, and its entries.
    pub fn list(&self, name: &str) -> Option<(ListKind, &[IpNet])> {
        let built_in = ListKind::ALL.into_iter().find(|kind| kind.name() == name);
        let named = || self.lists.iter().find(|list| list.name == name).map(|list| (list.action, &list.entries[..]));
        built_in.map(|kind| (kind, self.entries(kind))).or_else(named)
    }

    /// The names of all lists.
    pub fn names(&self) -> Vec<&str> {
        ListKind::ALL.iter().map(|kind| kind.name()).chain(self.lists.iter().map(|list| list.name.as_str())).collect()
    }

    /// Whether a list is Sluice's own, and no command may change it.
    pub fn is_built_in(&self, list: &str) -> bool {
        self.lists.iter().any(|named| named.name == list && named.is_built_in)
    }

    /// What is written with an entry.
    pub fn remark(&self, list: &str, net: IpNet) -> Remark {
        self.remarks.get(&(list.to_owned(), net)).cloned().unwrap_or_default()
    }
    /// The entries of the list that is called like its kind.
    pub fn entries(&self, kind: ListKind) -> &[IpNet] {
        match kind {
            ListKind::Allow => &self.allow,
            ListKind::Deny => &self.deny,
        }
    }
}

/// A list with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedList {
    /// The name that commands use.
    pub name: String,
    /// What a match means.
    pub action: ListKind,
    /// The services that it is for; empty: all packets.
    pub services: Vec<String>,
    /// Sources.
    pub entries: Vec<IpNet>,
    /// A file with more of them.
    pub file: Option<PathBuf>,
    /// A server with more of them.
    pub feed: Option<Feed>,
    /// Whether it may cover services, backends, this node, or everything.
    pub force: bool,
    /// Whether it is Sluice's own, and no command may change it.
    pub is_built_in: bool,
}

/// A list on a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feed {
    /// Where.
    pub url: String,
    /// How often it is asked for, more or less.
    pub interval: Duration,
    /// Whether it may lose more than half of its prefixes from one time to the next.
    pub may_shrink: bool,
}

impl Feed {
    /// How often a feed is asked for that says nothing of it.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);
}

/// Where an entry of a list comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The configuration.
    Config,
    /// A command.
    #[default]
    Command,
    /// A file.
    Feed,
    /// Somebody who bans by program.
    Ban,
    /// CrowdSec.
    CrowdSec,
}

impl Origin {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Command => "command",
            Self::Feed => "feed",
            Self::Ban => "ban",
            Self::CrowdSec => "crowdsec",
        }
    }
}

/// What is written with an entry of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark {
    /// Why it is there.
    pub reason: Option<String>,
    /// Whether it may cover services, backends, this node, or everything.
    pub force: bool,
}
