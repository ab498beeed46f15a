//! What feeds bring: what is taken, and what is kept back.

use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    guard::{Guard, own_addresses},
    keep,
    listed::{self, Fed, Source},
    state::State,
};
use crate::{
    api::types::{ApiError, ListSource, Refreshed},
    feeds::{Content, Fetched, News, Outcome, Version},
    lists::{Prefixes, formats},
    model::{Feed, ListKind, Moment, NamedList},
};

/// The folder of the state directory with the last good content of each feed, by the list's name.
const FOLDER: &str = "feeds";

/// The first line of such a file.
#[derive(Serialize, Deserialize)]
struct Head {
    url: String,
    fetched: Moment,
    version: Version,
}

impl State {
    /// The feeds of the model, by list.
    fn wanted_feeds(&self) -> BTreeSet<(String, Feed)> {
        let lists = self.model.firewall.lists.iter();
        lists.filter_map(|list| Some((list.name.clone(), list.feed.clone()?))).collect()
    }

    /// Takes up what a former daemon has fetched last.
    pub(super) fn open_feeds(&mut self) {
        for (list, feed) in self.wanted_feeds() {
            match read(&self.state_directory, &list, &feed.url) {
                Ok(fed) => self.listed.set_feed(&list, fed.unwrap_or_else(|| Fed::new(&feed.url))),
                Err(error) => {
                    tracing::warn!("the last good content of the feed of list `{list}` cannot be used: {error}");
                    self.listed.set_feed(&list, Fed::new(&feed.url));
                }
            }
        }
        self.listed.keep_feeds(&self.model.firewall);
    }

    /// Follows the feeds of the model, and no others, and asks its CrowdSec.
    pub(super) fn follow_feeds(&mut self) {
        self.bouncer.follow(self.model.firewall.crowdsec.as_ref());
        let wanted = self.wanted_feeds();
        let gone = listed::names(&self.state_directory.join(FOLDER)).into_iter();
        for list in gone.filter(|list| !self.listed.feeds.contains_key(list)) {
            let _ = fs::remove_file(self.state_directory.join(FOLDER).join(list));
        }
        let listed = &self.listed;
        self.feeds.follow(wanted, |list| listed.feeds.get(list).map(|fed| fed.version.clone()).unwrap_or_default());
    }

    /// Has a list fetched at once.
    pub(super) fn refresh(&self, list: &str) -> Result<oneshot::Receiver<Outcome>, ApiError> {
        self.kind_of(list)?;
        self.feeds.refresh(list).ok_or_else(|| {
            let fed: Vec<&str> = self.listed.feeds.keys().map(String::as_str).collect();
            let others = if fed.is_empty() {
                "no list has one".to_owned()
            } else {
                format!("there is one for {}", fed.join(", "))
            };
            ApiError::usage(format_args!("the list `{list}` has no feed (a `url` in the configuration): {others}"))
        })
    }

    /// Takes what was fetched, or says why not, and leaves the list as it is.
    pub(super) fn take_feed(&mut self, Fetched { list, url, result, taken, askers }: Fetched) {
        let is_wanted = |named: &&NamedList| named.name == list && named.feed.as_ref().is_some_and(|f| f.url == url);
        let Some(named) = self.model.firewall.lists.iter().find(is_wanted).cloned() else { return };
        let before = self.listed.feeds.get(&list).map(|fed| Arc::clone(&fed.source.prefixes)).unwrap_or_default();
        let problem = match result {
            Ok(News::Unchanged) => Ok(()),
            Ok(News::Fresh(content)) => self.take_content(&named, &url, content),
            Err(error) => Err(error.to_string()),
        };
        let _ = taken.send(problem.is_ok());
        self.listed.note_fetch(&list, problem);
        let Some(fed) = self.listed.feeds.get(&list).filter(|_| !askers.is_empty()) else { return };
        let outcome = fed.outcome(&list, &before);
        for asker in askers {
            let _ = asker.send(outcome.clone());
        }
    }

    fn take_content(&mut self, list: &NamedList, url: &str, content: Content) -> Result<(), String> {
        let Content { bytes, parsed, version } = content;
        self.judge(list, &parsed.prefixes)?;
        let fetched = Moment::now();
        let fed = Fed { source: source(url, fetched, parsed), version: version.clone() };
        let mut wanted = self.listed.clone();
        wanted.set_feed(&list.name, fed);
        let head = Head { url: url.to_owned(), fetched, version };
        self.adopt_listed(wanted, |state| keep(&state.state_directory, &list.name, &head, &bytes))
            .map_err(|error| error.error)
    }

