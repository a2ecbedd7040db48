//! The fields of a CSV row.

use std::path::Path;

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::columns::{ColumnGroup, CsvColumns};
use crate::pairs::source::PairDraft;
use crate::pairs::{PairOrigin, RowRejection, record};

/// A row by its columns.
pub(super) struct CsvRow<'a> {
    pub(super) record: &'a ByteRecord,
    pub(super) columns: &'a CsvColumns,
}

/// The parsed fields of a row.
pub(super) struct RowFields {
    id: Option<String>,
    written: String,
    captions: Vec<String>,
    meta: Map<String, Value>,
}

impl CsvRow<'_> {
    pub(super) fn read(&self, lines: u64) -> Result<RowFields, RowRejection> {
        let Self { record, columns } = self;
        if record.len() != columns.width {
            let (expected, found) = (columns.width, record.len());
            return Err(RowRejection::Fields {
                expected,
                found,
                lines,
            });
        }
        let written = self.values(&columns.image)?.into_iter().next();
        let written = written.ok_or(RowRejection::NoImage)?;
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
        Ok(RowFields {
            id,
            written,
            captions,
            meta,
        })
    }

    /// The texts under that name of a group which [`record::fullest`] selects.
    ///
    /// # Errors
    /// [`RowRejection::KeysAlike`] where another name has something else.
    fn values(&self, group: &ColumnGroup) -> Result<Vec<String>, RowRejection> {
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

impl RowFields {
    pub(super) fn into_draft(self, base: &Path, origin: PairOrigin) -> PairDraft {
        let Self {
            id,
            written,
            captions,
            meta,
        } = self;
        PairDraft {
            id,
            image: base.join(&written).into(),
            written,
            base: base.to_owned(),
            captions,
            meta,
            origin,
            rows: 1,
        }
    }
}
