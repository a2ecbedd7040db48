//! A repair does not make pairs live again that were removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use asif::anchors::care::check::verify;
use asif::anchors::care::purge::{PurgeRequest, purge};
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::select;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::change::vectors::add;
use asif::anchors::stored::history;
use asif::anchors::stored::layout::{generations_folder, log_folder, log_path, segments_folder};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::{AnchorSet, WriteOptions};

use super::look::mend;
use super::synthetic::{copy, pair, set};

fn id(number: u64) -> String {
    pair(number).record.id
}

fn take(set: &Path, numbers: impl IntoIterator<Item = u64>) {
    let selection = PairSelection::Ids {
        ids: numbers.into_iter().map(id).collect(),
        missing_ok: false,
    };
    remove(set, &selection, &WriteOptions::default()).unwrap();
}

fn bring(set: &Path, numbers: impl IntoIterator<Item = u64>) {
    let pairs = numbers.into_iter().map(pair);
    add(set, pairs, GraphPolicy::Never, &WriteOptions::default()).unwrap();
}

/// A set in a folder of its own.
fn made(folder: &Path, numbers: std::ops::Range<u64>) -> PathBuf {
    let own = tempfile::Builder::new().tempdir_in(folder).unwrap().keep();
    let path = own.join("a.asif");
    set(&path, numbers);
    path
}

fn generation_file(set: &Path, name: &str) -> PathBuf {
    generations_folder(set).join(name)
}

fn live(set: &Path) -> BTreeSet<String> {
    let opened = AnchorSet::open(set).unwrap();
    select::ids(&opened).unwrap().into_iter().collect()
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    numbers.into_iter().map(id).collect()
}

/// The records of the newest segment are lost: nothing can bring that generation back.
fn lose_newest_records(set: &Path) {
    let opened = AnchorSet::open(set).unwrap();
    let newest = &opened.manifest().segments.last().unwrap().id;
    fs_err::remove_file(segments_folder(set).join(newest).join("pairs.rec")).unwrap();
}

#[test]
fn a_lost_file_of_removed_pairs_comes_back_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let whole = made(folder.path(), 0..60);
    take(&whole, [3, 4]);
    // More than a record names itself, one of them added again afterwards.
    take(&whole, 10..40);
    bring(&whole, [12, 70]);
    take(&whole, [12, 50]);
    swap(&whole, SwapTarget::Previous, &WriteOptions::default()).unwrap();
    for damage in ["deleted", "flipped"] {
        for name in ["g000003.del", "g000005.del"] {
            let set = whole.with_file_name(format!("{damage}-{name}.asif"));
            copy(&whole, &set);
            let path = generation_file(&set, name);
            let was = fs_err::read(&path).unwrap();
            let mut bytes = was.clone();
            bytes[4100] ^= 1;
            match damage {
                "flipped" => fs_err::write(&path, bytes).unwrap(),
                _ => fs_err::remove_file(&path).unwrap(),
            }
            let done = mend(&set).unwrap();
            assert!(done.mended[0].contains("rebuilt from the log"), "{done:?}");
            assert_eq!((done.generation, done.mended.len()), (6, 1), "{done:?}");
            assert_eq!(fs_err::read(&path).unwrap(), was);
            assert_eq!(verify(&set, true).unwrap(), []);
            assert_eq!(live(&set), live(&whole));
            assert_eq!(set.join("damaged").join(name).exists(), damage == "flipped");
        }
    }
}

#[test]
fn what_was_removed_stays_removed_when_a_later_segment_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let whole = made(folder.path(), 0..60);
    bring(&whole, 60..70);
    take(&whole, [1, 65]);
    take(&whole, 20..45);
    let left = ids((0..60).filter(|n| *n != 1 && !(20..45).contains(n)));
    // From the files of the last generation, from the log alone, and from what is left of both.
    for without in [&[][..], &["g000004.json"], &["g000003.json", "g000004.del"]] {
        let set = whole.with_file_name(format!("{}.asif", without.len()));
        copy(&whole, &set);
        lose_newest_records(&set);
        for name in without {
            fs_err::remove_file(generation_file(&set, name)).unwrap();
        }
        let done = mend(&set).unwrap();
        assert_eq!(live(&set), left, "{without:?}: {done:?}");
        assert_eq!(done.stay_removed.len(), 26);
        assert_eq!(done.removals_unknown, [0; 0]);
        assert!(
            done.mended
                .iter()
                .any(|m| m.contains(&format!("{:?}", id(1))))
        );
        assert_eq!(verify(&set, true).unwrap(), []);
        let record = history::read(&set).unwrap().pop().unwrap();
        assert_eq!(
            (record.command.as_str(), record.taken_from()),
            ("repair", Some(1))
        );
        assert!(record.detail.contains("without 26 pairs"), "{record:?}");
        // So they do when that generation is lost in its turn, whether its file can be made again or not.
        let path = generation_file(&set, "g000005.del");
        fs_err::remove_file(&path).unwrap();
        mend(&set).unwrap();
        assert_eq!((live(&set), path.exists()), (left.clone(), true));
        fs_err::remove_file(path).unwrap();
        fs_err::remove_file(generation_file(&set, "g000005.json")).unwrap();
        let done = mend(&set).unwrap();
        assert_eq!((live(&set), done.generation), (left.clone(), 6));
        assert_eq!(verify(&set, true).unwrap(), []);
    }
}

