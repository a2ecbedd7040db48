//! The fields of a CSV row.

use std::path::Path;

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::columns::{ColumnGroup, Columns};
use crate::pairs::source::Draft;
use crate::pairs::{Origin, Reason, record};

/// A row by its columns.
pub(super) struct Fields<'a> {
    pub(super) record: &'a ByteRecord,
    pub(super) columns: &'a Columns,
}

/// The parsed fields of a row.
pub(super) struct Parts {
    id: Option<String>,
    written: String,
    captions: Vec<String>,
    meta: Map<String, Value>,
}

impl Fields<'_> {
    pub(super) fn read(&self, lines: u64) -> Result<Parts, Reason> {
        let Self { record, columns } = self;
        if record.len() != columns.width {
            let (expected, found) = (columns.width, record.len());
            return Err(Reason::Fields {
                expected,
                found,
                lines,
            });
        }
        let written = self.values(&columns.image)?.into_iter().next();
        let written = written.ok_or(Reason::NoImage)?;
        let captions = record::checked(self.values(&columns.captions)?)?;
        let id = columns.id.map(|column| self.text(column));
        let id = id.filter(|id| !id.is_empty());
        let id = id.map(record::checked_id).transpose()?;
        let mut meta = Map::new();
        for (column, name) in &columns.meta {
            let value = self.text(*column);
            if !value.is_empty() {
                meta.insert(name.clone(), Value::String(value));
            }
        }
        Ok(Parts {
            id,
            written,
            captions,
            meta,
        })
    }

    /// The texts under that name of a group which [`record::fullest`] selects.
    ///
    /// # Errors
    /// [`Reason::KeysAlike`] where another name has something else.
    fn values(&self, group: &ColumnGroup) -> Result<Vec<String>, Reason> {
        let said = group.named.iter().map(|(name, columns)| {
            let cells = columns.iter().map(|&column| self.text(column));
            Ok((*name, (group.read)(cells.collect())?))
        });
        let mut said = said.collect::<Result<Vec<_>, _>>()?;
        let taken = record::fullest(&said, group.role)?;
        Ok(taken.map_or_else(Vec::new, |taken| said.swap_remove(taken).1))
    }

    fn text(&self, column: usize) -> String {
        // The row is UTF-8 and was split at ASCII characters, so nothing is lost.
        let text = String::from_utf8_lossy(self.record.get(column).unwrap_or_default());
        text.trim().to_owned()
    }
}

impl Parts {
    pub(super) fn into_draft(self, base: &Path, origin: Origin) -> Draft {
        let Self {
            id,
            written,
            captions,
            meta,
        } = self;
        Draft {
            id,
            image: base.join(&written).into(),
            written,
            captions,
            meta,
            origin,
            rows: 1,
        }
    }
}
