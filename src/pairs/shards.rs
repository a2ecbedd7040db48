//! WebDataset shards: tar archives whose members are the images, texts and records of pairs.
//!
//! Members that follow one another and share their name up to the first dot behind the last slash are one pair:
//! `000012.jpg` with `000012.txt`, `000012.json` or both. The text is read as one beside a file is; without it the
//! captions are those of the JSON object, whose other fields become meta. Archives are read member by member and
//! never unpacked. The image of a plain archive stays where it is ([`ImageSource::Part`]); that of one that is compressed
//! with gzip or zstd is held until it is encoded. A name within an archive is never a path on the disk.

mod members;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use self::members::{ShardFault, ShardMember, ShardMembers};
use super::endings::IMAGE_EXTENSIONS;
use super::jsonl::object_of;
use super::lines::MAX_LINE_BYTES;
use super::pair::CAPTION_NAMES;
use super::path_text::text_of;
use super::source::{DraftIterator, PairDraft, PairSource, base_of};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection, record};
use crate::image_source::{FilePart, ImageSource};

/// The largest image of a compressed archive, in bytes; it is held in memory.
const MAX_HELD_BYTES: u64 = 64 << 20;

/// An archive whose members are counted.
struct ShardFile {
    path: PathBuf,
    options: PairOptions,
    rows: u64,
}

/// Goes through the members, to count the pairs. In a plain archive only their headers are read.
pub(super) fn open(path: &Path, options: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    let options = PairOptions {
        // Its images are members.
        image_column: None,
        ..options.clone()
    };
    let mut reader = ShardReader::open(path, options.clone())?;
    reader.is_counting = true;
    let rows = reader.count() as u64;
    let path = path.to_owned();
    Ok(Box::new(ShardFile {
        path,
        options,
        rows,
    }))
}

impl PairSource for ShardFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        Ok(Box::new(ShardReader::open(
            &self.path,
            self.options.clone(),
        )?))
    }
}

/// Reads an archive pair by pair.
struct ShardReader {
    members: ShardMembers,
    path: PathBuf,
    options: PairOptions,
    base: PathBuf,
    /// The member behind the pair that was read last.
    ahead: Option<ShardMember>,
    /// The pairs that were begun.
    row: u64,
    is_counting: bool,
    ended: bool,
}

/// The members of one pair.
#[derive(Default)]
struct ShardSample {
    key: Vec<u8>,
    /// The endings of its members, as they are written.
    endings: HashSet<Vec<u8>>,
    image: Option<(Vec<u8>, ImageSource)>,
    captions: Option<Vec<String>>,
    record: Option<Map<String, Value>>,
    /// What is wrong with the first member that cannot be used.
    fault: Option<(Vec<u8>, RowRejection)>,
}

impl ShardReader {
    fn open(path: &Path, options: PairOptions) -> io::Result<Self> {
        Ok(Self {
            members: ShardMembers::open(path)?,
            path: path.to_owned(),
            options,
            base: base_of(path),
            ahead: None,
            row: 0,
            is_counting: false,
            ended: false,
        })
    }

    /// The next pair's members.
    fn sample(&mut self) -> Result<Option<ShardSample>, ShardFault> {
        let mut sample = ShardSample::default();
        loop {
            let member = match self.ahead.take() {
                Some(member) => Some(member),
                None => self.members.next()?,
            };
            let Some(member) = member else {
                return Ok((!sample.key.is_empty()).then_some(sample));
            };
            let (key, ending) = split_name(&member.name);
            // A name that comes again begins another pair: archives can be appended to, and its text would
            // otherwise be that of the first image.
            let is_new = sample.endings.insert(ending.to_vec());
            if sample.key.is_empty() {
                sample.key = key.to_vec();
            } else if sample.key != key || !is_new {
                self.ahead = Some(member);
                return Ok(Some(sample));
            }
            self.take(member, &mut sample)?;
        }
    }

