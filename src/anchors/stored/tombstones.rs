//! Which pairs of a generation's segments are removed.
//!
//! Segments are never changed; a removal is a small file beside the manifest, `gNNNNNN.del`, in the
//! section container of [`asif_index::container`]:
//!
//! | section | bytes | content |
//! |---|---|---|
//! | `pairs` | m * 8 | u64 `[m]`: the stored pairs of the manifest's first m segments |
//! | `rows` | sum of 8 * ceil(pairs / 64) | u64 words, segment after segment: bit `i % 64` of word `i / 64` is 1 where pair i is removed |
//! | `image` | image dim * 16 | i128: the sum of the removed pairs' image vectors, in units of 2^-64 |
//! | `text` | text dim * 16 | the same of their text vectors |
//!
//! Segments after the first m have no removed pairs, so adding pairs needs no new file. The sums
//! are exact integers: subtracted from the segments' sums they leave, bit for bit, what
//! an anchor set without the removed pairs would have.

use std::path::Path;

use asif_index::IdSet;
use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;

use super::manifest::SegmentEntry;
use crate::anchors::error::AnchorsError;
use crate::modality::{Modality, PerModality};
use crate::space::vector::VectorSum;

pub use super::rows::LiveRows;

/// The file kind in the container's header.
pub(crate) const KIND: [u8; 8] = *b"ASIFGONE";
const PAIRS: &str = "pairs";
const ROWS: &str = "rows";

/// The removed pairs of a generation.
#[derive(Debug, Clone)]
pub(crate) struct Tombstones {
    /// For each covered segment its removed pairs.
    segments: Vec<IdSet>,
    sums: PerModality<VectorSum>,
}

impl Tombstones {
    /// No removed pairs, for vectors of these dimensions.
    pub(crate) fn none(dims: PerModality<usize>) -> Self {
        Self {
            segments: Vec::new(),
            sums: dims.map(VectorSum::new),
        }
    }

    /// Marks pair `row` of segment number `segment` as removed; false when it was already, or there is no
    /// such pair.
    ///
    /// `entries` are the manifest's segments, `segment` is one of them, `vectors` the pair's image and text
    /// vector.
    pub(crate) fn remove(
        &mut self,
        entries: &[SegmentEntry],
        segment: usize,
        row: usize,
        vectors: PerModality<&[f32]>,
    ) -> bool {
        // Segments that were added after the last removal are not covered yet.
        for entry in entries.iter().take(segment + 1).skip(self.segments.len()) {
            self.segments.push(IdSet::none(entry.pairs as usize));
        }
        let removed = &mut self.segments[segment];
        if removed.contains(row) || !removed.insert(row) {
            return false;
        }
        // Kept beside the bits: the sums of live pairs need no vector to be read again.
        for (sum, vector) in self.sums.as_mut().zip(vectors) {
            sum.add(vector);
        }
        true
    }

    /// Drops segments without live pairs, so that they need not be kept.
    ///
    /// `entries` loses them too; `sums` are those of each segment, in the order of `entries`.
    pub(crate) fn drop_empty(
        &mut self,
        entries: &mut Vec<SegmentEntry>,
        sums: &[PerModality<&VectorSum>],
    ) {
        let gone = |removed: &IdSet| removed.count() == removed.len();
        let gone: Vec<bool> = (0..entries.len())
            .map(|i| self.segments.get(i).is_some_and(gone))
            .collect();
        for (i, _) in gone.iter().enumerate().filter(|(_, gone)| **gone) {
            for (sum, whole) in self.sums.as_mut().zip(sums[i]) {
                // The whole segment leaves the set, and its removed pairs leave the sum of removed ones.
                sum.subtract(whole);
            }
        }
        let mut at = gone.iter();
        entries.retain(|_| at.next() == Some(&false));
        let mut at = gone.iter();
        self.segments.retain(|_| at.next() == Some(&false));
        // Trailing segments without removals are implied; writing them would change the file for nothing.
        while self
            .segments
            .last()
            .is_some_and(|removed| removed.count() == 0)
        {
            self.segments.pop();
        }
    }

    /// How many pairs are removed.
    pub(crate) fn count(&self) -> u64 {
        self.segments.iter().map(|s| s.count() as u64).sum()
    }

    /// The live pairs of segments of these sizes.
    pub(crate) fn live(&self, stored: &[usize]) -> LiveRows {
        let firsts = stored.iter().scan(0, |next, n| {
            let first = *next;
            *next += n;
            Some(first)
        });
        let removed = self
            .segments
            .iter()
            .zip(firsts)
            .flat_map(|(removed, first)| removed.iter().map(move |row| first + row));
        LiveRows::without(stored.iter().sum(), removed)
    }

    /// The sums of the removed pairs' image and text vectors.
    pub(crate) fn sums(&self) -> &PerModality<VectorSum> {
        &self.sums
    }

