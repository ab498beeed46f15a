//! The firewall's lists.

use std::collections::HashSet;

use ipnet::IpNet;
use lb_common::ListKind;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::{EditError, array, table};
use crate::{
    api::types::ListTerms,
    config::{fault::Fault, prefix},
    model::Model,
};

/// Adds prefixes; those that are there already are left alone.
pub(super) fn add(
    tree: &mut DocumentMut,
    model: &Model,
    list: &str,
    prefixes: &[String],
    terms: &ListTerms,
) -> Result<Option<String>, EditError> {
    let (kind, entries) = find(model, list)?;
    let mut there: HashSet<IpNet> = entries.iter().copied().collect();
    let new: Vec<IpNet> = parse(prefixes, |text| prefix::for_list(text, kind, terms.force))?
        .into_iter()
        .filter(|prefix| there.insert(*prefix))
        .collect();
    if new.is_empty() {
        return Ok(None);
    }
    let array = entries_of(tree, list).ok_or(EditError::ByHand)?;
    if array.is_empty() {
        array::one_per_line(array);
    }
    for &prefix in &new {
        array::append(array, entry(prefix, terms));
    }
    Ok(Some(format!("added {} to the {list} list", sentence(&new))))
}

/// An entry as it is written.
fn entry(prefix: IpNet, terms: &ListTerms) -> Value {
    let prefix = prefix::written(prefix);
    if terms.reason.is_none() && !terms.force {
        return prefix.into();
    }
    let mut table = InlineTable::new();
    table.insert("prefix", prefix.into());
    if let Some(reason) = &terms.reason {
        table.insert("reason", reason.as_str().into());
    }
    if terms.force {
        table.insert("force", true.into());
    }
    table.into()
}

/// Removes prefixes, all of them or none.
pub(super) fn remove(
    tree: &mut DocumentMut,
    model: &Model,
    list: &str,
    prefixes: &[String],
) -> Result<Option<String>, EditError> {
    let (_, entries) = find(model, list)?;
    let unwanted = parse(prefixes, prefix::prefix)?;
    let there: HashSet<IpNet> = entries.iter().copied().collect();
    let missing: Vec<String> =
        unwanted.iter().filter(|prefix| !there.contains(prefix)).map(|&prefix| with_cover(prefix, entries)).collect();
    if !missing.is_empty() {
        return Err(EditError::NotListed { list: list.to_owned(), prefixes: missing });
    }
    if unwanted.is_empty() {
        return Ok(None);
    }
    let array = entries_of(tree, list).ok_or(EditError::ByHand)?;
    for index in (0..array.len()).rev() {
        let written = array.get(index).and_then(prefix_of).and_then(|text| prefix::prefix(text).ok());
        if written.is_some_and(|prefix| unwanted.contains(&prefix)) {
            array::remove(array, index);
        }
    }
    Ok(Some(format!("removed {} from the {list} list", sentence(&unwanted))))
}

/// The prefix of an entry as it is written.
fn prefix_of(entry: &Value) -> Option<&str> {
    entry.as_str().or_else(|| entry.as_inline_table()?.get("prefix")?.as_str())
}

/// The array in which the entries of a list stand; it is made where it is not there.
fn entries_of<'a>(tree: &'a mut DocumentMut, list: &str) -> Option<&'a mut Array> {
    if ListKind::ALL.iter().any(|kind| kind.name() == list) {
        return array_of(tree, "firewall", list);
    }
    let table = table::named(tree.get_mut("list")?, list)?;
    if !table.contains_key("entries") {
        table::set(table, "entries", Array::new().into());
    }
    table.get_mut("entries")?.as_array_mut()
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

/// The list with a name that commands may change: what a match means, and its entries.
fn find<'m>(model: &'m Model, list: &str) -> Result<(ListKind, &'m [IpNet]), EditError> {
    if model.firewall.is_built_in(list) {
        return Err(EditError::BuiltIn { list: list.to_owned() });
    }
    model.firewall.list(list).ok_or_else(|| {
        let known = model.firewall.names().into_iter().map(str::to_owned).collect();
        EditError::UnknownList { list: list.to_owned(), known }
    })
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
