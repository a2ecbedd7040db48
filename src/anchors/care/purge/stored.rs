//! Every pair stored in an anchor set, whether or not a readable manifest names it: in segments, in
//! leftovers of killed writers, and in `damaged/`.

use std::path::{Path, PathBuf};

use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::layout;
use crate::anchors::stored::records::{PairRecord, PairRecords};
use crate::anchors::stored::segment::Segment;
use crate::disk as fs;

/// A folder of pairs.
pub(super) struct StoredPairs {
    /// Its name among the segments, or `damaged/` and its name there.
    pub name: String,
    /// The pairs.
    pub records: PairRecords,
    /// The segment with their vectors, if those are intact.
    pub segment: Option<Segment>,
}

/// The folders of pairs in an anchor set.
#[derive(Default)]
pub(super) struct StoredFolders {
    /// Those whose pairs can be read.
    pub found: Vec<StoredPairs>,
    /// Folders of the anchor set whose pairs cannot be read; a purge deletes them.
    pub unreadable: Vec<PathBuf>,
    /// Unreadable folders that asif did not create; no writer deletes them.
    pub foreign: Vec<PathBuf>,
}

/// The folders of pairs in an anchor set.
///
/// # Errors
/// On an I/O error.
pub(super) fn all(set: &Path) -> Result<StoredFolders, AnchorsError> {
    let mut folders = StoredFolders::default();
    let put_aside = set.join(layout::DAMAGED);
    type IsOwn = fn(&str) -> bool;
    let places: [(PathBuf, &str, IsOwn); 2] = [
        (layout::segments_folder(set), "", layout::in_segments),
        (put_aside, "damaged/", layout::in_damaged),
    ];
    for (parent, prefix, is_own) in places {
        if !fs::has_folder(&parent)? {
            continue;
        }
        for name in fs::names(&parent)? {
            let folder = parent.join(&name);
            let parts = [layout::PAIRS, layout::IMAGE, layout::TEXT];
            // Any of the three: of a damaged folder the others may be missing.
            let mut has_part = false;
            for part in parts {
                has_part |= fs::has_file(&folder.join(part))?;
            }
            if !has_part {
                continue;
            }
            let is_foreign = !is_own(&name);
            match if_whole(open(&folder))? {
                // A user's copy is not part of the set; the byte search reports it.
                Some(_) if is_foreign => {}
                Some((records, segment)) => folders.found.push(StoredPairs {
                    name: format!("{prefix}{name}"),
                    records,
                    segment,
                }),
                None if is_foreign => folders.foreign.push(folder),
                None => folders.unreadable.push(folder),
            }
        }
    }
    Ok(folders)
}

fn open(folder: &Path) -> Result<(PairRecords, Option<Segment>), AnchorsError> {
    let records = PairRecords::open(&folder.join(layout::PAIRS))?;
    records.verify()?;
    let segment = Segment::open_alone(folder, records.len() as u64);
    let sound = segment.and_then(|segment| segment.verify().map(|()| segment));
    Ok((records, if_whole(sound)?))
}

/// Visits each pair, once per folder.
///
/// # Errors
/// On an I/O error.
pub(super) fn each(
    set: &Path,
    mut show: impl FnMut(&str, &PairRecord, Option<&Segment>, usize),
) -> Result<(), AnchorsError> {
    for pairs in all(set)?.found {
        for local in 0..pairs.records.len() {
            let record = pairs.records.get(local)?;
            show(&pairs.name, &record, pairs.segment.as_ref(), local);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_are_refused_are_not_absent() {
        let set = tempfile::tempdir().unwrap();
        let place = layout::segments_folder(set.path()).join("s0123456789abcdef");
        fs_err::create_dir_all(&place).unwrap();
        assert!(all(set.path()).unwrap().found.is_empty());
        for refused in [place.join(layout::PAIRS), set.path().join(layout::DAMAGED)] {
            std::os::unix::fs::symlink(&refused, &refused).unwrap();
            let looked = all(set.path()).map(|_| ());
            assert!(looked.unwrap_err().is_refusal(), "{}", refused.display());
            fs_err::remove_file(refused).unwrap();
        }
    }
}
