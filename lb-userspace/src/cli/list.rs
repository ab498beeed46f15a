//! `sluice deny` and `sluice allow`: the firewall's lists.

use std::{fs, io, io::Read, net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::{
    Failure, Session, Style,
    change::{self, Manner},
    table::{self, Column},
    units::{bytes, count, duration},
};
use crate::{
    api::types::{Edit, Imported, List, ListEntry, ListFound, ListSource, ListTerms, ListTest, Refreshed},
    model::ListKind,
};

const EXAMPLES: &str = "\
Examples:
  sluice deny add 203.0.113.0/24 2001:db8:bad::/48
  sluice deny add 198.51.100.7 --for 10m --reason 'scans our ports'
  sluice deny add 198.51.100.7 --ephemeral    until the daemon restarts
  sluice allow add 198.51.100.7               let it in again, whatever the deny list says
  sluice deny test 203.0.113.9                what happens to packets from there, and why?
  sluice deny import blocked.netset           in place of the last import
  sluice deny refresh pests                   fetch it from its server now, not on schedule
  sluice deny list --list pests               another list than the one called `deny`";

/// An import of ten million prefixes takes some seconds.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(120);

/// A fetch takes five minutes at the most, and may have to wait for one that has begun already.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(11 * 60);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListVerb {
    /// Another list of the kind, by its name in the configuration.
    #[arg(long, global = true, value_name = "NAME")]
    list: Option<String>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add prefixes to the list.
    Add(Add),
    /// Remove prefixes from the list: exactly these, not the larger ones that cover them.
    Remove(Prefixes),
    /// Show the list's own entries, where its other prefixes come from, and how many packets it has matched.
    List,
    /// Say whether the list covers an address, and what happens to packets from there over all lists.
    Test {
        /// The address that packets come from.
        address: IpAddr,
    },
    /// Take a file's prefixes onto the list, in place of those of the last import.
    ///
    /// One prefix a line with comments behind `#` or `;`, FireHOL's netsets, Spamhaus DROP (text and JSON), and what
    /// `ipset save` prints. One wrong line, and nothing changes.
    Import {
        /// The file, `-` for standard input.
        file: PathBuf,
        /// Take it although it covers services, backends, this node, or everything, or cuts off your SSH connection.
        #[arg(long)]
        force: bool,
    },
    /// Fetch a list from its server, or read its file, at once, and say what has changed.
    ///
    /// For lists with a `url`, which are fetched on schedule otherwise. What is wrong with it is kept back as ever, and the
    /// command fails.
    Refresh {
        /// The list, by its name in the configuration.
        list: String,
    },
    /// Print every prefix of the list, one a line, with its reason as a comment.
    Export,
    /// Show all lists of the kind, with their sizes and how many packets they have matched.
    Stats,
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    prefixes: Prefixes,

    /// For how long, like `10m` or `1h 30m`: the entry expires by itself, and is kept outside the configuration.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "ephemeral")]
    duration: Option<Duration>,

    /// Why: `test` and `list` show it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Prefixes {
    /// Addresses or prefixes, IPv4 or IPv6: 198.51.100.7, 203.0.113.0/24, 2001:db8::/32.
    #[arg(value_name = "PREFIX", required = true)]
    prefixes: Vec<String>,

    #[command(flatten)]
    manner: Manner,
}

impl ListVerb {
    pub(super) async fn run(self, kind: ListKind, session: &mut Session<'_>) -> Result<(), Failure> {
        let list = name(kind, self.list, session).await?;
        match self.action {
            Action::Add(Add { prefixes: Prefixes { prefixes, manner }, duration, reason }) => {
                let for_seconds = duration.map(|duration| duration.as_secs());
                let terms = ListTerms { reason, for_seconds, force: manner.force, ..ListTerms::default() };
                change::request(Edit::ListAdd { list, prefixes, terms }, manner, session).await
            }
            Action::Remove(Prefixes { prefixes, manner }) => {
                change::request(Edit::ListRemove { list, prefixes }, manner, session).await
            }
            Action::List => {
                let list = session.client.list(&list).await?;
                session.show(&list, contents)
            }
            Action::Test { address } => {
                let test = session.client.list_test(&list, address).await?;
                session.show(&test, |test, _| outcome(&list, test))
            }
            Action::Import { file, force } => {
                let text = read(&file)?;
                let client = session.changer(force).with_timeout(IMPORT_TIMEOUT);
                let imported = client.list_import(&list, text, force).await?;
                session.show(&imported, |imported, _| imported_text(&list, imported))
            }
            // To clap, its argument is the option of the same name.
            Action::Refresh { .. } => {
                let client = session.client.clone().with_timeout(REFRESH_TIMEOUT);
                let refreshed = client.list_refresh(&list).await?;
                session.show(&refreshed, |refreshed, _| refreshed_text(&list, refreshed))
            }
            Action::Export => {
                let client = session.client.clone().with_timeout(IMPORT_TIMEOUT);
                session.out.write_all(client.list_export(&list).await?.as_bytes())?;
                Ok(session.out.flush()?)
            }
            Action::Stats => {
                let lists: Vec<List> = session.client.lists().await?;
                let lists: Vec<List> = lists.into_iter().filter(|list| list.action == kind.name()).collect();
                session.show(&lists, |lists, style| statistics(lists, style))
            }
        }
    }
}

