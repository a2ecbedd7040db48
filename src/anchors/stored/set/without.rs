//! A set without some of its pairs.

use std::collections::BTreeMap;

use super::AnchorSet;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::records::Record;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::tombstones::Tombstones;
use crate::modality::Sides;

/// What is left of a generation when pairs are removed.
#[derive(Debug)]
pub(crate) struct RemainingPairs {
    /// The content of the next generation; number, dates and record are filled in by its writer.
    pub manifest: Manifest,
    /// Which pairs of its segments are removed.
    pub tombstones: Tombstones,
    /// The ids of the pairs that were removed now.
    pub removed: Vec<String>,
}

impl AnchorSet {
    /// This set as it would be without the pairs in `rows`; nothing is written. What it answers has
    /// the bits of what [`remove`](crate::anchors::change::remove::remove) leaves.
    ///
    /// # Errors
    /// [`AnchorsError::WouldBeEmpty`] when no pair would be left.
    pub fn without(&self, rows: &[usize]) -> Result<Self, AnchorsError> {
        let left = self.remaining(rows)?;
        if left.manifest.counts.pairs == 0 {
            return Err(AnchorsError::WouldBeEmpty {
                path: self.path.clone(),
            });
        }
        let mut set = Self::assemble(&self.path, left.manifest, left.tombstones)?;
        set.accepted.clone_from(&self.accepted);
        Ok(set)
    }

    /// What the next generation has when the pairs in `rows` are removed.
    pub(crate) fn remaining(&self, rows: &[usize]) -> Result<RemainingPairs, AnchorsError> {
        let mut manifest = self.manifest().clone();
        let mut gone = self.tombstones().clone();
        let mut removed = Vec::with_capacity(rows.len());
        for (segment, local) in rows.iter().filter_map(|&row| self.place(row)) {
            let of = &self.segments()[segment];
            let vectors = Sides::of(|modality| of.vectors(modality).vector(local));
            if gone.remove(&manifest.segments, segment, local, vectors) {
                let record = of.record(local)?;
                let counts = &mut manifest.counts;
                counts.pairs = counts.pairs.saturating_sub(1);
                counts.captions = counts.captions.saturating_sub(record.captions.len() as u64);
                untally(&mut manifest.sources, record.meta_text("source"));
                untally(&mut manifest.licences, Record::licence(&record));
                removed.push(record.id);
            }
        }
        let sums: Vec<_> = self
            .segments()
            .iter()
            .map(|s: &Segment| Sides::of(|modality| s.sum(modality)))
            .collect();
        gone.drop_empty(&mut manifest.segments, &sums);
        manifest.parent = Some(self.manifest().generation);
        manifest.restored = None;
        Ok(RemainingPairs {
            manifest,
            tombstones: gone,
            removed,
        })
    }
}

fn untally(tally: &mut BTreeMap<String, u64>, value: Option<String>) {
    let Some(value) = value else { return };
    if let Some(n) = tally.get_mut(&value) {
        *n = n.saturating_sub(1);
        if *n == 0 {
            tally.remove(&value);
        }
    }
}
