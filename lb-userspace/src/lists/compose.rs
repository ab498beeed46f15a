//! From what the operator wants and what else is known to what is on the lists.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use lb_common::{LISTS_OF_A_KIND, ListKind, MAX_CHAIN};

use super::{List, Lists, Own, Prefixes};
use crate::model::Firewall;

/// What is on the lists besides what the configuration names.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Prefixes from files, by the list's name.
    pub bulk: BTreeMap<String, Arc<Prefixes>>,
    /// Entries that expire, by the list's name, and when: in seconds since the machine started.
    pub expiring: BTreeMap<String, BTreeMap<IpNet, u32>>,
}

/// Why the lists cannot be made so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Too many lists, counting those that go away with this change.
    #[error(
        "there is room for {LISTS_OF_A_KIND} {} lists, and those that this change removes still count: remove them first, \
         and add the new ones with a second change", .0.name()
    )]
    Numbers(ListKind),
    /// Too many entries around one address.
    #[error("{net} lies in {MOST_AROUND} entries with times to live: remove some of them, or give it none")]
    Depth {
        /// The entry that is one too many.
        net: IpNet,
    },
}

/// How many entries of their own lifetime or counter an address may be in. Their classes stand behind one another, and
/// between any two there may be one without.
const MOST_AROUND: usize = (MAX_CHAIN as usize - 1) / 2;

/// An entry: its prefix, its list's number, and when it expires.
type Entry = (IpNet, u32, u32);

impl Lists {
    /// What is on the lists by the configuration alone.
    ///
    /// # Errors
    ///
    /// See [`ComposeError`].
    pub fn of(firewall: &Firewall) -> Result<Arc<Self>, ComposeError> {
        Self::compose(firewall, &Extras::default(), &Self::default())
    }

    /// What is on the lists. Those that are there keep their numbers; a number is not given to another list by the change
    /// that frees it, because its counters and scope are still the former list's.
    ///
    /// # Errors
    ///
    /// See [`ComposeError`].
    pub fn compose(firewall: &Firewall, extras: &Extras, current: &Self) -> Result<Arc<Self>, ComposeError> {
        let named = numbered(firewall, current)?;
        let mut entries: Vec<Entry> = Vec::new();
        for (number, (name, nets)) in &named {
            // One that is there for good need not expire.
            let mut own: BTreeMap<IpNet, u32> = extras.expiring.get(*name).cloned().unwrap_or_default();
            own.extend(nets.iter().map(|&net| (net, 0)));
            entries.extend(own.into_iter().map(|(net, expires_s)| (net, *number, expires_s)));
        }
        entries.sort_unstable();
        let (entries, uncounted) = shallow(entries)?;
        let mut own: BTreeMap<u32, Vec<(IpNet, u32)>> = BTreeMap::new();
        for (net, number, expires_s) in entries {
            own.entry(number).or_default().push((net, expires_s));
        }
        let lists = named.into_iter().map(|(number, (name, _))| {
            let mut bulk = extras.bulk.get(name).cloned().unwrap_or_default();
            let more: Prefixes = uncounted.iter().filter(|entry| entry.1 == number).map(|entry| entry.0).collect();
            if !more.is_empty() {
                bulk = Arc::new(bulk.union(&more));
            }
            let own = own.remove(&number).unwrap_or_default().into_iter().collect();
            (number, List { name: name.to_owned(), bulk, own: Arc::new(own) }.sharing(current.0.get(&number)))
        });
        Ok(Arc::new(Self(lists.collect())))
    }
}

impl List {
    /// The same, with what a former state of it has already.
    fn sharing(mut self, former: Option<&Self>) -> Self {
        let Some(former) = former else { return self };
        if self.own == former.own {
            self.own = Arc::<Own>::clone(&former.own);
        }
        if self.bulk == former.bulk {
            self.bulk = Arc::<Prefixes>::clone(&former.bulk);
        }
        self
    }
}

type Named<'f> = BTreeMap<u32, (&'f str, &'f [IpNet])>;

fn numbered<'f>(firewall: &'f Firewall, current: &Lists) -> Result<Named<'f>, ComposeError> {
    let mut named = Named::new();
    for kind in ListKind::ALL {
        named.insert(kind.numbers().start, (kind.name(), firewall.entries(kind)));
    }
    let kept = |list: &crate::model::NamedList| {
        current.number(&list.name).filter(|number| list.action.numbers().contains(number))
    };
    for list in &firewall.lists {
        if let Some(number) = kept(list) {
            named.insert(number, (&list.name, &list.entries));
        }
    }
    for list in firewall.lists.iter().filter(|list| kept(list).is_none()) {
        let is_free = |number: &u32| !named.contains_key(number) && !current.0.contains_key(number);
        let number = list.action.numbers().find(is_free).ok_or(ComposeError::Numbers(list.action))?;
        named.insert(number, (&list.name, &list.entries));
    }
    Ok(named)
}

/// Parts entries from those that lie in too many others to be counted by themselves.
fn shallow(entries: Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>), ComposeError> {
    let (mut shallow, mut deep) = (Vec::with_capacity(entries.len()), Vec::new());
    let mut around: Vec<IpNet> = Vec::new();
    for entry in entries {
        let (net, _, expires_s) = entry;
        while around.pop_if(|open| !stands_behind(*open, net)).is_some() {}
        if around.len() < MOST_AROUND {
            around.push(net);
            shallow.push(entry);
        } else if expires_s == 0 {
            deep.push(entry);
        } else {
            return Err(ComposeError::Depth { net });
        }
    }
    Ok((shallow, deep))
}

/// Whether an entry's class stands behind that of another: up to /24 of IPv4 all around do, otherwise those of the same prefix.
fn stands_behind(around: IpNet, net: IpNet) -> bool {
    let is_short = |net: IpNet| net.addr().is_ipv4() && net.prefix_len() <= 24;
    around == net || is_short(net) && around.contains(&net)
}
