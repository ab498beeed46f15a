//! The firewall's lists.

use std::collections::HashSet;

use ipnet::IpNet;
use lb_common::ListKind;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::{EditError, array, table};
use crate::{
    config::{fault::Fault, prefix},
    model::Model,
};

/// Adds prefixes; those that are there already are left alone.
pub(super) fn add(
    tree: &mut DocumentMut,
    model: &Model,
    list: &str,
    prefixes: &[String],
) -> Result<Option<String>, EditError> {
    let kind = kind(list)?;
    let mut there: HashSet<IpNet> = entries(model, kind).iter().copied().collect();
    let new: Vec<IpNet> = parse(prefixes, |text| prefix::for_list(text, kind))?
        .into_iter()
        .filter(|prefix| there.insert(*prefix))
        .collect();
    if new.is_empty() {
        return Ok(None);
    }
    let array = array_of(tree, "firewall", kind.name()).ok_or(EditError::ByHand)?;
    if array.is_empty() {
        array::one_per_line(array);
    }
    for &prefix in &new {
        array::append(array, prefix::written(prefix));
    }
    Ok(Some(format!("added {} to the {} list", sentence(&new), kind.name())))
}

/// Removes prefixes, all of them or none.
pub(super) fn remove(
    tree: &mut DocumentMut,
    model: &Model,
    list: &str,
    prefixes: &[String],
) -> Result<Option<String>, EditError> {
    let kind = kind(list)?;
    let unwanted = parse(prefixes, prefix::prefix)?;
    let there: HashSet<IpNet> = entries(model, kind).iter().copied().collect();
    let missing: Vec<String> = unwanted
        .iter()
        .filter(|prefix| !there.contains(prefix))
        .map(|&prefix| with_cover(prefix, entries(model, kind)))
        .collect();
    if !missing.is_empty() {
        return Err(EditError::NotListed { list: kind.name(), prefixes: missing });
    }
    if unwanted.is_empty() {
        return Ok(None);
    }
    let array = array_of(tree, "firewall", kind.name()).ok_or(EditError::ByHand)?;
    for index in (0..array.len()).rev() {
        let written = array.get(index).and_then(Value::as_str).and_then(|text| prefix::prefix(text).ok());
        if written.is_some_and(|prefix| unwanted.contains(&prefix)) {
            array::remove(array, index);
        }
    }
    Ok(Some(format!("removed {} from the {} list", sentence(&unwanted), kind.name())))
}

/// The array at `section.key`; both are made where they are not there.
pub(super) fn array_of<'a>(tree: &'a mut DocumentMut, section: &str, key: &str) -> Option<&'a mut Array> {
    let empty_line = if tree.is_empty() { "" } else { "\n" };
    let new_section = || {
        let mut table = Table::new();
        table.decor_mut().set_prefix(empty_line);
        Item::Table(table)
    };
    let table = tree.entry(section).or_insert_with(new_section).as_table_like_mut()?;
    if !table.contains_key(key) {
        table::set(table, key, Array::new().into());
    }
    table.get_mut(key)?.as_array_mut()
}

fn kind(list: &str) -> Result<ListKind, EditError> {
    let unknown = || EditError::UnknownList { list: list.to_owned() };
    ListKind::ALL.into_iter().find(|kind| kind.name() == list).ok_or_else(unknown)
}

fn entries(model: &Model, kind: ListKind) -> &[IpNet] {
    match kind {
        ListKind::Allow => &model.firewall.allow,
        ListKind::Deny => &model.firewall.deny,
    }
}

fn parse(prefixes: &[String], parse: impl Fn(&str) -> Result<IpNet, Fault>) -> Result<Vec<IpNet>, EditError> {
    let (parsed, faults): (Vec<_>, Vec<_>) = prefixes.iter().map(|text| parse(text)).partition(Result::is_ok);
    if faults.is_empty() {
        return Ok(parsed.into_iter().flatten().collect());
    }
    Err(EditError::Prefixes(faults.into_iter().filter_map(Result::err).collect()))
}

/// The prefix, and the entry that a person who looks for it probably means.
fn with_cover(prefix: IpNet, entries: &[IpNet]) -> String {
    let covers = entries.iter().filter(|entry| entry.contains(&prefix));
    match covers.max_by_key(|entry| entry.prefix_len()) {
        Some(&cover) => {
            format!("{} (the list has {}, which covers it)", prefix::written(prefix), prefix::written(cover))
        }
        None => prefix::written(prefix),
    }
}

fn sentence(prefixes: &[IpNet]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = prefixes.iter().take(SHOWN).map(|&prefix| prefix::written(prefix)).collect();
    match prefixes.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}
