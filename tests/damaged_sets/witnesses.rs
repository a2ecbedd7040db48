//! `CURRENT`, log and manifests against each other.

use std::path::{Path, PathBuf};

use asif::anchors::care::check::verify;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::stored::history;
use asif::anchors::stored::layout;
use asif::anchors::stored::layout::log_path;
use asif::anchors::stored::manifest::Manifest;
use asif::anchors::stored::publish;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorSet, ChangeReceipt, WriteOptions};
use asif::space::parts::ProcrustesParams;
use asif::space::recipe::WeightedPart;
use asif::space::{Recipe, RelativeParams};

use super::look::{look, mend};
use super::sets::files;
use super::synthetic::{copy, pair, set};

/// Removes a pair.
fn change(set: &Path, number: u64) -> Result<ChangeReceipt, asif::anchors::AnchorsError> {
    let selection = PairSelection::Ids {
        ids: [pair(number).record.id].into(),
        missing_ok: false,
    };
    remove(set, &selection, &WriteOptions::default())
}

/// A set with generations 1 to 4, and copies of it as it was at 2 and at 3.
fn grown(folder: &Path) -> (PathBuf, [PathBuf; 2]) {
    let path = folder.join("a.asif");
    set(&path, 0..30);
    let copies = [2, 3].map(|generation| {
        change(&path, generation).unwrap();
        let aside = folder.join(format!("at{generation}.asif"));
        copy(&path, &aside);
        aside
    });
    change(&path, 4).unwrap();
    (path, copies)
}

fn restore(set: &Path, from: &Path, file: &str) {
    fs_err::copy(from.join(file), set.join(file)).unwrap();
}

/// Nothing that was published goes, no number is given twice, and every part says that something is
/// wrong until a repair.
fn is_put_right(set: &Path) {
    let before = look(set);
    let whole = files(set);
    assert!(
        before.word.is_some() && before.served.1.is_some(),
        "{before:?}"
    );
    let newest = "answers come from generation 4";
    assert!(before.word.as_ref().unwrap().contains(newest), "{before:?}");
    assert!(!before.quick.unwrap().is_empty() && !before.full.unwrap().is_empty());
    let refused = change(set, 9).unwrap_err().to_string();
    assert!(refused.contains("a repair of"), "{refused}");
    for (file, bytes) in files(set) {
        assert!(file.ends_with("LOCK") || whole[&file] == bytes, "{file:?}");
    }
    let done = mend(set).unwrap();
    assert_eq!((done.generation, &done.left), (4, &vec![]));
    let after = look(set);
    assert_eq!((&after.word, &after.served.1), (&None, &None));
    assert_eq!(after.answer, before.answer);
    assert_eq!(witness::kept(set).unwrap(), [1, 2, 3, 4]);
    assert_eq!(change(set, 9).unwrap().change.generation, 5);
    let numbers: Vec<u64> = history::read(set)
        .unwrap()
        .iter()
        .map(|c| c.generation)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(verify(set, true).unwrap(), []);
}

#[test]
fn a_restored_current_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (set, [second, third]) = grown(folder.path());
    for from in [&second, &third] {
        let set = copied(folder.path(), &set);
        restore(&set, from, "CURRENT");
        is_put_right(&set);
    }
    // As an older program wrote it, one bit off, and with the checksum of another manifest.
    for text in ["g000003\n", "g000005\n", "g000004"] {
        let set = copied(folder.path(), &set);
        fs_err::write(set.join("CURRENT"), text).unwrap();
        is_put_right(&set);
    }
}

#[test]
fn a_restored_current_and_log_delete_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (set, [second, _]) = grown(folder.path());
    restore(&set, &second, "CURRENT");
    restore(&set, &second, "log/changes.jsonl");
    is_put_right(&set);
}

#[test]
fn what_a_crash_leaves_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, [_, third]) = grown(folder.path());
    // The manifest of 4 was written, CURRENT not moved.
    let set = copied(folder.path(), &whole);
    restore(&set, &third, "CURRENT");
    restore(&set, &third, "log/changes.jsonl");
    let said = look(&set);
    assert_eq!((said.word, said.full), (None, Ok(vec![])));
    assert_eq!(change(&set, 20).unwrap().change.generation, 4);
    assert_eq!(verify(&set, true).unwrap(), []);
    // CURRENT was moved, the log lacks the record or has a part of it.
    for part in [0, 10] {
        let set = copied(folder.path(), &whole);
        let mut log = fs_err::read(third.join("log/changes.jsonl")).unwrap();
        log.extend(&fs_err::read(log_path(&set)).unwrap()[..part]);
        fs_err::write(log_path(&set), log).unwrap();
        let said = look(&set);
        assert_eq!((said.word, said.full), (None, Ok(vec![])));
        assert_eq!(change(&set, 20).unwrap().change.generation, 5);
        assert_eq!(verify(&set, true).unwrap(), []);
    }
}