#[test]
fn what_is_not_known_of_removals_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let whole = made(folder.path(), 0..60);
    bring(&whole, 60..70);
    take(&whole, 20..45);
    take(&whole, [1]);
    lose_newest_records(&whole);
    let list = log_folder(&whole).join("g000003.ids.jsonl");
    let text = fs_err::read_to_string(&list).unwrap();
    fs_err::remove_file(generation_file(&whole, "g000003.del")).unwrap();
    fs_err::remove_file(generation_file(&whole, "g000004.del")).unwrap();
    // One line of the list, all of it, and its record.
    let damaged = text.replacen(&id(30), &id(90), 1);
    for (n, list) in [Some(damaged), None, None].into_iter().enumerate() {
        let set = whole.with_file_name(format!("{n}.asif"));
        copy(&whole, &set);
        let path = log_folder(&set).join("g000003.ids.jsonl");
        let stay = match &list {
            Some(text) => {
                fs_err::write(path, text).unwrap();
                25
            }
            None => {
                fs_err::remove_file(path).unwrap();
                1
            }
        };
        if n == 2 {
            let log = fs_err::read_to_string(log_path(&set)).unwrap();
            let others = log.lines().filter(|l| !l.starts_with("{\"generation\":3,"));
            let others: String = others.map(|line| format!("{line}\n")).collect();
            fs_err::write(log_path(&set), others).unwrap();
            fs_err::remove_file(generation_file(&set, "g000003.json")).unwrap();
        }
        let done = mend(&set).unwrap();
        assert_eq!(done.removals_unknown, [3], "{n}: {done:?}");
        assert_eq!(done.stay_removed.len(), stay, "{n}");
        assert_eq!(live(&set).len(), 60 - stay, "{n}");
        let record = history::read(&set).unwrap().pop().unwrap();
        assert!(
            record
                .detail
                .contains("the removals of generations 3 are unknown"),
            "{record:?}"
        );
        assert_eq!(verify(&set, true).unwrap(), []);
    }
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_asif"))
        .args(["repair", &whole.display().to_string()])
        .env("ASIF_HOME", folder.path())
        .output()
        .unwrap();
    assert!(program.status.success(), "{program:?}");
    fs_err::remove_file(list).unwrap();
}

/// After a purge the log names pairs by hashes.
#[test]
fn what_was_purged_stays_away_from_an_older_generation_that_came_back() {
    let folder = tempfile::tempdir().unwrap();
    let set = made(folder.path(), 0..30);
    let before = set.with_file_name("before.asif");
    copy(&set, &before);
    take(&set, [7]);
    let request = PurgeRequest {
        ids: &[],
        filter: None,
        cache: None,
        graphs: GraphPolicy::Never,
        dry_run: false,
    };
    purge(&set, &request).unwrap();
    let log = fs_err::read_to_string(log_path(&set)).unwrap();
    assert!(log.contains("blake3:") && !log.contains(&id(7)));
    for part in ["generations", "segments"] {
        copy(&before.join(part), &set.join(part));
    }
    fs_err::write(generation_file(&set, "g000003.json"), "{}").unwrap();
    let done = mend(&set).unwrap();
    assert_eq!(done.stay_removed, [id(7)], "{done:?}");
    assert_eq!(live(&set), ids((0..30).filter(|n| *n != 7)));
    assert_eq!(verify(&set, true).unwrap(), []);
}

/// What a rollback brought back was not removed in the end.
#[test]
fn a_removal_that_was_rolled_back_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let whole = made(folder.path(), 0..30);
    bring(&whole, 30..40);
    take(&whole, [1, 2]);
    swap(&whole, SwapTarget::Previous, &WriteOptions::default()).unwrap();
    lose_newest_records(&whole);
    for without in [&[][..], &["g000004.json", "g000003.json"]] {
        let set = whole.with_file_name(format!("{}.asif", without.len()));
        copy(&whole, &set);
        for name in without {
            fs_err::remove_file(generation_file(&set, name)).unwrap();
        }
        let done = mend(&set).unwrap();
        assert_eq!((live(&set), done.stay_removed), (ids(0..30), vec![]));
    }
}

/// All pairs of the newest sound generation went with a rollback: the one before it has pairs that did not.
#[test]
fn a_generation_of_which_nothing_is_left_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let set = made(folder.path(), 0..30);
    let other = made(folder.path(), 100..120);
    swap(&set, SwapTarget::Set(&other), &WriteOptions::default()).unwrap();
    swap(&set, SwapTarget::Previous, &WriteOptions::default()).unwrap();
    fs_err::write(generation_file(&set, "g000003.json"), "{}").unwrap();
    let done = mend(&set).unwrap();
    assert_eq!((live(&set), done.generation), (ids(0..30), 4), "{done:?}");
    assert_eq!(verify(&set, true).unwrap(), []);
}
