//! The lists: changes that are not of the configuration, and what is told of them.

use std::{collections::BTreeMap, net::IpAddr, time::Instant};

use ipnet::IpNet;

use super::{
    DaemonError, clock,
    guard::{Guard, own_addresses},
    listed::{self, Expiring, Listed, Source},
    state::State,
};
use crate::{
    api::types::{ApiError, Changed, Edit, Imported, List, ListEntry, ListFound, ListSource, ListTerms, ListTest},
    config::{EditError, prefix},
    lists::{ComposeError, Lists, formats},
    model::{Firewall, ListKind, Model, Moment, Origin, Remark},
};

/// No entry that expires lasts longer: ten years.
const LONGEST_S: u64 = 10 * 365 * 24 * 3600;

impl State {
    /// Works out what should be on the lists.
    pub(super) fn compose_lists(&mut self) -> Result<(), ComposeError> {
        self.lists = Lists::compose(&self.model.firewall, &self.listed.extras(), &self.snapshot.lists)?;
        Ok(())
    }

    /// The files that a model's lists name, if all of them can be read and no deny list covers what it would cut off.
    pub(super) async fn list_files(&self, model: &Model) -> Result<BTreeMap<String, Source>, DaemonError> {
        let firewall = model.firewall.clone();
        // Ten million prefixes take a second.
        let files = tokio::task::spawn_blocking(move || listed::read_files(&firewall)).await;
        let files: BTreeMap<String, Source> = files
            .map_err(|error| DaemonError::Api(std::io::Error::other(error)))?
            .into_iter()
            .map(|(list, source)| Ok((list, source?)))
            .collect::<Result<_, DaemonError>>()?;
        let guard = Guard::of(model, &own_addresses());
        guard.check_entries(model)?;
        for list in model.firewall.lists.iter().filter(|list| list.action == ListKind::Deny && !list.force) {
            let others = self.listed.imports.get(&list.name).into_iter();
            let others = others.chain(self.listed.feeds.get(&list.name).map(|fed| &fed.source));
            for source in files.get(&list.name).into_iter().chain(others) {
                guard.check(&list.name, |net| source.prefixes.has(net))?;
            }
        }
        Ok(files)
    }

    /// The files at a start, where what cannot be used is said and left out: a node that does not start protects nobody.
    pub(super) fn open_list_files(&mut self) {
        let guard = Guard::of(&self.model, &own_addresses());
        if let Err(error) = guard.check_entries(&self.model) {
            tracing::warn!("{error}");
        }
        let mut files = BTreeMap::new();
        for (list, source) in listed::read_files(&self.model.firewall) {
            match source {
                Ok(source) => drop(files.insert(list, source)),
                Err(error) => tracing::error!("{error}"),
            }
        }
        self.listed.set_files(files);
    }

    /// Makes a change of entries that expire, which are not of the configuration. `None`: it is one of the configuration.
    pub(super) fn change_expiring(&mut self, edit: &Edit) -> Result<Option<Changed>, ApiError> {
        let started = Instant::now();
        let mut wanted = self.listed.clone();
        let done = match edit {
            Edit::ListAdd { list, prefixes, terms } => {
                check_terms(terms)?;
                let Some(seconds) = terms.for_seconds else { return Ok(None) };
                self.add_expiring(&mut wanted, list, prefixes, terms, seconds)?
            }
            Edit::ListRemove { list, prefixes } => match remove_expiring(&mut wanted, list, prefixes) {
                Some(done) => done,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.adopt_listed(wanted, |state| state.listed.write(&state.state_directory))?;
        let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Some(Changed { changes: vec![done], microseconds, warnings: self.warnings() }))
    }

    fn add_expiring(
        &self,
        wanted: &mut Listed,
        list: &str,
        prefixes: &[String],
        terms: &ListTerms,
        seconds: u64,
    ) -> Result<String, ApiError> {
        let kind = self.kind_to_change(list)?;
        let nets = prefixes.iter().map(|text| prefix::for_list(text, kind, terms.force));
        let nets: Vec<IpNet> = nets
            .collect::<Result<_, _>>()
            .map_err(|fault| ApiError::usage(format_args!("{fault}; nothing was changed")))?;
        if kind == ListKind::Deny && !terms.force {
            let guard = Guard::of(&self.model, &own_addresses());
            guard.check(list, |net| nets.contains(&net)).map_err(ApiError::usage)?;
        }
        let until = listed::until(Moment::now(), seconds);
        let entry = Expiring {
            until,
            expires_s: listed::expiry(clock::now_s(), seconds),
            reason: terms.reason.clone(),
            origin: terms.origin,
        };
        let entries = wanted.expiring.entry(list.to_owned()).or_default();
        entries.extend(nets.iter().map(|&net| (net, entry.clone())));
        let written: Vec<String> = nets.into_iter().map(prefix::written).collect();
        Ok(format!("added {} to the {list} list until {until}", written.join(", ")))
    }

    /// Takes a file's prefixes in place of those of the last import.
    pub(super) fn list_import(&mut self, list: &str, bytes: &[u8], force: bool) -> Result<Imported, ApiError> {
        let started = Instant::now();
        let kind = self.kind_to_change(list)?;
        let source = Source::parse(listed::IMPORT, bytes)
            .map_err(|error| ApiError::usage(format_args!("nothing was imported:\n{error}")))?;
        if kind == ListKind::Deny && !force {
            let guard = Guard::of(&self.model, &own_addresses());
            guard.check(list, |net| source.prefixes.has(net)).map_err(ApiError::usage)?;
        }
        let mut wanted = self.listed.clone();
        wanted.set_import(list, source.clone());
        self.adopt_listed(wanted, |state| listed::keep_import(&state.state_directory, list, bytes))?;
        let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Imported { source: source.told, microseconds })
    }

