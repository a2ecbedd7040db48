//! Pairs go: a removal writes a few bits and a manifest, whatever the size of the set.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::error::AnchorsError;
use super::segment::Segment;
use super::select::{self, Filter};
use super::set::AnchorSet;
use super::writer::{Next, Receipt, WriteOptions, Writer};
use crate::modality::Sides;

/// Which pairs are to go.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Those with these ids.
    Ids {
        /// The ids.
        ids: HashSet<String>,
        /// Whether ids that no live pair has are passed over.
        missing_ok: bool,
    },
    /// Those that a filter lets through.
    Where(Filter),
}

/// Removes pairs from a set.
///
/// From the next generation on they have no influence: in exact mode every answer has the bits of a
/// set that was built without them. Their bytes stay in the segment for the sake of rollback, until
/// purge.
///
/// # Errors
/// When an id is not there, nothing was selected, nothing would be left, somebody else writes, or
/// the disk refuses.
pub fn remove(
    set: &Path,
    selection: &Selection,
    options: &WriteOptions,
) -> Result<Receipt, AnchorsError> {
    let mut writer = Writer::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    let (rows, missing) = match selection {
        Selection::Ids { ids, missing_ok } => {
            let (rows, missing) = select::by_ids(&live, ids)?;
            if !missing.is_empty() && (!missing_ok || rows.is_empty()) {
                let (path, ids) = (set.to_owned(), few(&missing));
                return Err(match missing_ok {
                    true => AnchorsError::NoneOfThese { path, ids },
                    false => AnchorsError::NoSuchPair { path, ids },
                });
            }
            (rows, missing)
        }
        Selection::Where(filter) => (select::by_filter(&live, filter)?, Vec::new()),
    };
    if rows.is_empty() {
        let filter = match selection {
            Selection::Where(filter) => filter.to_string(),
            Selection::Ids { .. } => "an id of an empty list".to_owned(),
        };
        return Err(AnchorsError::NoMatch {
            path: set.to_owned(),
            filter,
        });
    }
    if rows.len() == live.len() {
        return Err(AnchorsError::WouldBeEmpty {
            path: set.to_owned(),
        });
    }
    writer.mark("find");
    let mut next = without(&live, &rows)?;
    if let Selection::Where(filter) = selection {
        next.detail = filter.to_string();
    }
    writer.mark("mark");
    let mut receipt = writer.publish(next)?;
    receipt.missing = missing;
    Ok(receipt)
}

/// The generation that is left when the pairs in `rows` are taken from `live`.
///
/// # Errors
/// When there is no such row, a record is damaged, or the manifest counts less than the records hold.
pub(super) fn without(live: &AnchorSet, rows: &[usize]) -> Result<Next, AnchorsError> {
    let mut manifest = live.manifest().clone();
    let mut gone = live.tombstones().clone();
    let mut removed = Vec::with_capacity(rows.len());
    let untold = |what: &str| AnchorsError::Damaged {
        path: live.path().to_owned(),
        what: format!(
            "the manifest of generation {} counts fewer {what} than its records have",
            live.manifest().generation
        ),
    };
    for &row in rows {
        let (segment, local) = live.place(row).ok_or_else(|| {
            AnchorsError::Index(asif_index::Error::Argument {
                what: "the row of a pair",
                expected: format!("one below {}", live.live().stored()),
                found: row.to_string(),
                advice: "give rows of this generation",
            })
        })?;
        let of = &live.segments()[segment];
        let vectors = Sides::of(|modality| of.vectors(modality).vector(local));
        if gone.remove(&manifest.segments, segment, local, vectors) {
            let record = of.record(local)?;
            let counts = &mut manifest.counts;
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
    let sums: Vec<_> = live
        .segments()
        .iter()
        .map(|s: &Segment| Sides::of(|modality| s.sum(modality)))
        .collect();
    gone.drop_empty(&mut manifest.segments, &sums);
    manifest.parent = Some(live.manifest().generation);
    manifest.restored = None;
    Ok(Next {
        manifest,
        tombstones: Some(gone),
        command: "anchors remove",
        detail: String::new(),
        moved: (0, removed.len() as u64),
        ids: (Vec::new(), removed),
    })
}

/// Counts a value once less; none when it was not counted.
fn untally(tally: &mut BTreeMap<String, u64>, value: Option<String>) -> Option<()> {
    let Some(value) = value else {
        return Some(());
    };
    match tally.get_mut(&value)? {
        0 => return None,
        1 => drop(tally.remove(&value)),
        n => *n -= 1,
    }
    Some(())
}

fn few(ids: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = format!("{:?}", ids[0]);
    for id in ids.iter().take(SHOWN).skip(1) {
        text.push_str(&format!(" or {id:?}"));
    }
    if ids.len() > SHOWN {
        text.push_str(&format!(", and {} more", ids.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::manifest::EncoderEntry;
    use crate::anchors::plan::GraphPolicy;
    use crate::anchors::records::Record;
    use crate::anchors::vectors::{Making, PairVectors, create};
    use crate::encode::EncoderIdentity;
    use crate::modality::Modality;
    use crate::space::SpaceParams;

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
        let making = Making {
            image_encoder: encoder(Modality::Image),
            text_encoder: encoder(Modality::Text),
            space: SpaceParams::default().into(),
            graphs: GraphPolicy::Never,
        };
        let pair = |n: u32| PairVectors {
            record: Record {
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

        let other = |change: &dyn Fn(&mut crate::anchors::Manifest)| {
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
