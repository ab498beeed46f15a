//! What is on the lists besides what the configuration names: prefixes from files, and entries that expire.
//!
//! Entries that expire are kept in the state directory, and so are imported files. The datapath lets entries expire by its own
//! clock, whether a daemon runs or not; here they are only swept away.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{clock, keep};
use crate::{
    api::types::ListSource,
    feeds::Version,
    lists::{Extras, Prefixes, formats},
    model::{Firewall, Moment, Origin},
};

const FILE: &str = "lists.json";
/// Imported files, by the list's name.
const IMPORTS: &str = "lists";
/// What a list's source is called if it was imported.
pub(super) const IMPORT: &str = "import";

/// Where prefixes of a list come from of which no more is known.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What is told of it.
    pub(super) told: ListSource,
    pub(super) prefixes: Arc<Prefixes>,
}

/// A list from a server: what was last good of it.
#[derive(Clone, Debug)]
pub(super) struct Fed {
    pub(super) source: Source,
    pub(super) version: Version,
}

/// An entry that expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expiring {
    pub(super) until: Moment,
    /// The same by the datapath's clock, in seconds since the machine started.
    pub(super) expires_s: u32,
    pub(super) reason: Option<String>,
    pub(super) origin: Origin,
}

/// What is known of the lists besides the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    /// By the list's name.
    pub(super) files: BTreeMap<String, Source>,
    pub(super) imports: BTreeMap<String, Source>,
    pub(super) feeds: BTreeMap<String, Fed>,
    pub(super) expiring: BTreeMap<String, BTreeMap<IpNet, Expiring>>,
    /// Why nobody knows what CrowdSec decides now.
    pub(super) crowdsec_problem: Option<String>,
    /// The prefixes of files and imports together, by the list's name.
    bulk: BTreeMap<String, Arc<Prefixes>>,
}

/// The entries as they are kept.
#[derive(Default, Serialize, Deserialize)]
struct Keep {
    /// The run of the machine in which they were kept: in it the datapath's clock says exactly when they end.
    boot: String,
    entries: Vec<Kept>,
}

/// An entry as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    list: String,
    prefix: IpNet,
    until: Moment,
    expires_s: u32,
    reason: Option<String>,
    origin: Origin,
}

/// Why a list's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file {} of list `{list}` cannot be used; nothing was changed:\n{reason}", path.display())]
pub struct FileError {
    /// The list.
    pub list: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Source {
    /// Reads what a file holds.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Self, formats::FormatError> {
        Ok(Self::new(name, formats::parse(bytes)?))
    }

    pub(super) fn new(name: &str, formats::Parsed { prefixes, duplicates }: formats::Parsed) -> Self {
        let told = ListSource {
            name: name.to_owned(),
            prefixes: prefixes.len(),
            duplicates,
            covered: prefixes.covered(),
            fetched: None,
            problem: None,
        };
        Self { told, prefixes: Arc::new(prefixes) }
    }

    fn read(list: &str, path: &Path) -> Result<Self, FileError> {
        let error = |reason: String| FileError { list: list.to_owned(), path: path.to_owned(), reason };
        let bytes = fs::read(path).map_err(|cause| error(format!("{cause}: correct `file`, or make it readable")))?;
        Self::parse(&path.display().to_string(), &bytes).map_err(|cause| error(cause.to_string()))
    }
}

/// Reads the files that the configuration names.
pub(super) fn read_files(firewall: &Firewall) -> BTreeMap<String, Result<Source, FileError>> {
    let files = firewall.lists.iter().filter_map(|list| Some((&list.name, list.file.as_ref()?)));
    files.map(|(name, path)| (name.clone(), Source::read(name, path))).collect()
}

impl Listed {
    /// What a former daemon has left in the state directory.
    pub(super) fn open(state: &Path, now: Moment, now_s: u64) -> Self {
        let mut listed = Self::default();
        let kept = read(state);
        let is_same_run = kept.boot == clock::boot();
        for kept in kept.entries {
            let Kept { list, prefix, until, mut expires_s, reason, origin } = kept;
            if !is_same_run {
                expires_s = if until > now { expiry(now_s, until.since(now)) } else { 0 };
            }
            if u64::from(expires_s) > now_s {
                listed.expiring.entry(list).or_default().insert(prefix, Expiring { until, expires_s, reason, origin });
            }
        }
        listed.imports = read_imports(state);
        listed
    }

    /// Takes these files in place of the former ones.
    pub(super) fn set_files(&mut self, files: BTreeMap<String, Source>) {
        self.files = files;
        self.join();
    }