    /// Brings the kernel to other entries, and then keeps them: all of it, or nothing.
    pub(super) fn adopt_listed(
        &mut self,
        wanted: Listed,
        keep: impl FnOnce(&Self) -> std::io::Result<()>,
    ) -> Result<(), ApiError> {
        let before = std::mem::replace(&mut self.listed, wanted);
        let written = self.bring_lists();
        let path = self.state_directory.clone();
        let kept = written.and_then(|()| keep(self).map_err(|source| DaemonError::State { path, source }));
        let Err(error) = kept else { return Ok(()) };
        self.listed = before;
        if let Err(error) = self.bring_lists() {
            tracing::error!(%error, "could not bring the lists back");
        }
        Err(super::adopt::to_api(error))
    }

    fn bring_lists(&mut self) -> Result<(), DaemonError> {
        self.compose_lists()?;
        self.synchronise()
    }

    /// Sweeps away what has expired. Until then it was a miss to the datapath already.
    pub(super) fn sweep_lists(&mut self) -> Result<(), DaemonError> {
        if !self.listed.sweep(clock::now_s()) {
            return Ok(());
        }
        self.bring_lists()?;
        let path = self.state_directory.clone();
        self.listed.write(&path).map_err(|source| DaemonError::State { path, source })
    }

    pub(super) fn kind_of(&self, list: &str) -> Result<ListKind, ApiError> {
        let firewall = &self.model.firewall;
        let unknown = || ApiError::usage(format_args!("no list `{list}`: there are {}", firewall.names().join(", ")));
        firewall.list(list).map(|(kind, _)| kind).ok_or_else(unknown)
    }

    /// The same, of a list that commands may change.
    fn kind_to_change(&self, list: &str) -> Result<ListKind, ApiError> {
        if self.model.firewall.is_built_in(list) {
            return Err(ApiError::usage(EditError::BuiltIn { list: list.to_owned() }));
        }
        self.kind_of(list)
    }

    /// Every list, without its entries.
    pub(super) fn lists_told(&self) -> Result<Vec<List>, ApiError> {
        self.lists.0.iter().map(|(&number, _)| self.told(number)).collect()
    }

    /// A list with its own entries.
    pub(super) fn list_told(&self, name: &str) -> Result<List, ApiError> {
        self.kind_of(name)?;
        let number = self.number(name)?;
        let mut told = self.told(number)?;
        let mut own: Vec<IpNet> = self.lists.0[&number].own.iter().map(|(net, _)| net).collect();
        own.sort_unstable();
        let entries = own.into_iter().map(|net| self.entry(number, name, net));
        told.entries = entries.collect::<Result<_, _>>()?;
        Ok(told)
    }

    fn number(&self, name: &str) -> Result<u32, ApiError> {
        self.lists.number(name).ok_or_else(|| ApiError::failure(format_args!("the list `{name}` is not in the tables")))
    }

    fn told(&self, number: u32) -> Result<List, ApiError> {
        let list = &self.lists.0[&number];
        let hits = self.kernel.counters().list(number).map_err(ApiError::failure)?;
        let sources: Vec<ListSource> = self.listed.sources(&list.name).map(|source| source.told.clone()).collect();
        Ok(List {
            name: list.name.clone(),
            action: ListKind::of(number).name().to_owned(),
            services: services_of(&self.model.firewall, &list.name),
            prefixes: list.bulk.len() + list.own.iter().filter(|(net, _)| !list.bulk.has(*net)).count(),
            sources,
            entries: Vec::new(),
            packets: hits.packets,
            bytes: hits.bytes,
        })
    }

    /// What is known of a prefix on a list.
    fn entry(&self, number: u32, list: &str, net: IpNet) -> Result<ListEntry, ApiError> {
        let hits = self.kernel.counters().list_entry(number, net).map_err(ApiError::failure)?;
        let firewall = &self.model.firewall;
        let is_configured = firewall.list(list).is_some_and(|(_, entries)| entries.contains(&net));
        let expiring = self.listed.expiring.get(list).and_then(|entries| entries.get(&net));
        let Remark { reason, .. } = firewall.remark(list, net);
        let now = Moment::now();
        let (reason, origin, until) = match expiring.filter(|_| !is_configured) {
            Some(entry) => (entry.reason.clone(), entry.origin, Some(entry.until)),
            None if is_configured => (reason, Origin::Config, None),
            None => (self.source_of(list, net), Origin::Feed, None),
        };
        let packets = hits.map(|hits| hits.packets);
        let seconds_left = until.map(|until| until.since(now));
        Ok(ListEntry { prefix: net.to_string(), reason, origin, until, seconds_left, packets })
    }

