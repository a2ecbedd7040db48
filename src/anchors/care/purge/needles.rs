//! The byte strings ("needles") that identify purged pairs and the request, and the search for them.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use fs_err::File;
use serde::Serialize;

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::records::{PairRecord, PairRecords};
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
use crate::disk as fs;
use crate::filter::PairFilter;
use crate::modality::Modality;

/// A text with fewer bytes is found in any file by chance, and is looked for in records only.
const SHORTEST: usize = 6;
/// The length of a vector's prefix, in bytes, that identifies it.
const VECTOR_BYTES: usize = 64;
/// At least this many of them must be nonzero, or the prefix would match any padding.
const VECTOR_LEAST: usize = 24;

/// At most so many bytes of a record identify it.
const RECORD_BYTES: usize = 256;
/// So many bytes of a thumbnail identify it, before its end mark (12 bytes of a PNG, 2 of a JPEG).
const THUMBNAIL_BYTES: usize = 48;
const THUMBNAIL_MARK: usize = 12;

/// The kind of a needle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedleKind {
    /// A pair's id.
    Id,
    /// A pair's caption.
    Caption,
    /// The path of a pair's image.
    Image,
    /// A value of the filter of the request.
    Value,
    /// The beginning of a pair's vector as it is stored.
    Vector,
    /// A pair's record as it is stored: found where its id and its image's name are too short to be.
    Record,
    /// The end of a pair's thumbnail.
    Thumbnail,
}

/// The byte strings that identify purged pairs and the request.
#[derive(Debug, Default)]
pub(crate) struct NeedleSet {
    found: HashMap<Vec<u8>, NeedleKind>,
    /// Texts, without their further forms.
    texts: HashSet<String>,
    /// Needles that live pairs share, or substrings of such values: they may remain on disk.
    pub shared: u64,
    /// Texts too short to be searched for in bytes.
    pub short: u64,
}

/// Where a needle was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeedleTrace {
    /// The file.
    pub file: PathBuf,
    /// What was found there.
    pub kinds: Vec<NeedleKind>,
}

/// The result of a byte search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ByteSearch {
    /// Files that were read to the end.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Byte strings that were searched for: texts as UTF-8 and as JSON writes them, vectors as stored.
    pub needles: u64,
    /// Texts that live pairs share, which were searched for in records only.
    pub shared_with_live_pairs: u64,
    /// Texts too short for the byte search, which were searched for in records only.
    pub too_short: u64,
    /// Where something was found.
    pub found: Vec<NeedleTrace>,
}

impl ByteSearch {
    /// Adds what was found elsewhere with the same needles.
    pub(super) fn join(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.found.extend(other.found);
    }
}

impl NeedleSet {
    /// The needles of the request alone.
    pub(crate) fn of_request(ids: &[String], filter: Option<&PairFilter>) -> Self {
        let mut needles = Self::default();
        needles.add_request(ids, filter);
        needles
    }

    /// Adds the needles of a request.
    pub(crate) fn add_request(&mut self, ids: &[String], filter: Option<&PairFilter>) {
        for id in ids {
            self.text(id, NeedleKind::Id);
        }
        for (_, value) in filter.map(PairFilter::terms).unwrap_or_default() {
            self.text(&value, NeedleKind::Value);
        }
    }

    /// Adds the needles of a stored pair; without a segment, none for its vectors.
    pub(crate) fn add_pair(
        &mut self,
        record: &PairRecord,
        segment: Option<&Segment>,
        local: usize,
    ) {
        self.text(&record.id, NeedleKind::Id);
        self.text(&record.image, NeedleKind::Image);
        for caption in &record.captions {
            self.text(caption, NeedleKind::Caption);
        }
        self.found
            // A needle of the whole record: found even where all of its texts are too short.
            .extend(record_bytes(record).map(|bytes| (bytes, NeedleKind::Record)));
        let Some(segment) = segment else {
            return;
        };
        let picture = thumbnail_end(segment, local);
        self.found
            .extend(picture.map(|bytes| (bytes, NeedleKind::Thumbnail)));
        for modality in Modality::BOTH {
            let vector = vector_start(segment, modality, local);
            self.found.insert(vector, NeedleKind::Vector);
        }
    }

