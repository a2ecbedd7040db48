//! What killed writers leave under hidden names: needed, it has its name again; not needed, it goes.

use std::path::{Path, PathBuf};

use asif::anchors::care::check::verify;
use asif::anchors::care::repair::repair;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::stored::layout;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorSet, AnchorsError, WriteOptions};
use asif::embed::{Embedder, WorkControl};
use asif::progress::NoProgress;

use super::ids;
use super::synthetic::{pair, scratch, set};

/// A set of two generations that share its one segment, and the folders of that and of a hidden one.
struct Left {
    folder: tempfile::TempDir,
    segment: PathBuf,
    hidden: PathBuf,
    ids: Vec<String>,
}

impl Left {
    fn new(hidden: &str) -> Self {
        let folder = scratch();
        let path = folder.path().join("a.asif");
        set(&path, 0..8);
        let selection = PairSelection::Ids {
            ids: [pair(1).record.id].into(),
            missing_ok: false,
        };
        remove(&path, &selection, &WriteOptions::default()).unwrap();
        let live = AnchorSet::open(&path).unwrap();
        let segment = live.segments()[0].path().to_owned();
        Self {
            hidden: segment.with_file_name(hidden),
            ids: ids(&live),
            segment,
            folder,
        }
    }

    fn set(&self) -> PathBuf {
        self.folder.path().join("a.asif")
    }

    /// A copy of the segment under the hidden name.
    fn copied(hidden: &str) -> Self {
        let left = Self::new(hidden);
        fs_err::create_dir(&left.hidden).unwrap();
        for entry in fs_err::read_dir(&left.segment).unwrap() {
            let entry = entry.unwrap();
            fs_err::copy(entry.path(), left.hidden.join(entry.file_name())).unwrap();
        }
        left
    }

    /// A writer that does its first step and then fails.
    fn failing_writer(&self) {
        let selection = PairSelection::Ids {
            ids: ["no pair has this id".to_owned()].into(),
            missing_ok: false,
        };
        remove(&self.set(), &selection, &WriteOptions::default()).unwrap_err();
    }

    fn repaired(&self) -> Vec<String> {
        let never = |_: &_| -> Result<Embedder, AnchorsError> { panic!("nothing is encoded") };
        let watch = WorkControl {
            progress: &NoProgress,
            cancel: &Default::default(),
        };
        let done = repair(&self.set(), false, never, watch).unwrap();
        assert_eq!(done.left, []);
        done.mended
    }

    /// Both generations are whole, and nothing hidden is left.
    fn is_whole(&self) {
        assert_eq!(verify(&self.set(), true).unwrap(), []);
        assert_eq!(ids(&AnchorSet::open(&self.set()).unwrap()), self.ids);
        assert_eq!(witness::kept(&self.set()).unwrap(), [1, 2]);
        let name = self.segment.file_name().unwrap().to_str().unwrap();
        assert_eq!(names(self.segment.parent().unwrap()), [name]);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_whole_one_whose_name_is_free_gets_it_from_any_writer() {
    for hidden in [
        ".writing-a",
        ".removing-s1",
        ".replaced-s1-1",
        ".bringing-a",
    ] {
        let left = Left::new(hidden);
        fs_err::rename(&left.segment, &left.hidden).unwrap();
        left.failing_writer();
        left.is_whole();
        fs_err::rename(&left.segment, &left.hidden).unwrap();
        assert_eq!(left.repaired().len(), 1);
        left.is_whole();
    }
}

#[test]
fn a_whole_one_takes_the_place_of_a_damaged_one() {
    for file in ["moments.sum", "pairs.rec", "image.vec"] {
        let left = Left::copied(".writing-a");
        fs_err::remove_file(left.segment.join(file)).unwrap();
        left.failing_writer();
        left.is_whole();
    }
    let left = Left::copied(".writing-a");
    let mut bytes = fs_err::read(left.segment.join("text.vec")).unwrap();
    bytes[5000] ^= 1;
    fs_err::write(left.segment.join("text.vec"), bytes).unwrap();
    left.failing_writer();
    left.is_whole();
}

#[test]
fn one_that_nothing_needs_goes() {
    let left = Left::copied(".writing-a");
    left.failing_writer();
    left.is_whole();
}

#[test]
fn a_segment_is_completed_from_what_several_folders_have() {
    let derived = ["moments.sum"];
    // What the folder under the segment's name lacks, and what the hidden one lacks.
    let splits: [(&[&str], &[&str]); 4] = [
        (&["pairs.rec"], &["image.vec", "text.vec"]),
        (&["image.vec"], &["pairs.rec", "text.vec"]),
        (&["pairs.rec", "text.vec"], &["image.vec"]),
        (&["pairs.rec", "image.vec", "text.vec"], &[]),
    ];
    for (named, hidden) in splits {
        let left = Left::copied(".removing-a");
        for file in named.iter().chain(&derived) {
            fs_err::remove_file(left.segment.join(file)).unwrap();
        }
        for file in hidden.iter().chain(&derived) {
            fs_err::remove_file(left.hidden.join(file)).unwrap();
        }
        left.failing_writer();
        assert!(left.hidden.exists(), "{named:?} could be completed from it");
        assert_eq!(left.repaired().len(), 1, "{named:?}");
        left.is_whole();
    }
}

#[test]
fn while_a_manifest_cannot_be_read_what_may_be_its_segment_stays() {
    let left = Left::copied(".removing-a");
    let manifest = layout::generations_folder(&left.set()).join("g000001.json");
    let sound = fs_err::read(&manifest).unwrap();
    fs_err::write(&manifest, b"{").unwrap();
    left.failing_writer();
    assert!(left.hidden.exists());
    fs_err::write(&manifest, sound).unwrap();
    left.failing_writer();
    left.is_whole();
}

/// The list of skipped rows has no second source, and no part in a segment's name.
#[test]
fn a_repair_keeps_the_list_of_skipped_rows() {
    let left = Left::new(".writing-a");
    let list = left.segment.join("skipped.jsonl");
    fs_err::write(&list, "{}\n").unwrap();
    fs_err::remove_file(left.segment.join("moments.sum")).unwrap();
    assert_eq!(left.repaired().len(), 1);
    assert_eq!(fs_err::read_to_string(&list).unwrap(), "{}\n");
    left.is_whole();
}
