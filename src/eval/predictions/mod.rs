//! Predictions as a table that other programs read: a row for each input, in order, none left out.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`PredictionWriter`]: the file |
//! | `row` | [`PredictionRow`]: what the table holds of an input |
//! | `text` | as CSV and as JSON lines |
//! | `columns` | as Parquet |

#[cfg(feature = "parquet")]
mod columns;
mod row;
mod text;

use std::io;
use std::path::Path;

use crate::disk::FileReplacement;

use row::RowSink;
pub use row::{PredictionLayout, PredictionRow, PredictionTarget};

/// How a table of predictions is written; told by the ending of the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PredictionFormat {
    /// `.csv`, with a header.
    Csv,
    /// `.jsonl`, an object a line.
    JsonLines,
    /// `.parquet`.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl PredictionFormat {
    /// All formats, with the endings that tell them.
    const ENDINGS: &[(&str, Self)] = &[
        ("csv", Self::Csv),
        ("jsonl", Self::JsonLines),
        ("ndjson", Self::JsonLines),
        #[cfg(feature = "parquet")]
        ("parquet", Self::Parquet),
    ];

    /// The format of a file with this name; `None` where the ending tells none.
    pub fn of_name(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        let mut known = Self::ENDINGS.iter();
        let found = known.find(|(name, _)| *name == ending);
        found.map(|(_, format)| *format)
    }

    /// The endings that tell a format, as `.csv, .jsonl`.
    pub fn endings() -> String {
        let names = Self::ENDINGS.iter().map(|(name, _)| format!(".{name}"));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether a file, which begins with `head`, is a table that [`PredictionWriter`] wrote in this format.
    pub fn is_own(self, file: &Path, head: &[u8]) -> bool {
        // Only Parquet has what tells it at its end, not in its first bytes.
        #[cfg(not(feature = "parquet"))]
        let _ = file;
        match self {
            Self::Csv => text::is_table(head),
            Self::JsonLines => text::are_lines(head),
            #[cfg(feature = "parquet")]
            Self::Parquet => columns::is_table(file),
        }
    }
}

/// A file of predictions, which has its name once it is complete.
pub struct PredictionWriter {
    layout: PredictionLayout,
    sink: Box<dyn RowSink>,
}

impl std::fmt::Debug for PredictionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("PredictionWriter");
        shown.field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl PredictionWriter {
    /// Begins the table that will replace `path`.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn begin(
        path: &Path,
        format: PredictionFormat,
        layout: PredictionLayout,
    ) -> io::Result<Self> {
        let file = FileReplacement::begin(path)?;
        let sink: Box<dyn RowSink> = match format {
            PredictionFormat::Csv => Box::new(text::PredictionTable::begin(file, layout)?),
            PredictionFormat::JsonLines => Box::new(text::PredictionLines::begin(file, layout)),
            #[cfg(feature = "parquet")]
            PredictionFormat::Parquet => Box::new(columns::PredictionColumns::begin(file, layout)?),
        };
        Ok(Self { layout, sink })
    }

    /// The labels that are told of each input.
    pub fn top(&self) -> usize {
        self.layout.top
    }

    /// Writes the next row.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()> {
        self.sink.write(row)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// On an I/O error; an existing file is then unchanged.
    pub fn finish(self) -> io::Result<()> {
        self.sink.finish()?.finish()
    }
}

#[cfg(test)]
mod tests;