    fn text(&mut self, text: &str, kind: NeedleKind) {
        self.texts.insert(text.to_owned());
        for form in forms(text) {
            // The first kind stays: an id that is a caption too is reported as an id.
            self.found.entry(form.into_bytes()).or_insert(kind);
        }
    }

    /// Whether a line of a list contains one of the texts as a whole word.
    pub(crate) fn is_in_line(&self, line: &str) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // Whole words, since a short id would be part of many other names.
        self.texts.iter().flat_map(|text| forms(text)).any(|form| {
            !form.is_empty()
                && line.match_indices(form.as_str()).any(|(at, _)| {
                    let (before, after) = (&line[..at], &line[at + form.len()..]);
                    !is_word(before.chars().next_back()) && !is_word(after.chars().next())
                })
        })
    }

    /// Whether the search would find one of the texts in this one.
    pub(crate) fn is_in_bytes(&self, text: &str) -> bool {
        let mut forms = forms(text).into_iter();
        // Exactly as the search of file names does, so that what is redacted is what would be found.
        forms.any(|form| !self.in_name(&form).is_empty())
    }

    /// Drops needles that live pairs share.
    ///
    /// # Errors
    /// When a record is damaged.
    pub(crate) fn leave_shared(&mut self, live: &AnchorSet) -> Result<(), AnchorsError> {
        // Short needles first: they would be found in live data by chance and be counted as shared.
        self.found.retain(|needle, kind| {
            let long = match kind {
                NeedleKind::Vector => {
                    // Zeros are also padding, so a prefix of mostly zeros would match anywhere.
                    needle.iter().filter(|byte| **byte != 0).count() >= VECTOR_LEAST
                }
                _ => needle.len() >= SHORTEST,
            };
            self.short += u64::from(!long);
            long
        });
        // Numbered by this list, because the automaton reports positions and the map has no order.
        let patterns: Vec<Vec<u8>> = self.found.keys().cloned().collect();
        let automaton = automaton(&patterns)?;
        let mut shared: HashSet<usize> = HashSet::new();
        let mut mark = |bytes: &[u8]| {
            // Overlapping, or a needle inside another would not be marked as shared.
            let matches = automaton.find_overlapping_iter(bytes);
            shared.extend(matches.map(|m| m.pattern().as_usize()));
        };
        for (segment, local) in live.live_places() {
            let segment = &live.segments()[segment];
            let record = segment.record(local)?;
            // As stored, and as JSON writes it: a needle may extend beyond a value.
            let stored = [&record.id, &record.image, &record.meta];
            for text in stored.into_iter().chain(&record.captions) {
                forms(text).iter().for_each(|form| mark(form.as_bytes()));
            }
            record_bytes(&record).iter().for_each(|bytes| mark(bytes));
            // Pictures of plain areas repeat the same bytes anywhere.
            segment.thumbnail(local)?.into_iter().for_each(&mut mark);
            for modality in Modality::BOTH {
                mark(&vector_start(segment, modality, local));
            }
        }
        // The manifest repeats sources and licences, which live pairs share.
        let manifest = live.manifest();
        for value in manifest.sources.keys().chain(manifest.licences.keys()) {
            forms(value).iter().for_each(|form| mark(form.as_bytes()));
        }
        for name in [&manifest.image_encoder, &manifest.text_encoder] {
            mark(serde_json::json!(name.identity).to_string().as_bytes());
        }
        self.shared += shared.len() as u64;
        for pattern in shared {
            self.found.remove(&patterns[pattern]);
        }
        Ok(())
    }

    /// Reads every file under these folders to its end.
    ///
    /// # Errors
    /// When a file cannot be read: then its content is unknown.
    pub(crate) fn search(&self, folders: &[PathBuf]) -> Result<ByteSearch, AnchorsError> {
        let patterns: Vec<&Vec<u8>> = self.found.keys().collect();
        let automaton = automaton(&patterns)?;
        let mut search = ByteSearch {
            needles: patterns.len() as u64,
            shared_with_live_pairs: self.shared,
            too_short: self.short,
            ..ByteSearch::default()
        };
        for folder in folders {
            // A folder of uploads or a cache may never have existed.
            if fs::found(folder)?.is_none() {
                continue;
            }
            for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
                let entry = entry.map_err(std::io::Error::from)?;
                // Names of folders and links count as well, although only files are read.
                let mut kinds = self.in_name(&entry.file_name().to_string_lossy());
                if entry.file_type().is_file() {
                    search.files += 1;
                    search.bytes += entry.metadata().map_err(std::io::Error::from)?.len();
                    kinds.extend(self.in_file(entry.path(), &automaton, &patterns)?);
                }
                kinds.sort_unstable();
                kinds.dedup();
                if !kinds.is_empty() {
                    let file = entry.into_path();
                    search.found.push(NeedleTrace { file, kinds });
                }
            }
        }
        Ok(search)
    }

    fn in_name(&self, name: &str) -> Vec<NeedleKind> {
        // Vectors are bytes and cannot stand in a name.
        let contains = |needle: &[u8]| std::str::from_utf8(needle).is_ok_and(|n| name.contains(n));
        // The file of an image has its name, and is not a trace of it: pictures are deleted or told by themselves.
        let mut found: Vec<_> = self.found.iter().collect();
        found.retain(|(needle, kind)| **kind != NeedleKind::Image && contains(needle));
        let found = found.into_iter();
        found.map(|(_, kind)| *kind).collect()
    }

    fn in_file(
        &self,
        path: &Path,
        automaton: &AhoCorasick,
        patterns: &[&Vec<u8>],
    ) -> Result<Vec<NeedleKind>, AnchorsError> {
        let mut kinds = HashSet::new();
        // Streamed: files may be larger than memory, and a match may lie across two reads.
        for found in automaton.stream_find_iter(BufReader::new(File::open(path)?)) {
            kinds.extend(self.found.get(patterns[found?.pattern().as_usize()]));
        }
        Ok(kinds.into_iter().collect())
    }
}