    /// Takes an import in place of the list's last one.
    pub(super) fn set_import(&mut self, list: &str, source: Source) {
        self.imports.insert(list.to_owned(), source);
        self.join();
    }

    /// Takes what a server has in place of what it had.
    pub(super) fn set_feed(&mut self, list: &str, fed: Fed) {
        self.feeds.insert(list.to_owned(), fed);
        self.join();
    }

    /// Lets go of what was fetched for lists that are no more, or that have another server now; and of CrowdSec's decisions, if
    /// it is not asked.
    pub(super) fn keep_feeds(&mut self, firewall: &Firewall) {
        if firewall.crowdsec.is_none() {
            self.forget_decisions();
        }
        let wanted = |list: &str| firewall.lists.iter().find(|named| named.name == list)?.feed.as_ref();
        self.feeds.retain(|list, fed| wanted(list).is_some_and(|feed| feed.url == fed.source.told.name));
        for (list, feed) in firewall.lists.iter().filter_map(|list| Some((&list.name, list.feed.as_ref()?))) {
            self.feeds.entry(list.clone()).or_insert_with(|| Fed::new(&feed.url));
        }
        self.join();
    }

    /// Notes what became of an attempt to fetch a list.
    pub(super) fn note_fetch(&mut self, list: &str, result: Result<(), String>) {
        let Some(fed) = self.feeds.get_mut(list) else { return };
        let told = &mut fed.source.told;
        if let Err(problem) = &result
            && told.problem.as_ref() != Some(problem)
        {
            tracing::warn!("the list `{list}` stays as it is: {}: {problem}", told.name);
        }
        told.problem = result.err();
    }

    /// What could not be taken, and why.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let feeds = self.feeds.iter().filter_map(|(list, fed)| fed.warning(list));
        feeds.chain(self.crowdsec_problem.clone())
    }

    fn join(&mut self) {
        self.bulk = self.files.iter().map(|(list, source)| (list.clone(), Arc::clone(&source.prefixes))).collect();
        let feeds = self.feeds.iter().map(|(list, fed)| (list, &fed.source));
        for (list, source) in self.imports.iter().chain(feeds) {
            let all = match self.bulk.get(list) {
                Some(file) => Arc::new(file.union(&source.prefixes)),
                None => Arc::clone(&source.prefixes),
            };
            self.bulk.insert(list.clone(), all);
        }
    }

    /// What is on the lists besides what the configuration names.
    pub(super) fn extras(&self) -> Extras {
        let expiries =
            |entries: &BTreeMap<IpNet, Expiring>| entries.iter().map(|(&net, entry)| (net, entry.expires_s)).collect();
        let expiring = self.expiring.iter().map(|(list, entries)| (list.clone(), expiries(entries)));
        Extras { bulk: self.bulk.clone(), expiring: expiring.collect() }
    }

    /// Where prefixes of a list come from.
    pub(super) fn sources(&self, list: &str) -> impl Iterator<Item = &Source> {
        let fed = self.feeds.get(list).map(|fed| &fed.source);
        self.files.get(list).into_iter().chain(self.imports.get(list)).chain(fed)
    }

    /// Removes entries whose time has come; whether there were any.
    pub(super) fn sweep(&mut self, now_s: u64) -> bool {
        let mut swept = false;
        for entries in self.expiring.values_mut() {
            entries.retain(|_, entry| {
                let stays = u64::from(entry.expires_s) > now_s;
                swept |= !stays;
                stays
            });
        }
        swept
    }

    /// Keeps the entries that expire, whole or not at all.
    pub(super) fn write(&self, state: &Path) -> io::Result<()> {
        let all = self.expiring.iter().flat_map(|(list, entries)| entries.iter().map(move |entry| (list, entry)));
        let kept = all.map(|(list, (&prefix, entry))| Kept {
            list: list.clone(),
            prefix,
            until: entry.until,
            expires_s: entry.expires_s,
            reason: entry.reason.clone(),
            origin: entry.origin,
        });
        let keep = Keep { boot: clock::boot(), entries: kept.collect() };
        keep::write(state, FILE, &serde_json::to_vec(&keep)?)
    }
}

/// The second in which an entry expires that is to last so long from now. A second has begun already, so that an entry lasts at
/// least as long as was asked for, and less than a second longer.
pub(super) fn expiry(now_s: u64, seconds: u64) -> u32 {
    u32::try_from(now_s.saturating_add(seconds).saturating_add(1)).unwrap_or(u32::MAX)
}

