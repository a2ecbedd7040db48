//! Several sources in order: assigns ids and checks each image.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;

use super::beside::NormalizedNames;
use super::folder::FolderTest;
use super::layout::is_within;
use super::path_text::path_of;
use super::source::{DraftIterator, NamedSource, PairDraft, look_for};
use super::{CaptionChoice, Pair, PairOptions, PairOrigin, RowError, RowRejection, folder};
use crate::image_source::ImageSource;
use crate::printable;

/// The pairs of several sources, in the order of the sources and of their rows. Made by
/// [`super::open`].
///
/// Memory does not grow with the captions: of each pair only a hash of its id and its place are
/// kept (about 60 bytes), to detect duplicate ids.
pub struct PairReader {
    sources: Vec<NamedSource>,
    /// The source being read; [`PairReader::sources`]`.len()` when all are done.
    current: usize,
    drafts: Option<DraftIterator>,
    ids: HashMap<IdHash, SeenId>,
    /// The images named so far by a list that was found in a folder.
    named: HashSet<PathHash>,
    stored_names: NormalizedNames,
    /// Whether the list is finished and the entries that it does not name are being read.
    list_done: bool,
    /// Folders that are not part of a source.
    is_apart: FolderTest,
    rows_read: u64,
    pairs_read: u64,
    captions: CaptionChoice,
    allow_outside: bool,
    /// Further pairs of the row that was read last.
    pending: VecDeque<Pair>,
}

/// The first half of the id's BLAKE3 hash: at ten million ids, two different ones meet with a
/// probability under 1e-24.
type IdHash = [u8; 16];
/// The same hash of a canonical path.
type PathHash = IdHash;

/// Where an id was first used, and the highest number appended to it so far.
#[derive(Debug)]
struct SeenId {
    source: u32,
    row: Option<u64>,
    last: u64,
}

impl PairReader {
    pub(super) fn new(
        sources: Vec<NamedSource>,
        options: &PairOptions,
        is_apart: FolderTest,
    ) -> Self {
        Self {
            captions: options.captions,
            allow_outside: options.allow_outside,
            pending: VecDeque::new(),
            sources,
            current: 0,
            drafts: None,
            ids: HashMap::new(),
            named: HashSet::new(),
            stored_names: NormalizedNames::default(),
            list_done: false,
            is_apart,
            rows_read: 0,
            pairs_read: 0,
        }
    }

    /// Rows that the sources held when they were opened (for a folder: images). The reader yields
    /// at most this many items, fewer where rows of a CSV file become one pair, and one more for each
    /// image of a folder that its list does not name, and for each further caption where each makes a pair.
    pub fn expected_rows(&self) -> Option<u64> {
        Some(self.sources.iter().map(|named| named.source.rows()).sum())
    }

    /// Rows read so far, to be compared with [`PairReader::expected_rows`].
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Pairs yielded so far.
    pub fn pairs_read(&self) -> u64 {
        self.pairs_read
    }

    /// The next draft of the current source; `None` when it has ended.
    fn draft(&mut self) -> Option<Result<PairDraft, RowError>> {
        let named = &mut self.sources[self.current];
        let drafts = match &mut self.drafts {
            Some(drafts) => drafts,
            none => match named.source.drafts() {
                Ok(started) => none.insert(started),
                Err(error) => {
                    let origin = PairOrigin {
                        file: named.path.clone(),
                        row: None,
                    };
                    let reason = RowRejection::broken(error);
                    // The error is told once; the source then has no more rows.
                    self.drafts = Some(Box::new(std::iter::empty()));
                    return Some(Err(RowError { origin, reason }));
                }
            },
        };
        drafts.next()
    }

    fn finish(&mut self, draft: PairDraft) -> Result<Pair, RowError> {
        let PairDraft {
            id,
            written,
            base,
            image,
            captions,
            meta,
            origin,
            ..
        } = draft;
        if let (ImageSource::File(path), true) = (&image, self.leaves_folder(&written)) {
            let reason = RowRejection::ImageOutside { path: path.clone() };
            return Err(RowError { origin, reason });
        }
        let image = match image {
            ImageSource::File(path) => self.stored_names.stored(path).into(),
            held => held,
        };
        let id = match id {
            // A row whose image is missing must not claim an id that a valid row could use.
            Some(id) => look_for(&image, &written).and_then(|()| self.claim(id, &origin)),
            None => {
                // A derived id is taken even if the image is missing, so that numbers do not depend on which files
                // exist.
                let id = self.derive(&printable::line(&written), &origin);
                look_for(&image, &written).map(|()| id)
            }
        };
        match id {
            Ok(id) => Ok(Pair {
                id,
                image,
                image_name: written,
                image_base: base,
                captions,
                meta,
                origin,
            }),
            Err(reason) => Err(RowError { origin, reason }),
        }
    }

