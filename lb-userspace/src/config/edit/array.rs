//! Elements of arrays, with their layout.
//!
//! A comment behind an element stands, for the parser, in front of the next one, or in front of the closing bracket.
//! Adding or removing an element without regard for that would move comments to a neighbour.

use toml_edit::{Array, Value};

use super::table::text;

const INDENT: &str = "    ";

/// Adds an element behind the last one, on a line of its own if the others have theirs.
pub(super) fn append(array: &mut Array, value: impl Into<Value>) {
    let last = array.len().checked_sub(1).and_then(|last| array.get(last));
    let last_line = last.map(|last| text(last.decor().prefix()));
    let before_bracket = take_space_before_bracket(array);
    let (prefix, trailing) = match (before_bracket.rsplit_once('\n'), &last_line) {
        (Some((lines, end)), last) => {
            let indent = last.as_deref().and_then(|last| last.rsplit_once('\n')).map_or(INDENT, |(_, indent)| indent);
            (format!("{lines}\n{indent}"), format!("\n{end}"))
        }
        (None, Some(last)) if last.contains('\n') => {
            let indent = last.rsplit('\n').next().unwrap_or_default();
            (format!("\n{indent}"), before_bracket)
        }
        (None, Some(last)) if last.is_empty() && array.len() > 1 => (String::new(), before_bracket),
        (None, Some(_)) => (" ".into(), before_bracket),
        (None, None) => (before_bracket.clone(), before_bracket),
    };
    array.push_formatted(value.into().decorated(prefix, ""));
    array.set_trailing(trailing);
}

/// Lets an empty array have each element on a line of its own: commands can make a list long.
pub(super) fn one_per_line(array: &mut Array) {
    if !text(Some(array.trailing())).contains('\n') {
        array.set_trailing("\n");
    }
    array.set_trailing_comma(true);
}

/// Removes an element. The comment behind it goes with it; comments above it, which may be a heading, stay.
pub(super) fn remove(array: &mut Array, index: usize) {
    let before = array.get(index).map(|element| text(element.decor().prefix())).unwrap_or_default();
    if index + 1 == array.len() {
        let after = take_space_before_bracket(array);
        array.remove(index);
        array.set_trailing(between(&before, &after, &after));
    } else {
        array.remove(index);
        if let Some(next) = array.get_mut(index) {
            let after = text(next.decor().prefix());
            let one_line = if index == 0 { &before } else { &after };
            next.decor_mut().set_prefix(between(&before, &after, one_line));
        }
    }
}

/// What stands between the neighbours of a removed element: `before` up to the line it was in, `after` from the next.
fn between(before: &str, after: &str, one_line: &str) -> String {
    match (before.rsplit_once('\n'), after.split_once('\n')) {
        (Some((lines, _)), Some((_, rest))) => format!("{lines}\n{rest}"),
        (Some(_), None) => before.to_owned(),
        (None, Some(_)) => after.to_owned(),
        (None, None) => one_line.to_owned(),
    }
}

/// Takes everything between the last element, or its comma, and the bracket.
fn take_space_before_bracket(array: &mut Array) -> String {
    let mut space = String::new();
    if let Some(last) = array.len().checked_sub(1).and_then(|last| array.get_mut(last)) {
        space += &text(last.decor().suffix());
        last.decor_mut().set_suffix("");
    }
    space += &text(Some(array.trailing()));
    array.set_trailing("");
    space
}
