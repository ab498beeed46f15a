//! What the lists mean, found by looking at every entry.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use lb_common::ListMatch;

use crate::lists::{List, Lists};

/// A list: its number, its large set, and its entries with lifetimes.
pub(super) type Content<'a> = (u32, &'a [IpNet], &'a [(IpNet, u32)]);

/// Lists of some contents.
pub(super) fn lists(contents: &[Content<'_>]) -> Arc<Lists> {
    let list = |&(number, bulk, own): &Content<'_>| {
        let mut own = own.to_vec();
        own.sort_unstable();
        own.dedup_by_key(|(net, _)| *net);
        let bulk = Arc::new(bulk.iter().copied().collect());
        (number, List { name: format!("list{number}"), bulk, own: Arc::new(own.into_iter().collect()) })
    };
    Arc::new(Lists(contents.iter().map(list).collect()))
}

/// What decides about a source: the lowest list that covers it, and of that the longest prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) list: u32,
    pub(super) net: IpNet,
    /// The prefix is an entry of its own, and counts what it matches.
    pub(super) is_own: bool,
}

pub(super) fn decide(lists: &Lists, source: IpAddr, asked: u64, now_s: u32) -> Option<Decision> {
    lists.0.iter().filter(|(number, _)| asked >> **number & 1 != 0).find_map(|(&number, list)| {
        let bulk = list.bulk.iter().map(|net| (net, false));
        let own =
            list.own.iter().filter(|(_, expires_s)| *expires_s == 0 || now_s < *expires_s).map(|(net, _)| (net, true));
        let covering = bulk.chain(own).filter(|(net, _)| net.contains(&source));
        let (net, is_own) = covering.max_by_key(|(net, is_own)| (net.prefix_len(), *is_own))?;
        Some(Decision { list: number, net, is_own })
    })
}

/// The list that a look-up names.
pub(super) fn list_of(found: ListMatch) -> Option<u32> {
    (!found.is_none()).then(|| found.list())
}