    /// Whether a list may have these prefixes.
    fn judge(&self, list: &NamedList, prefixes: &Prefixes) -> Result<(), String> {
        let held = self.listed.feeds.get(&list.name).map_or(0, |fed| fed.source.prefixes.len());
        let may_shrink = list.feed.as_ref().is_some_and(|feed| feed.may_shrink);
        if prefixes.is_empty() && !may_shrink {
            return Err("it is empty; if it may be, say `may_shrink = true` with the list".to_owned());
        }
        if 2 * prefixes.len() < held && !may_shrink {
            return Err(format!(
                "it has {} prefixes, and had {held}: less than half; if that is right, say `may_shrink = true` with the list",
                prefixes.len()
            ));
        }
        if list.action == ListKind::Deny && !list.force {
            let guard = Guard::of(&self.model, &own_addresses());
            guard.check(&list.name, |net| prefixes.has(net)).map_err(|covered| covered.to_string())?;
        }
        Ok(())
    }
}

fn source(url: &str, fetched: Moment, parsed: formats::Parsed) -> Source {
    let mut source = Source::new(url, parsed);
    source.told = ListSource { fetched: Some(fetched), ..source.told };
    source
}

fn keep(state: &Path, list: &str, head: &Head, bytes: &[u8]) -> io::Result<()> {
    let folder = state.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let mut file = serde_json::to_vec(head)?;
    file.push(b'\n');
    file.extend_from_slice(bytes);
    keep::write(&folder, list, &file)
}

/// The last good content of a feed, if it is of this URL.
fn read(state: &Path, list: &str, url: &str) -> Result<Option<Fed>, String> {
    let bytes = match fs::read(state.join(FOLDER).join(list)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| error.to_string())?,
    };
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or("it is damaged")?;
    let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|error| error.to_string())?;
    if head.url != url {
        return Ok(None);
    }
    let parsed = formats::parse(&bytes[end + 1..]).map_err(|error| error.to_string())?;
    Ok(Some(Fed { source: source(url, head.fetched, parsed), version: head.version }))
}

impl Fed {
    /// A feed of which nothing was fetched yet.
    pub(super) fn new(url: &str) -> Self {
        let nothing = formats::Parsed { prefixes: Prefixes::default(), duplicates: 0 };
        Self { source: Source::new(url, nothing), version: Version::default() }
    }

    /// What the last fetch has made of the feed of a list, which had these prefixes before.
    fn outcome(&self, list: &str, before: &Prefixes) -> Outcome {
        if let Some(warning) = self.warning(list) {
            return Err(ApiError::failure(warning));
        }
        let Source { told, prefixes } = &self.source;
        let all = before.union(prefixes).len();
        Ok(Refreshed { source: told.clone(), added: all - before.len(), removed: all - prefixes.len() })
    }

    /// What could not be taken for a list, and why.
    pub(super) fn warning(&self, list: &str) -> Option<String> {
        let ListSource { name, prefixes, fetched, problem, .. } = &self.source.told;
        let problem = problem.as_ref()?;
        let holds = match fetched {
            Some(fetched) => format!("the list keeps the {prefixes} prefixes of {fetched}"),
            None => "nothing was fetched yet".to_owned(),
        };
        Some(format!("the feed of list {list}, {name}: {problem}; {holds}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_content_is_kept_with_its_url_and_version() {
        let directory = tempfile::tempdir().unwrap();
        let fetched = Moment::from_seconds(1_800_000_000);
        let version = Version { etag: Some("\"7\"".to_owned()), modified: None };
        let head = Head { url: "https://one.example/list".to_owned(), fetched, version: version.clone() };
        keep(directory.path(), "pests", &head, b"192.0.2.0/24\n192.0.2.7\n").unwrap();
        let fed = read(directory.path(), "pests", "https://one.example/list").unwrap().unwrap();
        assert_eq!((fed.source.prefixes.len(), fed.source.told.fetched, fed.version), (2, Some(fetched), version));
        assert!(read(directory.path(), "pests", "https://two.example/list").unwrap().is_none());
        assert!(read(directory.path(), "others", "https://one.example/list").unwrap().is_none());
        fs::write(directory.path().join(FOLDER).join("pests"), "nothing").unwrap();
        assert!(read(directory.path(), "pests", "https://one.example/list").is_err());
    }
}