/// Keeps an imported file.
pub(super) fn keep_import(state: &Path, list: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = state.join(IMPORTS);
    fs::create_dir_all(&folder)?;
    keep::write(&folder, list, bytes)
}

/// What cannot be read is said, and left alone until something else is written.
fn read(state: &Path) -> Keep {
    let path = state.join(FILE);
    let read = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Keep::default(),
        other => other.and_then(|text| Ok(serde_json::from_slice(&text)?)),
    };
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "could not read {}; entries that expire are not on the lists", path.display());
        Keep::default()
    })
}

fn read_imports(state: &Path) -> BTreeMap<String, Source> {
    let read = |name: String| {
        let source = Source::read(&name, &state.join(IMPORTS).join(&name));
        let source = source.inspect_err(|error| tracing::warn!("an import is not on its list: {error}")).ok()?;
        let told = ListSource { name: IMPORT.to_owned(), ..source.told };
        Some((name, Source { told, ..source }))
    };
    names(&state.join(IMPORTS)).into_iter().filter_map(read).collect()
}

/// The names of the lists for which a folder has a file.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let Ok(folder) = fs::read_dir(folder) else { return Vec::new() };
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// The time until which an entry lasts.
pub(super) fn until(now: Moment, seconds: u64) -> Moment {
    now.after(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(seconds: u64) -> Listed {
        let now = Moment::from_seconds(1_800_000_000);
        let entry = Expiring {
            until: until(now, seconds),
            expires_s: expiry(1000, seconds),
            reason: Some("scans".to_owned()),
            origin: Origin::Ban,
        };
        let entries = BTreeMap::from([("192.0.2.0/24".parse().unwrap(), entry)]);
        Listed { expiring: BTreeMap::from([("deny".to_owned(), entries)]), ..Listed::default() }
    }

    #[test]
    fn entries_survive_being_kept_and_expire_when_they_would_have() {
        let directory = tempfile::tempdir().unwrap();
        let before = listed(600);
        before.write(directory.path()).unwrap();
        // Another daemon on the same machine.
        let at_once = Listed::open(directory.path(), Moment::from_seconds(0), 1600);
        assert_eq!(at_once.expiring, before.expiring);
        assert!(Listed::open(directory.path(), Moment::from_seconds(0), 1601).expiring.is_empty());
        // The machine has started again, and 100 seconds have passed.
        let path = directory.path().join(FILE);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace(&clock::boot(), "before")).unwrap();
        let later = Moment::from_seconds(1_800_000_100);
        let after = Listed::open(directory.path(), later, 7);
        let (net, entry) = after.expiring["deny"].iter().next().unwrap();
        assert_eq!(
            (net.to_string().as_str(), entry.expires_s, entry.reason.as_deref()),
            ("192.0.2.0/24", 7 + 500 + 1, Some("scans"))
        );
        assert_eq!((entry.origin, entry.until), (Origin::Ban, until(Moment::from_seconds(1_800_000_000), 600)));
        let too_late = Listed::open(directory.path(), Moment::from_seconds(1_800_000_600), 7);
        assert!(too_late.expiring.is_empty());
    }

    #[test]
    fn what_has_expired_is_swept_away() {
        let mut listed = listed(10);
        assert!(!listed.sweep(1010));
        assert!(listed.sweep(1011));
        assert!(listed.expiring["deny"].is_empty() && !listed.sweep(1012));
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "{", "[7]", "{\"boot\":\"\",\"entries\":[{\"list\":\"deny\"}]}"] {
            fs::write(directory.path().join(FILE), text).unwrap();
            assert!(Listed::open(directory.path(), Moment::from_seconds(0), 0).expiring.is_empty(), "{text}");
        }
    }

    #[test]
    fn imports_are_kept_beside_files() {
        let directory = tempfile::tempdir().unwrap();
        keep_import(directory.path(), "pests", b"192.0.2.0/24\n192.0.2.7\n192.0.2.7\n").unwrap();
        let mut listed = Listed::open(directory.path(), Moment::from_seconds(0), 0);
        listed.set_files(BTreeMap::from([("pests".to_owned(), Source::parse("/file", b"10.0.0.0/8\n").unwrap())]));
        let told: Vec<_> = listed.sources("pests").map(|source| source.told.clone()).collect();
        let told: Vec<_> =
            told.iter().map(|told| (told.name.as_str(), told.prefixes, told.duplicates, told.covered)).collect();
        assert_eq!(told, [("/file", 1, 0, 0), (IMPORT, 2, 1, 1)]);
        assert_eq!(listed.extras().bulk["pests"].len(), 3);
    }
}