    /// Writes them to `path`, durably.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn write(&self, path: &Path) -> Result<(), AnchorsError> {
        let mut file = ContainerWriter::create(path, KIND)?;
        let le = |numbers: &mut dyn Iterator<Item = u64>| -> Vec<u8> {
            numbers.flat_map(u64::to_le_bytes).collect()
        };
        file.section(
            PAIRS,
            &le(&mut self.segments.iter().map(|s| s.len() as u64)),
        )?;
        let words = self.segments.iter().flat_map(|s| s.words().iter().copied());
        file.section(ROWS, &le(&mut words.into_iter()))?;
        for modality in Modality::BOTH {
            let sum = &self.sums[modality];
            let bytes: Vec<u8> = sum.sums().iter().flat_map(|s| s.to_le_bytes()).collect();
            file.section(modality.name(), &bytes)?;
        }
        file.finish()?;
        Ok(())
    }

    /// Reads them and checks everything: they are small, and every answer depends on them.
    ///
    /// # Errors
    /// When the file is damaged or inconsistent with these segments.
    pub(crate) fn read(
        path: &Path,
        entries: &[SegmentEntry],
        dims: PerModality<usize>,
    ) -> Result<Self, AnchorsError> {
        let damaged = |what: String| AnchorsError::Damaged {
            path: path.to_owned(),
            what,
        };
        let file = MappedFile::open(path)?;
        let container = Container::open(file.bytes(), path, KIND)?;
        container.verify()?;
        let numbers = |name: &str| -> Result<Vec<u64>, AnchorsError> {
            let (numbers, rest) = container.section(name)?.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(damaged(format!("section `{name}` is not a list of u64")));
            }
            Ok(numbers.iter().map(|b| u64::from_le_bytes(*b)).collect())
        };
        let pairs = numbers(PAIRS)?;
        let stated = entries.iter().map(|e| e.pairs);
        // The list may be shorter than the manifest's, but what it covers must be the same segments.
        if pairs.len() > entries.len() || !pairs.iter().copied().eq(stated.take(pairs.len())) {
            let what = format!("it is for segments of {pairs:?} pairs, unlike the manifest");
            return Err(damaged(what));
        }
        let rows = numbers(ROWS)?;
        // Words, since each segment starts at a word of its own.
        let expected: u64 = pairs.iter().map(|n| n.div_ceil(64)).sum();
        if rows.len() as u64 != expected {
            let found = rows.len();
            return Err(damaged(format!(
                "section `rows` has {found} words, not {expected}"
            )));
        }
        let mut rest = rows.as_slice();
        let mut segments = Vec::with_capacity(pairs.len());
        for n in pairs {
            let (words, tail) = rest.split_at(n.div_ceil(64) as usize);
            // A bit past the end would count as a removed pair that does not exist.
            let removed = IdSet::from_words(words.to_vec(), n as usize).ok_or_else(|| {
                damaged(format!("a bit past the end of {n} pairs is set in `rows`"))
            })?;
            segments.push(removed);
            rest = tail;
        }
        // The sum must know of how many vectors it is, to give a mean after subtraction.
        let removed: u64 = segments.iter().map(|s| s.count() as u64).sum();
        let sums = PerModality::try_of(|modality| {
            let (name, dim) = (modality.name(), dims[modality]);
            let (numbers, rest) = container.section(name)?.as_chunks::<16>();
            if numbers.len() != dim || !rest.is_empty() {
                return Err(damaged(format!("section `{name}` is not {dim} sums")));
            }
            let sums = numbers.iter().map(|b| i128::from_le_bytes(*b)).collect();
            Ok(VectorSum::from_parts(sums, removed))
        })?;
        Ok(Self { segments, sums })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: PerModality<usize> = PerModality { image: 2, text: 1 };

    fn vectors(image: &[f32]) -> PerModality<&[f32]> {
        PerModality {
            image,
            text: &[1.0],
        }
    }

    fn entries(pairs: &[u64]) -> Vec<SegmentEntry> {
        let entry = |(i, &pairs): (usize, &u64)| SegmentEntry {
            files: std::collections::BTreeMap::new(),
            id: format!("s{i}"),
            pairs,
            image_search: None,
            text_search: None,
        };
        pairs.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn they_come_back_from_their_file_and_every_flipped_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g000002.del");
        let entries = entries(&[70, 5, 9]);
        let mut gone = Tombstones::none(DIMS);
        assert!(gone.remove(&entries, 0, 69, vectors(&[1.0, 0.0])));
        assert!(gone.remove(&entries, 1, 4, vectors(&[0.0, 1.0])));
        assert!(!gone.remove(&entries, 1, 4, vectors(&[0.0, 1.0])));
        assert!(!gone.remove(&entries, 1, 5, vectors(&[0.0, 1.0])));
        gone.write(&path).unwrap();
        let back = Tombstones::read(&path, &entries, DIMS).unwrap();
        assert_eq!((back.count(), &back.segments), (2, &gone.segments));
        assert_eq!(back.sums, gone.sums);
        let live = back.live(&[70, 5, 9]);
        assert_eq!((live.stored(), live.len()), (84, 82));
        assert!(!live.contains(69) && !live.contains(74) && live.contains(73));
        assert!(Tombstones::read(&path, &entries[..1], DIMS).is_err());
        assert!(Tombstones::read(&path, &entries, PerModality { image: 1, text: 1 }).is_err());
        let good = fs_err::read(&path).unwrap();
        for at in (0..good.len()).step_by(11) {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs_err::write(&path, bad).unwrap();
            assert!(
                Tombstones::read(&path, &entries, DIMS).is_err(),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_segment_of_which_nothing_is_left_leaves_no_trace() {
        let mut entries = entries(&[2, 1, 3]);
        let mut gone = Tombstones::none(PerModality { image: 1, text: 1 });
        let unit = PerModality {
            image: &[0.5][..],
            text: &[0.25][..],
        };
        gone.remove(&entries, 1, 0, unit);
        gone.remove(&entries, 0, 1, unit);
        let mut whole = PerModality { image: 1, text: 1 }.map(VectorSum::new);
        for (sum, vector) in whole.as_mut().zip(unit) {
            sum.add(vector);
        }
        let sums = whole.as_ref();
        gone.drop_empty(&mut entries, &[sums, sums, sums]);
        assert_eq!(
            entries.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(),
            ["s0", "s2"]
        );
        assert_eq!((gone.count(), gone.sums.image.count()), (1, 1));
        assert_eq!(gone.sums, whole);
    }
}
