//! Pairs go: a removal writes a few bits and a manifest, whatever the size of the set.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::select::{self, Filter};
use super::writer::{Next, Receipt, WriteOptions, Writer};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::records::Record;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
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
pub(crate) fn without(live: &AnchorSet, rows: &[usize]) -> Result<Next, AnchorsError> {
    let mut manifest = live.manifest().clone();
    let mut gone = live.tombstones().clone();
    let mut removed = Vec::with_capacity(rows.len());
    for (segment, local) in rows.iter().filter_map(|&row| live.place(row)) {
        let of = &live.segments()[segment];
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

fn untally(tally: &mut BTreeMap<String, u64>, value: Option<String>) {
    let Some(value) = value else { return };
    if let Some(n) = tally.get_mut(&value) {
        *n = n.saturating_sub(1);
        if *n == 0 {
            tally.remove(&value);
        }
    }
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