#[test]
fn the_log_is_made_good_from_manifests_and_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = grown(folder.path());
    let log = fs_err::read_to_string(log_path(&whole)).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let without_the_second = [lines[0], lines[2], lines[3], ""].join("\n");
    let another_count = log.replacen("\"pairs_after\":29", "\"pairs_after\":19", 1);
    assert_ne!(another_count, log);
    for damaged in [without_the_second, another_count, String::new()] {
        let set = copied(folder.path(), &whole);
        fs_err::write(log_path(&set), damaged).unwrap();
        assert_ne!(verify(&set, false).unwrap(), []);
        mend(&set).unwrap();
        assert_eq!(verify(&set, true).unwrap(), []);
        let (found, expected) = (history::read(&set).unwrap(), history::read(&whole).unwrap());
        assert_eq!(found, expected);
        // Of a generation that is not kept there is nothing to make it from.
        let gone = layout::generations_folder(&set).join("g000002.json");
        fs_err::remove_file(gone).unwrap();
        let text = fs_err::read_to_string(log_path(&set)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let cut = [lines[0], lines[2], lines[3], ""].join("\n");
        fs_err::write(log_path(&set), cut).unwrap();
        mend(&set).unwrap();
        let lost = &history::read(&set).unwrap()[1];
        assert_eq!((lost.generation, lost.command.as_str()), (2, "unknown"));
        assert_eq!(verify(&set, true).unwrap(), []);
    }
}

#[test]
fn a_manifest_without_its_checksum_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (set, _) = grown(folder.path());
    let path = layout::generations_folder(&set).join("g000004.json");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replacen("\"checksum\"", "\"checksun\"", 1)).unwrap();
    let said = look(&set);
    assert!(said.word.unwrap().contains("generation 3"));
    assert_ne!(said.quick.unwrap(), []);
}

#[test]
fn a_generation_whose_space_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = grown(folder.path());
    let absurd = WeightedPart {
        weight: 1e300,
        part: ProcrustesParams {}.into(),
    };
    // What no setting of the command line makes, and rows that come out as no number.
    let spaces: [Recipe; 3] = [
        Recipe {
            parts: vec![absurd],
            calibration: None,
        },
        Recipe {
            parts: vec![],
            calibration: None,
        },
        RelativeParams {
            p: 1e300,
            ..RelativeParams::PAPER
        }
        .into(),
    ];
    for space in spaces {
        let set = copied(folder.path(), &whole);
        let mut live = Manifest::read(&set, "g000004").unwrap();
        live.space = space;
        publish::publish(&set, &live).unwrap();
        let said = look(&set);
        assert!(
            said.word.as_ref().unwrap().contains("generation 3"),
            "{said:?}"
        );
        assert!(said.served.1.is_some());
        assert_ne!(said.quick.unwrap(), []);
        let done = mend(&set).unwrap();
        assert_eq!((done.generation, done.left), (5, vec![]));
        // The pair that it removed stays removed.
        assert_eq!(AnchorSet::open(&set).unwrap().len(), 27);
        assert!(set.join("damaged/g000004.json").is_file());
    }
}

/// A copy of a set under a name of its own.
fn copied(folder: &Path, set: &Path) -> PathBuf {
    let folder = tempfile::Builder::new().tempdir_in(folder).unwrap().keep();
    let to = folder.join("a.asif");
    copy(set, &to);
    to
}

/// Writes the live manifest as a newer program would.
fn in_a_newer_format(set: &Path) {
    let mut manifest = AnchorSet::open(set).unwrap().manifest().clone();
    manifest.format += 1;
    manifest.made_by = "asif 99.0.0".to_owned();
    publish::publish(set, &manifest).unwrap();
}

#[test]
fn a_generation_of_a_newer_program_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (set, _) = grown(folder.path());
    in_a_newer_format(&set);
    let whole = files(&set);
    let refused = [
        mend(&set).unwrap_err(),
        AnchorSet::open_or_last_good(&set).unwrap_err(),
        verify(&set, false).unwrap_err(),
        change(&set, 9).unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("asif 99.0.0"), "{error}");
    }
    assert_eq!(files(&set), whole);
    // A digit that was flipped is.
    let path = layout::generations_folder(&set).join("g000004.json");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replacen("\"format\": 2", "\"format\": 3", 1)).unwrap();
    assert!(look(&set).word.unwrap().contains("generation 3"));
    mend(&set).unwrap();
    assert_eq!(AnchorSet::open(&set).unwrap().manifest().generation, 5);
}

/// Nothing that answers come from is concerned.
#[cfg(unix)]
#[test]
fn an_older_manifest_that_cannot_be_looked_at_is_only_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let (set, _) = grown(folder.path());
    // A link to itself is refused to everybody, whatever they are permitted.
    let path = layout::generations_folder(&set).join("g000002.json");
    fs_err::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("g000002.json", &path).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_asif"));
    let ended = command
        .args(["anchors", "list"])
        .arg(&set)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(
        said.contains("warning") && said.contains("g000002.json"),
        "{said}"
    );
}