    fn take(&mut self, member: ShardMember, sample: &mut ShardSample) -> Result<(), ShardFault> {
        if self.is_counting {
            return Ok(());
        }
        let (_, ending) = split_name(&member.name);
        let ending = String::from_utf8_lossy(ending).to_ascii_lowercase();
        let is_image = IMAGE_EXTENSIONS.contains(&ending.as_str());
        if member.is_link {
            if is_image || ["txt", "json"].contains(&ending.as_str()) {
                let fault = (member.name, RowRejection::MemberIsLink);
                sample.fault.get_or_insert(fault);
            }
        } else if is_image && let Some((first, _)) = &sample.image {
            let first = String::from_utf8_lossy(first).into_owned();
            let reason = RowRejection::SecondImageMember { first };
            sample.fault.get_or_insert((member.name, reason));
        } else if is_image {
            let name = text_of(Path::new(&OsString::from_vec(member.name.clone())));
            let image = match self.members.is_plain() {
                true => ImageSource::Part(FilePart {
                    file: self.path.clone(),
                    name,
                    at: member.at,
                    length: member.length,
                }),
                false if member.length > MAX_HELD_BYTES => {
                    sample.refuse(member, MAX_HELD_BYTES);
                    return Ok(());
                }
                false => ImageSource::Bytes {
                    bytes: self.members.content(&member)?.into(),
                    name,
                },
            };
            sample.image = Some((member.name, image));
        } else if ["txt", "json"].contains(&ending.as_str()) {
            if member.length > MAX_LINE_BYTES as u64 {
                sample.refuse(member, MAX_LINE_BYTES as u64);
                return Ok(());
            }
            let content = self.members.content(&member)?;
            let read = match ending.as_str() {
                "txt" => record::texts_of_file(&content).map(|read| sample.captions = Some(read)),
                _ => object_of(&content).map(|read| sample.record = Some(read)),
            };
            if let Err(reason) = read {
                sample.fault.get_or_insert((member.name, reason));
            }
        }
        Ok(())
    }

    fn draft(&self, sample: ShardSample) -> Result<PairDraft, RowError> {
        let origin = |name: &[u8]| {
            let mut file = self.path.clone().into_os_string();
            file.push(": ");
            file.push(OsString::from_vec(name.to_vec()));
            PairOrigin {
                file: file.into(),
                row: Some(self.row),
            }
        };
        let refused = |name: &[u8], reason| {
            let origin = origin(name);
            Err(RowError { origin, reason })
        };
        if let Some((name, reason)) = sample.fault {
            return refused(&name, reason);
        }
        let Some((name, image)) = sample.image else {
            return refused(&sample.key, RowRejection::NoImageMember);
        };
        let mut object = sample.record.unwrap_or_default();
        // A field that is asked for by name comes before the text.
        let captions = sample
            .captions
            .filter(|_| self.options.caption_column.is_none());
        if let Some(captions) = captions {
            // The same text as a rule; else it is kept beside.
            for name in CAPTION_NAMES {
                let is_same = |value: &Value| {
                    value.as_str().map(str::trim) == captions.first().map(String::as_str)
                };
                if object.get(*name).is_some_and(is_same) {
                    object.remove(*name);
                } else if let Some(other) = object.remove(*name) {
                    object.insert(format!("{name}.json"), other);
                }
            }
            object.insert(CAPTION_NAMES[0].to_owned(), captions.into());
        }
        let written = match &image {
            ImageSource::Part(part) => part.name.clone(),
            other => other.to_string(),
        };
        record::with_image(
            object,
            image,
            written,
            &self.options,
            &self.base,
            origin(&name),
        )
    }
}

impl ShardSample {
    /// A member that is larger than any that is read.
    fn refuse(&mut self, member: ShardMember, limit: u64) {
        let reason = RowRejection::MemberTooLarge {
            bytes: member.length,
            limit,
        };
        self.fault.get_or_insert((member.name, reason));
    }
}

impl Iterator for ShardReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let sample = self.sample();
        self.row += 1;
        let reason = match sample {
            Ok(None) => return None,
            Ok(Some(sample)) if self.is_counting => {
                drop(sample);
                RowRejection::NoImageMember
            }
            Ok(Some(sample)) => return Some(self.draft(sample)),
            Err(ShardFault::Io(error)) => {
                self.ended = true;
                RowRejection::broken(error)
            }
            Err(ShardFault::Form(message)) => {
                self.ended = true;
                RowRejection::Malformed { message }
            }
        };
        let origin = PairOrigin {
            file: self.path.clone(),
            row: Some(self.row),
        };
        Some(Err(RowError { origin, reason }))
    }
}

/// The name of a pair and the ending of a member, as `webdataset` divides them: at the first dot behind the last slash.
fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    let from = name
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |at| at + 1);
    match name[from..].iter().skip(1).position(|&byte| byte == b'.') {
        Some(at) => (&name[..from + at + 1], &name[from + at + 2..]),
        None => (name, b""),
    }
}

#[cfg(test)]
mod tests;