/// The name of the list that is meant: `deny` must not write into an allow list.
async fn name(kind: ListKind, list: Option<String>, session: &Session<'_>) -> Result<String, Failure> {
    let Some(name) = list else { return Ok(kind.name().to_owned()) };
    let found = session.client.list(&name).await?;
    if found.action != kind.name() {
        let action = found.action;
        return Err(Failure::usage(format_args!("`{name}` is one of the {action} lists: say `sluice {action}`")));
    }
    Ok(name)
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let result = if file.as_os_str() == "-" {
        io::stdin().read_to_end(&mut text).map(drop)
    } else {
        fs::read(file).map(|bytes| text = bytes)
    };
    result.map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))?;
    Ok(text)
}

const ENTRIES: [Column; 5] = [
    Column::Text("PREFIX"),
    Column::Number("PACKETS"),
    Column::Text("ORIGIN"),
    Column::Text("TIME LEFT"),
    Column::Text("REASON"),
];

fn contents(list: &List, style: Style) -> String {
    let name = &list.name;
    let matched = format!("It has matched {} packets ({}).", list.packets, bytes(list.bytes));
    if list.prefixes == 0 {
        return format!("The {name} list is empty. {matched}");
    }
    let mut text = String::new();
    if !list.entries.is_empty() {
        text += &table::render(style, &ENTRIES, list.entries.iter().map(cells));
        text += "\n\n";
    }
    for source in &list.sources {
        text += &format!("{}\n", source_text(source));
    }
    let number = count(list.prefixes, "prefix", "prefixes");
    let services = scope(&list.services);
    text + &format!("The {name} list{services} has {number}. {matched}")
}

fn cells(entry: &ListEntry) -> Vec<Cell> {
    vec![
        Cell::new(&entry.prefix),
        Cell::new(entry.packets.map_or_else(|| "-".to_owned(), |packets| packets.to_string())),
        Cell::new(entry.origin.name()),
        Cell::new(entry.seconds_left.map(duration).unwrap_or_default()),
        Cell::new(entry.reason.as_deref().unwrap_or_default()),
    ]
}

fn source_text(source: &ListSource) -> String {
    let ListSource { name, prefixes, duplicates, covered, fetched, problem } = source;
    let number = count(*prefixes, "prefix", "prefixes");
    let mut text = format!("{name}: {number}, of which {covered} lie in others; {duplicates} stood there twice");
    if let Some(fetched) = fetched {
        text += &format!("; fetched {fetched}");
    }
    if let Some(problem) = problem {
        text += &format!("\n  what there is now was not taken: {problem}");
    }
    text
}

fn scope(services: &[String]) -> String {
    if services.is_empty() { String::new() } else { format!(" (for {})", services.join(", ")) }
}

fn imported_text(list: &str, imported: &Imported) -> String {
    let took = super::units::latency(imported.microseconds);
    format!(
        "{}.\nThe {list} list has them now, in place of those of the last import. Done in {took}.",
        source_text(&imported.source)
    )
}

fn refreshed_text(list: &str, Refreshed { source, added, removed }: &Refreshed) -> String {
    let source = source_text(source);
    match (added, removed) {
        (0, 0) => format!("{source}.\nNothing has changed on the {list} list."),
        _ => format!("{source}.\nThe {list} list has them now: {added} added, {removed} removed."),
    }
}

const LISTS: [Column; 6] = [
    Column::Text("LIST"),
    Column::Text("FOR"),
    Column::Number("PREFIXES"),
    Column::Number("PACKETS"),
    Column::Number("BYTES"),
    Column::Text("FROM"),
];

fn statistics(lists: &[List], style: Style) -> String {
    let row = |list: &List| {
        let services = if list.services.is_empty() { "all".to_owned() } else { list.services.join(", ") };
        let sources: Vec<&str> = list.sources.iter().map(|source| source.name.as_str()).collect();
        vec![
            Cell::new(&list.name),
            Cell::new(services),
            Cell::new(list.prefixes),
            Cell::new(list.packets),
            Cell::new(bytes(list.bytes)),
            Cell::new(sources.join(", ")),
        ]
    };
    table::render(style, &LISTS, lists.iter().map(row))
}

fn outcome(list: &str, test: &ListTest) -> String {
    let ListTest { address, matched, outcome, found } = test;
    let mut text = match matched {
        Some(prefix) => format!("{address} is on the {list} list: {prefix} covers it."),
        None => format!("{address} is not on the {list} list."),
    };
    text += &format!("\nIts packets are {outcome}.");
    for ListFound { list, services, entry, .. } in found {
        text += &format!("\n  {list}{}: {}, from {}", scope(services), entry.prefix, entry.origin.name());
        if let Some(reason) = &entry.reason {
            text += &format!(", {reason}");
        }
        if let Some(seconds) = entry.seconds_left {
            text += &format!(", {} left", duration(seconds));
        }
    }
    text
}
