//! Tables as operators know them: a heading, columns two spaces apart, no lines, numbers to the right.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::Style;

/// A column: its heading and where its cells stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Text, to the left.
    Text(&'static str),
    /// A number, to the right.
    Number(&'static str),
}

/// Renders rows below their headings.
pub(super) fn render(style: Style, columns: &[Column], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !style.terminal {
        table.force_no_tty();
    }
    if style.colour {
        table.enforce_styling();
    }
    table.set_header(
        columns
            .iter()
            .map(|column| match column {
                Column::Text(heading) | Column::Number(heading) => *heading,
            })
            .collect::<Vec<_>>(),
    );
    table.add_rows(rows);
    for (column, shape) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if matches!(shape, Column::Number(_)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Renders `name  value` lines.
pub(super) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}