    /// The file that a prefix is from.
    fn source_of(&self, list: &str, net: IpNet) -> Option<String> {
        self.listed.sources(list).find(|source| source.prefixes.has(net)).map(|source| source.told.name.clone())
    }

    /// What the lists say about an address.
    pub(super) fn list_test(&self, name: &str, address: IpAddr) -> Result<ListTest, ApiError> {
        self.kind_of(name)?;
        let found = self.found_on_lists(address)?;
        let matched = found.iter().find(|found| found.list == name).map(|found| found.entry.prefix.clone());
        Ok(ListTest { address, matched, outcome: outcome(&found), found })
    }

    /// The longest entry of each list that covers an address, in the order in which the lists are asked.
    pub(super) fn found_on_lists(&self, address: IpAddr) -> Result<Vec<ListFound>, ApiError> {
        let now_s = clock::now_s();
        let mut found = Vec::new();
        for (&number, list) in &self.lists.0 {
            if let Some(net) = list.longest(address, now_s) {
                found.push(ListFound {
                    list: list.name.clone(),
                    action: ListKind::of(number).name().to_owned(),
                    services: services_of(&self.model.firewall, &list.name),
                    entry: self.entry(number, &list.name, net)?,
                });
            }
        }
        Ok(found)
    }

    /// Every prefix of a list, as a file.
    pub(super) fn list_export(&self, name: &str) -> Result<String, ApiError> {
        self.kind_of(name)?;
        let list = &self.lists.0[&self.number(name)?];
        let own: BTreeMap<IpNet, Option<String>> =
            list.own.iter().map(|(net, _)| (net, self.reason(name, net))).collect();
        let bulk = list.bulk.iter().filter(|net| !own.contains_key(net)).map(|net| (net, None));
        Ok(formats::write(own.iter().map(|(&net, reason)| (net, reason.as_deref())).chain(bulk)))
    }

    fn reason(&self, list: &str, net: IpNet) -> Option<String> {
        let expiring = self.listed.expiring.get(list).and_then(|entries| entries.get(&net));
        self.model.firewall.remark(list, net).reason.or_else(|| expiring?.reason.clone())
    }
}

fn check_terms(terms: &ListTerms) -> Result<(), ApiError> {
    if let Some(reason) = &terms.reason {
        prefix::reason(reason).map_err(|fault| ApiError::usage(format_args!("{fault}; nothing was changed")))?;
    }
    if terms.for_seconds.is_some_and(|seconds| !(1..=LONGEST_S).contains(&seconds)) {
        return Err(ApiError::usage("an entry lasts from a second to ten years; leave out --for to add it for good"));
    }
    Ok(())
}

/// Removes entries that expire, if all of these are such; `None`: some are not, and are those of the configuration.
fn remove_expiring(wanted: &mut Listed, list: &str, prefixes: &[String]) -> Option<String> {
    let nets: Vec<IpNet> = prefixes.iter().map(|text| prefix::prefix(text)).collect::<Result<_, _>>().ok()?;
    let entries = wanted.expiring.get_mut(list)?;
    if nets.is_empty() || !nets.iter().all(|net| entries.contains_key(net)) {
        return None;
    }
    entries.retain(|net, _| !nets.contains(net));
    let written: Vec<String> = nets.into_iter().map(prefix::written).collect();
    Some(format!("removed {} from the {list} list", written.join(", ")))
}

fn services_of(firewall: &Firewall, list: &str) -> Vec<String> {
    let named = firewall.lists.iter().find(|named| named.name == list);
    named.map(|named| named.services.clone()).unwrap_or_default()
}

/// What becomes of packets from an address that these lists cover, in the order in which they are asked.
pub(super) fn outcome(found: &[ListFound]) -> String {
    let of = |found: &ListFound| {
        let verb = if found.action == ListKind::Allow.name() { "allowed" } else { "denied" };
        let name = if found.list == found.action { String::new() } else { format!(" of the list {}", found.list) };
        format!("{verb} by {}{name}", found.entry.prefix)
    };
    let for_all = found.iter().find(|found| found.services.is_empty());
    let mut outcome = for_all.map_or_else(|| "passed on: no list covers it".to_owned(), of);
    // What is asked before the list that decides for all decides at its services.
    let before = found.iter().take_while(|found| !found.services.is_empty());
    for scoped in before {
        outcome += &format!("; at {}, {}", scoped.services.join(", "), of(scoped));
    }
    outcome
}