    /// Whether a list that comes with its pictures names an image elsewhere.
    fn leaves_folder(&self, written: &str) -> bool {
        let named = &self.sources[self.current];
        let is_confined = named.listed.is_some() || named.source.is_confined();
        is_confined && !self.allow_outside && !is_within(&path_of(written))
    }

    /// The first of the pairs that the captions of an image make; the others come next.
    fn divide(&mut self, mut pair: Pair) -> Pair {
        let mut divided = self
            .captions
            .of(std::mem::take(&mut pair.captions))
            .into_iter();
        pair.captions = divided.next().unwrap_or_default();
        for captions in divided {
            let id = self.derive(&pair.id, &pair.origin);
            let more = Pair {
                id,
                captions,
                ..pair.clone()
            };
            self.pending.push_back(more);
        }
        pair
    }

    fn claim(&mut self, id: String, origin: &PairOrigin) -> Result<String, RowRejection> {
        let place = self.place(origin);
        match self.ids.entry(hash(&id)) {
            Entry::Vacant(free) => {
                free.insert(place);
                Ok(id)
            }
            Entry::Occupied(taken) => {
                let SeenId { source, row, .. } = *taken.get();
                let file = self.sources[source as usize].path.clone();
                Err(RowRejection::DuplicateId {
                    id,
                    first: PairOrigin { file, row },
                })
            }
        }
    }

    fn derive(&mut self, written: &str, origin: &PairOrigin) -> String {
        loop {
            let place = self.place(origin);
            let number = match self.ids.entry(hash(written)) {
                Entry::Vacant(free) => {
                    free.insert(place);
                    return written.to_owned();
                }
                Entry::Occupied(mut taken) => {
                    // Counted at the first use, so that many equal names do not try all numbers from 1 again.
                    taken.get_mut().last += 1;
                    taken.get().last
                }
            };
            // A record may have this text as its explicit id; then the next number is tried.
            let id = format!("{written}#{number}");
            let place = self.place(origin);
            if let Entry::Vacant(free) = self.ids.entry(hash(&id)) {
                free.insert(place);
                return id;
            }
        }
    }

    fn place(&self, origin: &PairOrigin) -> SeenId {
        // More sources than u32 counts cannot be named on a command line.
        let source = u32::try_from(self.current).unwrap_or(u32::MAX);
        SeenId {
            source,
            row: origin.row,
            last: 1,
        }
    }
}

impl Iterator for PairReader {
    type Item = Result<Pair, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(pair) = self.pending.pop_front() {
            self.pairs_read += 1;
            return Some(Ok(pair));
        }
        while self.current < self.sources.len() {
            match self.draft() {
                Some(Ok(draft)) => {
                    self.rows_read += draft.rows;
                    if self.sources[self.current].listed.is_some() {
                        // Only a list in a folder needs them, to tell what it leaves out.
                        self.named.extend(draft.image.path().and_then(path_hash));
                    }
                    let pair = self.finish(draft).map(|pair| self.divide(pair));
                    self.pairs_read += u64::from(pair.is_ok());
                    return Some(pair);
                }
                Some(Err(error)) => {
                    // Entries that the list leaves out are no rows of it.
                    self.rows_read += u64::from(!self.list_done);
                    return Some(Err(error));
                }
                None => match self.sources[self.current].listed.clone() {
                    Some((folder, list)) if !self.list_done => {
                        // Moved, for the names of one list have no meaning for the next source.
                        let named = std::mem::take(&mut self.named);
                        let is_named =
                            move |path: &Path| path_hash(path).is_some_and(|h| named.contains(&h));
                        self.list_done = true;
                        self.drafts =
                            Some(folder::not_listed(&folder, list, self.is_apart, is_named));
                    }
                    _ => {
                        self.drafts = None;
                        self.list_done = false;
                        self.current += 1;
                    }
                },
            }
        }
        None
    }
}

fn hash(id: &str) -> IdHash {
    half_hash(id.as_bytes())
}

fn half_hash(bytes: &[u8]) -> IdHash {
    let mut half = IdHash::default();
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    half
}

/// `None` for a missing file.
fn path_hash(path: &Path) -> Option<PathHash> {
    let path = fs_err::canonicalize(path).ok()?;
    Some(half_hash(path.as_os_str().as_encoded_bytes()))
}