fn automaton<P: AsRef<[u8]>>(patterns: &[P]) -> Result<AhoCorasick, AnchorsError> {
    AhoCorasick::new(patterns).map_err(|error| std::io::Error::other(error).into())
}

/// The forms of a text in files: plain, as JSON writes it, and as messages quote it.
fn forms(text: &str) -> Vec<String> {
    let json = |text: &str| {
        // Without the quotation marks, for the text may stand inside a longer string.
        let quoted = serde_json::json!(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let quoted = format!("{text:?}");
    let quoted = &quoted[1..quoted.len() - 1];
    let mut forms = vec![text.to_owned(), json(text), quoted.to_owned(), json(quoted)];
    forms.sort();
    forms.dedup();
    forms
}

/// A record as it is stored, from its beginning: its id, its image's name and captions.
fn record_bytes(record: &PairRecord) -> Option<Vec<u8>> {
    let mut bytes = PairRecords::encoded(record).ok()?;
    bytes.truncate(RECORD_BYTES);
    Some(bytes)
}

/// The last bytes of a thumbnail before its end mark; the first are those of its format.
fn thumbnail_end(segment: &Segment, local: usize) -> Option<Vec<u8>> {
    let bytes = segment.thumbnail(local).ok()??;
    let end = bytes.len().checked_sub(THUMBNAIL_MARK)?;
    Some(bytes[end.checked_sub(THUMBNAIL_BYTES)?..end].to_vec())
}

fn vector_start(segment: &Segment, modality: Modality, local: usize) -> Vec<u8> {
    let vector = segment.vectors(modality).vector(local);
    let bytes = vector.iter().flat_map(|x| x.to_le_bytes());
    bytes.take(VECTOR_BYTES).collect()
}
