//! Every pair that lies in a set, whether a manifest that can be read names it or not: in segments, in
//! what killed writers left, and in what repairs put aside.

use std::path::{Path, PathBuf};

use crate::anchors::error::AnchorsError;
use crate::anchors::records::{Record, Records};
use crate::anchors::segment::{self, Segment};
use crate::anchors::{aside, fs};

/// A folder of pairs.
pub(super) struct StoredPairs {
    /// Its name among the segments, or `damaged/` and its name there.
    pub name: String,
    /// The pairs.
    pub records: Records,
    /// With their vectors, if those are sound.
    pub segment: Option<Segment>,
}

/// The folders of pairs of a set, and those whose pairs cannot be read.
///
/// # Errors
/// When the disk refuses.
pub(super) fn all(set: &Path) -> Result<(Vec<StoredPairs>, Vec<PathBuf>), AnchorsError> {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    let put_aside = set.join(aside::DAMAGED);
    for (parent, prefix) in [(segment::folder(set), ""), (put_aside, "damaged/")] {
        if !parent.is_dir() {
            continue;
        }
        for name in fs::names(&parent)? {
            let folder = parent.join(&name);
            let parts = [segment::PAIRS, segment::IMAGE, segment::TEXT];
            if !parts.iter().any(|part| folder.join(part).is_file()) {
                continue;
            }
            match open(&folder) {
                Ok((records, segment)) => found.push(StoredPairs {
                    name: format!("{prefix}{name}"),
                    records,
                    segment,
                }),
                Err(_) => unreadable.push(folder),
            }
        }
    }
    Ok((found, unreadable))
}

fn open(folder: &Path) -> Result<(Records, Option<Segment>), AnchorsError> {
    let records = Records::open(&folder.join(segment::PAIRS))?;
    records.verify()?;
    let segment = Segment::open_alone(folder, records.len() as u64).ok();
    Ok((records, segment.filter(|s| s.verify().is_ok())))
}

/// Shows each pair, once a folder.
///
/// # Errors
/// When the disk refuses.
pub(super) fn each(
    set: &Path,
    mut show: impl FnMut(&str, &Record, Option<&Segment>, usize),
) -> Result<(), AnchorsError> {
    for pairs in all(set)?.0 {
        for local in 0..pairs.records.len() {
            let record = pairs.records.get(local)?;
            show(&pairs.name, &record, pairs.segment.as_ref(), local);
        }
    }
    Ok(())
}
