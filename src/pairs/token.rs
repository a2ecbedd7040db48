//! Token files of Flickr8k and Flickr30k: `image.jpg#0`, a tab and a caption on each line.
//!
//! All lines of an image are one pair, whose row is the first of them. They need not follow one another, so the texts of
//! the whole file are in memory while it is read.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::input::{self, ListText};
use super::layout::image_folder;
use super::lines::{LineOutcome, MAX_LINE_BYTES, next_line};
use super::path_text::path_of;
use super::source::{DraftIterator, PairDraft, PairSource};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection, record};

/// A file whose lines are counted.
struct TokenFile {
    path: PathBuf,
    rows: u64,
    base: PathBuf,
}

/// Counts the lines that are not blank.
pub(super) fn open(path: &Path, _: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    let mut names: Vec<String> = Vec::new();
    let mut rows = 0;
    for draft in TokenReader::open(path, PathBuf::new())? {
        match draft {
            Ok(draft) => {
                rows += draft.rows;
                names.push(draft.written);
                names.truncate(100);
            }
            Err(_) => rows += 1,
        }
    }
    let base = image_folder(path, names.iter().map(String::as_str));
    let path = path.to_owned();
    Ok(Box::new(TokenFile { path, rows, base }))
}

impl PairSource for TokenFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn is_confined(&self) -> bool {
        true
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        let lines = TokenReader::open(&self.path, self.base.clone())?;
        Ok(Box::new(joined(lines).into_iter()))
    }
}

/// Reads a token file line by line.
struct TokenReader {
    input: ListText,
    path: PathBuf,
    base: PathBuf,
    line: Vec<u8>,
    row: u64,
    ended: bool,
}

impl TokenReader {
    fn open(path: &Path, base: PathBuf) -> io::Result<Self> {
        Ok(Self {
            input: input::open(path)?,
            path: path.to_owned(),
            base,
            line: Vec::new(),
            row: 0,
            ended: false,
        })
    }

    /// The image and the captions of the line that was read last.
    fn parts(&self) -> Result<(String, Vec<String>), RowRejection> {
        let line = str::from_utf8(&self.line).map_err(|error| RowRejection::Utf8 {
            at: error.valid_up_to() + 1,
        })?;
        let parts = line.split_once('\t').and_then(|(name, caption)| {
            let (name, number) = name.trim().rsplit_once('#')?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && !name.is_empty()).then_some((name, caption))
        });
        let (name, caption) = parts.ok_or_else(|| RowRejection::Type {
            what: "the line".to_owned(),
            expected: "`image.jpg#0`, a tab and a caption",
            found: "other text",
        })?;
        Ok((name.to_owned(), record::trimmed([caption.to_owned()])?))
    }

    /// The next line as a draft of its own; `None` at the end.
    fn row(&mut self) -> Option<Result<PairDraft, RowError>> {
        loop {
            let found = next_line(&mut self.input, &mut self.line, MAX_LINE_BYTES);
            self.row += 1;
            let parts = match found {
                Ok(LineOutcome::End) => return None,
                Ok(LineOutcome::Whole) if self.line.trim_ascii().is_empty() => continue,
                Ok(LineOutcome::Whole) => self.parts(),
                Ok(LineOutcome::TooLong) => Err(RowRejection::TooLong {
                    limit: MAX_LINE_BYTES,
                }),
                Err(error) => {
                    self.ended = true;
                    Err(RowRejection::broken(error))
                }
            };
            let origin = PairOrigin {
                file: self.path.clone(),
                row: Some(self.row),
            };
            return Some(match parts {
                Ok((written, captions)) => Ok(PairDraft {
                    id: None,
                    image: self.base.join(path_of(&written)).into(),
                    written,
                    base: self.base.clone(),
                    captions,
                    meta: Map::new(),
                    origin,
                    rows: 1,
                }),
                Err(reason) => Err(RowError { origin, reason }),
            });
        }
    }
}

/// The pairs and the lines that cannot be used, in the order of their first lines.
fn joined(lines: TokenReader) -> Vec<Result<PairDraft, RowError>> {
    let mut rows: Vec<Result<PairDraft, RowError>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in lines {
        match line {
            Ok(draft) => match places.get(&draft.written).map(|place| &mut rows[*place]) {
                Some(Ok(first)) => {
                    first.captions.extend(draft.captions);
                    first.rows += 1;
                }
                _ => {
                    places.insert(draft.written.clone(), rows.len());
                    rows.push(Ok(draft));
                }
            },
            Err(error) => rows.push(Err(error)),
        }
    }
    rows
}

impl Iterator for TokenReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.row();
        self.ended |= row.is_none();
        row
    }
}

#[cfg(test)]
mod tests {
    use crate::pairs::tests::{folder, ids, read};

    #[test]
    fn captions_of_one_image_are_one_pair_found_where_flickr_has_it() {
        let text = b"1.jpg#0\tA dog .\n1.jpg#1\tA hound\t.\n\n2.jpg#0\tA cat .\nno tab\n3.jpg#0\tgone\n../4.jpg#0\tx\n\
            1.jpg#2\tapart\n";
        for name in ["Flickr8k.token.txt", "results_20130124.token", "r.token.gz"] {
            let dir = folder(&[
                (&format!("text/{name}"), text),
                ("text/Flicker8k_Dataset/1.jpg", b""),
                ("text/Flicker8k_Dataset/2.jpg", b""),
                ("text/4.jpg", b""),
            ]);
            let (pairs, errors) = read(&dir.path().join("text").join(name));
            assert_eq!(ids(&pairs), ["1.jpg", "2.jpg"], "{errors:?}");
            assert_eq!(pairs[0].captions, ["A dog .", "A hound\t.", "apart"]);
            assert_eq!(pairs[1].origin.row, Some(4));
            assert!(
                errors[0].contains("row 5: the line: expected `image.jpg#0`"),
                "{errors:?}"
            );
            assert!(errors[1].contains("not found"), "{errors:?}");
            assert!(errors[2].contains("outside the folder"), "{errors:?}");
        }
    }
}
