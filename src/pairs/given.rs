//! Pairs in memory, with the fields of a list's records.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::lines::MAX_LINE_BYTES;
use super::pair::IMAGE_NAMES;
use super::record;
use super::source::{DraftIterator, NamedSource, PairSource};
use super::{PairOptions, PairOrigin, PairReader, RowError, RowRejection};
use crate::image_source::ImageSource;

/// A pair provided by the caller.
#[derive(Debug, Clone)]
pub struct GivenPair {
    /// The image; its path or name is what an id is made of where the record has none.
    pub image: ImageSource,
    /// Everything else, as an object of a JSONL file has it: `captions`, perhaps `id`, and more.
    pub fields: Map<String, Value>,
}

/// Reads the caller's pairs like the rows of a list called `list`: the same rules for
/// ids, captions and sizes, and the same reasons for skipped rows. Rows are counted from 1.
pub fn given(list: PathBuf, pairs: Vec<GivenPair>) -> PairReader {
    let source = GivenSource {
        rows: pairs.len() as u64,
        list: list.clone(),
        pairs,
    };
    PairReader::new(
        vec![NamedSource {
            path: list,
            source: Box::new(source),
            listed: None,
        }],
        &PairOptions::default(),
        |_| false,
    )
}

struct GivenSource {
    list: PathBuf,
    pairs: Vec<GivenPair>,
    rows: u64,
}

impl PairSource for GivenSource {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        // The list is read once, so the pairs move out instead of being copied.
        let file = std::mem::take(&mut self.list);
        let pairs = std::mem::take(&mut self.pairs).into_iter().zip(1..);
        Ok(Box::new(pairs.map(move |(pair, row)| {
            let file = file.clone();
            let row = Some(row);
            let GivenPair { image, mut fields } = pair;
            // The record needs a name for ids and messages; the image itself is set below.
            fields.insert(IMAGE_NAMES[0].to_owned(), image.to_string().into());
            let origin = PairOrigin { file, row };
            // The limit of a line of a file, so that what is accepted here can be written as a list.
            if serde_json::json!(fields).to_string().len() > MAX_LINE_BYTES {
                let limit = MAX_LINE_BYTES;
                let reason = RowRejection::TooLong { limit };
                return Err(RowError { origin, reason });
            }
            let mut draft =
                record::from_json(fields, &PairOptions::default(), Path::new(""), origin)?;
            draft.image = image;
            Ok(draft)
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_pairs_are_read_as_rows_of_a_list_are() {
        let pair = |fields: Value| GivenPair {
            image: ImageSource::Bytes {
                name: "far/a.jpg".to_owned(),
                bytes: [1, 2].into(),
            },
            fields: fields.as_object().unwrap().clone(),
        };
        let pairs = vec![
            pair(serde_json::json!({"captions": [" one ", ""], "id": "x", "source": "s"})),
            pair(serde_json::json!({"captions": ["two"], "id": "x"})),
            pair(serde_json::json!({"captions": ["three"], "file_name": "b.jpg"})),
            pair(serde_json::json!({"caption": "four"})),
            pair(serde_json::json!({"caption": "x".repeat(MAX_LINE_BYTES)})),
        ];
        let mut reader = given("upload".into(), pairs);
        assert_eq!(reader.expected_rows(), Some(5));
        let (good, bad): (Vec<_>, Vec<_>) = (&mut reader).partition(Result::is_ok);
        assert_eq!(reader.rows_read(), 5);
        let good: Vec<_> = good.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            (good[0].id.as_str(), good[1].id.as_str()),
            ("x", "far/a.jpg")
        );
        assert_eq!(good[0].captions, ["one"]);
        assert_eq!(good[0].meta.len(), 1);
        assert_eq!(good[0].image.held_bytes(), 2);
        let said: Vec<_> = bad
            .into_iter()
            .map(|row| row.unwrap_err().to_string())
            .collect();
        assert_eq!(
            said[0],
            "upload, row 2: duplicate id \"x\", first used in upload, row 1; ids must be unique, so \
             rename one"
        );
        assert!(
            said[1].starts_with("upload, row 3: \"image\" and \"file_name\" both"),
            "{said:?}"
        );
        assert!(
            said[2].starts_with("upload, row 5: longer than"),
            "{said:?}"
        );
    }
}
