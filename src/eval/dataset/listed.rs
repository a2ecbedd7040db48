//! Images and their classes from `labels.jsonl`, and the rows of a list that cannot be used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use super::meta::DatasetMeta;
use crate::pairs::{self, RowError};
use crate::stand_in;

/// How many of the rows that are left out are listed.
const NAMED: usize = 10;

/// Rows that are left out: how many, and the first few.
#[derive(Default)]
pub(super) struct RejectedRows {
    number: u64,
    named: Vec<String>,
}

impl RejectedRows {
    fn row(&mut self, row: usize, why: &str) {
        self.note(|| format!("row {row}: {why}"));
    }

    /// A row of a list of pairs.
    pub(super) fn pair(&mut self, error: &RowError) {
        self.note(|| error.to_string());
    }

    fn note(&mut self, what: impl Fn() -> String) {
        self.number += 1;
        if self.named.len() < NAMED {
            self.named.push(what());
        }
    }

    /// One sentence each: the number of rows with the first one, the next few, and the number of
    /// further rows.
    pub(super) fn sentences(self, list: &str, used: usize) -> Vec<String> {
        let Self { number, named } = self;
        let all = number + used as u64;
        let mut sentences: Vec<_> = named.iter().map(|row| format!("left out, {row}")).collect();
        if let Some(first) = sentences.first_mut() {
            *first = format!("left out, {number} of {all} rows of {list}: {}", named[0]);
        }
        if number > NAMED as u64 {
            let more = number - NAMED as u64;
            sentences.push(format!("left out, {more} more rows of {list}"));
        }
        sentences
    }
}

/// The images of `labels.jsonl` with their classes' folders, and the rows that are left out.
///
/// # Errors
/// When the file cannot be read, or is a pointer to the list.
pub(super) fn listed(
    list: &Path,
    meta: &DatasetMeta,
) -> Result<(Vec<(PathBuf, String)>, RejectedRows), DatasetError> {
    let base = list.parent().unwrap_or(Path::new(""));
    let bytes = fs_err::read(list)?;
    if let Some(said) = stand_in::said_of(&bytes) {
        return Err(DatasetError::StandIn {
            path: list.to_owned(),
            said,
        });
    }
    let mut labelled = Vec::new();
    let mut left = RejectedRows::default();
    let mut rows_of = HashMap::new();
    for (row, line) in lines_of(&bytes) {
        let image_and_label = row_of(line, meta).and_then(|(image, label)| {
            let image = base.join(image);
            if !image.is_file() {
                return Err(format!(
                    "image not found: {}; paths are read from the folder of labels.jsonl",
                    image.display()
                ));
            }
            // By canonical path: the same file may be written in several ways.
            let file = fs_err::canonicalize(&image).unwrap_or_else(|_| image.clone());
            match rows_of.insert(file, row) {
                Some(first) => Err(format!(
                    "the image {} is on row {first} already; keep one of the two",
                    image.display()
                )),
                None => Ok((image, label)),
            }
        });
        match image_and_label {
            Ok(found) => labelled.push(found),
            Err(why) => left.row(row, &why),
        }
    }
    Ok((labelled, left))
}

/// The lines that are not blank, counted from 1, without byte order marks.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let carriage = !bytes.contains(&b'\n');
    let ends = move |byte: &u8| *byte == b'\n' || carriage && *byte == b'\r';
    let lines = bytes.split(ends).enumerate();
    lines
        .map(|(index, line)| {
            let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            (index + 1, line.trim_ascii())
        })
        .filter(|(_, line)| !line.is_empty())
}

fn row_of(line: &[u8], meta: &DatasetMeta) -> Result<(String, String), String> {
    let record = pairs::row_object(line).map_err(|reason| reason.to_string())?;
    let text = |field: &str| {
        let text = record.get(field).and_then(|value| value.as_str());
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| {
            format!(
                "expected {{\"image\": \"path\", \"label\": \"class\"}}, found no text under \
                 {field:?}; add it"
            )
        })
    };
    let (image, label) = (text("image")?, text("label")?);
    if !meta.classes.is_empty() && !meta.classes.contains_key(&label) {
        return Err(format!(
            "the label {label:?} is not among the classes of meta.json; correct one of the two"
        ));
    }
    Ok((image, label))
}
