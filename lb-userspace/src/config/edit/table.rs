//! Tables of a document, whichever of TOML's ways they are written in.

use toml_edit::{
    Decor, DocumentMut, Item, RawString, Table, TableLike, Value,
    visit_mut::{VisitMut, visit_table_mut},
};

/// The element of an array of tables.
pub(super) fn element(tables: &mut Item, index: usize) -> Option<&mut dyn TableLike> {
    match tables {
        Item::ArrayOfTables(tables) => tables.get_mut(index).map(|table| table as &mut dyn TableLike),
        Item::Value(Value::Array(array)) => {
            array.get_mut(index)?.as_inline_table_mut().map(|table| table as &mut dyn TableLike)
        }
        _ => None,
    }
}

/// The element of an array of tables that has this `name`.
pub(super) fn named<'t>(tables: &'t mut Item, name: &str) -> Option<&'t mut dyn TableLike> {
    let is_it = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    let index = match tables {
        Item::ArrayOfTables(tables) => tables.iter().position(|table| is_it(table)),
        Item::Value(Value::Array(array)) => {
            array.iter().position(|table| table.as_inline_table().is_some_and(|table| is_it(table)))
        }
        _ => None,
    };
    element(tables, index?)
}

/// Gives `key` a value. The comment behind an old value stays; a new key looks like the one before it.
pub(super) fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get_mut(key).and_then(Item::as_value_mut) {
        let decor = old.decor().clone();
        *old = value;
        *old.decor_mut() = decor;
        return;
    }
    let last_key = table.iter().filter(|(_, item)| item.is_value()).last().map(|(last, _)| last.to_owned());
    let indent = last_key.as_deref().and_then(|last| table.key(last)).map(|key| indentation(key.leaf_decor()));
    let last_value = last_key.and_then(|last| table.get_mut(&last)?.as_value_mut().map(Value::decor_mut));
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix(last_value.map(take_space_behind).unwrap_or_default());
    table.insert(key, Item::Value(value));
    if let (Some(indent), Some(mut key)) = (indent, table.key_mut(key)) {
        key.leaf_decor_mut().set_prefix(indent);
    }
}

/// Removes a key, and the comment behind its value.
pub(super) fn unset(table: &mut dyn TableLike, key: &str) {
    let Some(removed) = table.remove(key) else { return };
    let space = removed.as_value().map(|value| text(value.decor().suffix())).unwrap_or_default();
    let last_key = table.iter().filter(|(_, item)| item.is_value()).last().map(|(last, _)| last.to_owned());
    let last = last_key.and_then(|last| table.get_mut(&last)?.as_value_mut().map(Value::decor_mut));
    // An inline table has its space before the closing brace behind the last value.
    if let Some(last) = last.filter(|last| space.trim().is_empty() && text(last.suffix()).is_empty()) {
        last.set_suffix(space);
    }
}

/// Takes the space that an inline table has before its closing brace; a comment is not taken.
fn take_space_behind(value: &mut Decor) -> String {
    let space = text(value.suffix());
    if space.contains('#') {
        return String::new();
    }
    value.set_suffix("");
    space
}

/// The white space in front of what `decor` decorates, within its line.
pub(super) fn indentation(decor: &Decor) -> String {
    let prefix = text(decor.prefix());
    prefix.rsplit('\n').next().unwrap_or_default().to_owned()
}

/// The text of a part of the layout.
pub(super) fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// Puts the comments that stood above a removed table, but were not about it, in front of the table that followed.
/// A comment is about a table if no empty line parts them.
pub(super) fn keep_comments_above(removed: &Table, tree: &mut DocumentMut) {
    let prefix = text(removed.decor().prefix());
    let kept = not_adjacent(&prefix);
    let Some(position) = removed.position().filter(|_| kept.contains('#')) else { return };
    let mut search = NextHeader { after: position, found: None };
    search.visit_document_mut(tree);
    match search.found {
        Some(position) => Prepend { position, kept }.visit_document_mut(tree),
        None => {
            let trailing = text(Some(tree.trailing()));
            tree.set_trailing(format!("{kept}{trailing}"));
        }
    }
}

/// The lines up to the last empty one.
fn not_adjacent(prefix: &str) -> &str {
    let mut end = 0;
    let mut kept = 0;
    for line in prefix.split_inclusive('\n') {
        if line.ends_with('\n') && line.trim().is_empty() {
            kept = end;
        }
        end += line.len();
    }
    &prefix[..kept]
}

struct NextHeader {
    after: isize,
    found: Option<isize>,
}

impl VisitMut for NextHeader {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if let Some(position) = table.position().filter(|&position| position > self.after && has_header(table)) {
            self.found = Some(self.found.map_or(position, |found| found.min(position)));
        }
        visit_table_mut(self, table);
    }
}

struct Prepend<'a> {
    position: isize,
    kept: &'a str,
}

impl VisitMut for Prepend<'_> {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if table.position() == Some(self.position) && has_header(table) {
            let prefix = text(table.decor().prefix());
            table.decor_mut().set_prefix(format!("{}{prefix}", self.kept));
        }
        visit_table_mut(self, table);
    }
}

fn has_header(table: &Table) -> bool {
    !table.is_implicit() && !table.is_dotted()
}
