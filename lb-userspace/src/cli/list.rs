//! `sluice deny` and `sluice allow`: the firewall's lists.

use std::net::IpAddr;

use clap::{Args, Subcommand};

use super::{
    Failure, Session,
    change::{self, Lasting},
    units::{bytes, count},
};
use crate::{
    api::types::{Edit, List, ListTest},
    model::ListKind,
};

const EXAMPLES: &str = "\
Examples:
  sluice deny add 203.0.113.0/24 2001:db8:bad::/48
  sluice deny add 198.51.100.7 --ephemeral    until the daemon restarts
  sluice allow add 198.51.100.7               let it in again, whatever the deny list says
  sluice deny test 203.0.113.9                what happens to packets from there?";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListVerb {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add prefixes to the list.
    Add(Prefixes),
    /// Remove prefixes from the list: exactly these, not the larger ones that cover them.
    Remove(Prefixes),
    /// Show the list's prefixes and how many packets it has matched.
    List,
    /// Say whether the list covers an address, and what happens to packets from there over all lists.
    Test {
        /// The address that packets come from.
        address: IpAddr,
    },
}

#[derive(Debug, Args)]
struct Prefixes {
    /// Addresses or prefixes, IPv4 or IPv6: 198.51.100.7, 203.0.113.0/24, 2001:db8::/32.
    #[arg(value_name = "PREFIX", required = true)]
    prefixes: Vec<String>,

    #[command(flatten)]
    lasting: Lasting,
}

impl ListVerb {
    pub(super) async fn run(self, kind: ListKind, session: &mut Session<'_>) -> Result<(), Failure> {
        let list = kind.name().to_owned();
        match self.action {
            Action::Add(Prefixes { prefixes, lasting }) => {
                change::request(Edit::ListAdd { list, prefixes }, lasting, session).await
            }
            Action::Remove(Prefixes { prefixes, lasting }) => {
                change::request(Edit::ListRemove { list, prefixes }, lasting, session).await
            }
            Action::List => {
                let list = session.client.list(kind).await?;
                session.show(&list, |list, _| contents(kind, list))
            }
            Action::Test { address } => {
                let test = session.client.list_test(kind, address).await?;
                session.show(&test, |test, _| outcome(kind, test))
            }
        }
    }
}

fn contents(kind: ListKind, list: &List) -> String {
    let name = kind.name();
    let matched = format!("It has matched {} packets ({}).", list.packets, bytes(list.bytes));
    if list.prefixes.is_empty() {
        return format!("The {name} list is empty. {matched}");
    }
    let number = count(list.prefixes.len(), "prefix", "prefixes");
    format!("{}\n\nThe {name} list has {number}. {matched}", list.prefixes.join("\n"))
}

fn outcome(kind: ListKind, test: &ListTest) -> String {
    let name = kind.name();
    let ListTest { address, matched, outcome } = test;
    match matched {
        Some(prefix) => format!("{address} is on the {name} list: {prefix} covers it.\nIts packets are {outcome}."),
        None => format!("{address} is not on the {name} list.\nIts packets are {outcome}."),
    }
}
