//! An anchor set with some pairs excluded.

use std::collections::BTreeMap;

use super::AnchorSet;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::tombstones::Tombstones;
use crate::modality::PerModality;

/// The content of a generation after removing pairs.
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
    /// This anchor set with the pairs in `rows` excluded; nothing is written. Its answers have
    /// the bits of what [`remove`](crate::anchors::change::remove::remove) leaves.
    ///
    /// # Errors
    /// [`AnchorsError::WouldBeEmpty`] when no pair would be left; when a row is not one of this anchor set's,
    /// or the manifest counts less than its records hold.
    pub fn without(&self, rows: &[usize]) -> Result<Self, AnchorsError> {
        let left = self.remaining(rows)?;
        // An anchor set without pairs has no means and no space; a removal refuses it too.
        if left.manifest.counts.pairs == 0 {
            return Err(AnchorsError::WouldBeEmpty {
                path: self.path.clone(),
            });
        }
        let mut set = Self::assemble(&self.path, left.manifest, left.tombstones)?;
        // Encoders that were accepted by their canaries stay accepted.
        set.accepted.clone_from(&self.accepted);
        Ok(set)
    }

    /// The content of the next generation when the pairs in `rows` are removed.
    ///
    /// # Errors
    /// When there is no such row, a record is damaged, or the manifest counts less than the records hold.
    pub(crate) fn remaining(&self, rows: &[usize]) -> Result<RemainingPairs, AnchorsError> {
        let mut manifest = self.manifest().clone();
        let mut gone = self.tombstones().clone();
        let mut removed = Vec::with_capacity(rows.len());
        let untold = |what: &str| AnchorsError::Damaged {
            path: self.path().to_owned(),
            what: format!(
                "the manifest of generation {} counts fewer {what} than its records have",
                self.manifest().generation
            ),
        };
        for &row in rows {
            let (segment, local) = self.place(row).ok_or_else(|| {
                AnchorsError::Index(asif_index::Error::Argument {
                    what: "the row of a pair",
                    expected: format!("one below {}", self.live().stored()),
                    found: row.to_string(),
                    advice: "give rows of this generation",
                })
            })?;
            let of = &self.segments()[segment];
            let vectors = PerModality::of(|modality| of.vectors(modality).vector(local));
            // A pair that is already gone, or was given twice, is counted once.
            if gone.remove(&manifest.segments, segment, local, vectors) {
                let record = of.record(local)?;
                let counts = &mut manifest.counts;
                // Counts come from a file: one that is too small is damage, not a number to wrap around.
                let captions = counts.captions.checked_sub(record.captions.len() as u64);
                counts.pairs -= 1;
                counts.captions = captions.ok_or_else(|| untold("captions"))?;
                for (tally, value, what) in [
                    (&mut manifest.sources, record.meta_text("source"), "sources"),
                    (&mut manifest.licences, record.licence(), "licences"),
                ] {
                    untally(tally, value).ok_or_else(|| untold(what))?;
                }
                removed.push(record.id);
            }
        }
        let sums: Vec<_> = self
            .segments()
            .iter()
            .map(|s: &Segment| PerModality::of(|modality| s.sum(modality)))
            .collect();
        // A segment without live pairs leaves the manifest, as it does after a removal that is written.
        gone.drop_empty(&mut manifest.segments, &sums);
        manifest.parent = Some(self.manifest().generation);
        // The new content continues from here, so an origin by rollback is no longer true of it.
        manifest.restored = None;
        Ok(RemainingPairs {
            manifest,
            tombstones: gone,
            removed,
        })
    }
}

/// Decrements the count of a value; `None` when it is zero.
fn untally(tally: &mut BTreeMap<String, u64>, value: Option<String>) -> Option<()> {
    let Some(value) = value else {
        return Some(());
    };
    match tally.get_mut(&value)? {
        0 => return None,
        // A value that no pair has any more is dropped, not kept with a count of 0.
        1 => drop(tally.remove(&value)),
        n => *n -= 1,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::change::vectors::{NewSetOptions, PairVectors, create};
    use crate::anchors::stored::plan::GraphPolicy;
    use crate::anchors::stored::records::PairRecord;
    use crate::encode::EncoderEntry;
    use crate::encode::EncoderIdentity;
    use crate::modality::Modality;
    use crate::space::RelativeParams;

    #[test]
    fn what_cannot_be_taken_away_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.asif");
        let encoder = |modality| EncoderEntry {
            identity: EncoderIdentity::new(
                "invented".into(),
                modality,
                1,
                "00".into(),
                None,
                serde_json::json!({}),
            ),
            canary: vec![1.0],
        };
        let making = NewSetOptions {
            image_encoder: encoder(Modality::Image),
            text_encoder: encoder(Modality::Text),
            space: RelativeParams::default().into(),
            graphs: GraphPolicy::Never,
        };
        let pair = |n: u32| PairVectors {
            record: PairRecord {
                id: n.to_string(),
                image: String::new(),
                captions: vec!["a".to_owned()],
                meta: r#"{"source":"s"}"#.to_owned(),
            },
            image: vec![1.0],
            text: vec![1.0],
        };
        create(&path, &making, (0..3).map(pair)).unwrap();
        let set = AnchorSet::open(&path).unwrap();
        let rest = set.without(&[1]).unwrap();
        assert_eq!((rest.len(), rest.manifest().sources["s"]), (2, 2));
        let error = set.without(&[1, 3]).unwrap_err().to_string();
        assert!(error.contains("one below 3"), "{error}");

        let other = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = set.manifest().clone();
            change(&mut manifest);
            let set = AnchorSet::from_manifest(&path, manifest).unwrap();
            set.without(&[0, 1]).unwrap_err().to_string()
        };
        let error = other(&|manifest| manifest.counts.captions = 1);
        assert!(error.contains("counts fewer captions"), "{error}");
        let error = other(&|manifest| manifest.sources.extend([("s".to_owned(), 1)]));
        assert!(error.contains("counts fewer sources"), "{error}");
    }
}
