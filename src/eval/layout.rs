//! Rows of cells as text whose columns line up.

use std::borrow::Cow;

use crate::printable::{WIDEST, line, padded};

/// Left-aligned columns, two blanks apart.
pub(super) fn columns<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    indent: &str,
) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows.map(|row| row.map(|cell| line(&cell).into_owned())))
        .collect();
    let widths = widths(&rows);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells.map(|(cell, width)| padded(cell, width)).collect();
        text.push_str(format!("{indent}{}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

/// A Markdown table that reads well as plain text too.
pub(super) fn markdown<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows.map(|row| row.map(|cell| line(&cell).replace('|', "\\|"))))
        .collect();
    let widths = widths(&rows);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("| {} ", padded(cell, width)));
        }
        text.push_str("|\n");
        if number == 0 {
            widths
                .iter()
                .for_each(|width| text.push_str(&format!("|{}", "-".repeat(width + 2))));
            text.push_str("|\n");
        }
    }
    text
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
            .min(WIDEST)
    })
}

/// A cell of a CSV file, quoted where it must be: the names of data sets and classes are free text.
pub(super) fn csv_cell(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\n', '\r']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
}
