//! Writers on a damaged set: they succeed or say what is wrong with it, and take nothing from it that
//! is intact; so does the repair after them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::damage::{FileDamage, all};
use super::look::mend;
use super::sets::{SetWorkshop, done, files};
use super::synthetic::copy;

/// One damage in so many is tried, with one writer each.
const EVERY: usize = 23;

/// Files that were intact and are gone, from their places and from what was put aside.
fn lost(whole: &BTreeMap<PathBuf, Vec<u8>>, damages: &[FileDamage], set: &Path) -> Vec<PathBuf> {
    let now = files(set);
    let hit: Vec<&Path> = damages.iter().flat_map(FileDamage::hit).collect();
    let is_lost = |(file, bytes): &(&PathBuf, &Vec<u8>)| {
        let anew = ["CURRENT", "LOCK", "log/changes.jsonl"].contains(&file.to_str().unwrap());
        let aside = |(path, found): (&PathBuf, &Vec<u8>)| {
            path.starts_with("damaged") && path.file_name() == file.file_name() && found == *bytes
        };
        let stays = now.get(*file) == Some(*bytes) || now.iter().any(aside);
        !anew && !hit.contains(&file.as_path()) && !stays
    };
    let lost = whole.iter().filter(is_lost);
    lost.map(|(file, _)| file.clone()).collect()
}

/// One writer, by number; the pairs are those that the set was built from.
fn write(workshop: &SetWorkshop, set: &Path, number: usize) -> Output {
    let path = set.display().to_string();
    let keep = ["--keep", "20"];
    match number % 5 {
        0 => {
            let pairs = workshop.folder.join("first.jsonl").display().to_string();
            let words = ["build", "--overwrite", "--pairs", &pairs, "--out", &path];
            workshop.encoding(&[&words[..], &keep].concat())
        }
        1 => workshop.plain(&["anchors", "remove", "--keep", "20", "--id", "p0"], set),
        2 => workshop.plain(&["anchors", "compact", "--keep", "20"], set),
        3 => workshop.plain(&["rollback", "--keep", "20"], set),
        _ => workshop.plain(&["swap", "--keep", "20", "--to", "1"], set),
    }
}

#[test]
fn a_writer_on_a_damaged_set_takes_nothing_that_is_intact() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let sound = workshop.set("whole.asif");
    let whole = files(&sound);
    let collection = all(&sound);
    let first = |name: &str| {
        let file = whole.keys().find(|file| file.ends_with(name)).unwrap();
        FileDamage::Deleted(file.clone())
    };
    let graphs = whole.keys().find(|file| file.ends_with("image.graph"));
    let of_graphs = graphs.unwrap().with_file_name("moments.sum");
    let newest = FileDamage::Folder("generations/g000006.json".into());
    // What only a writer that makes the same segment again takes; files that a manifest names and that
    // have no header; and several damages at once.
    let mut tried = vec![
        (0, vec![FileDamage::Deleted(of_graphs.clone())]),
        (
            0,
            vec![
                FileDamage::Flipped(of_graphs, 33, 1),
                first("skipped.jsonl"),
            ],
        ),
        (3, vec![newest.clone()]),
        (2, vec![newest, first("pairs.rec")]),
        (
            1,
            vec![FileDamage::Deleted("generations/g000005.json".into())],
        ),
    ];
    for file in whole.keys().filter(|file| file.ends_with("products.sum")) {
        tried.push((3, vec![FileDamage::Cut(file.clone(), 0)]));
    }
    for (n, damage) in collection.iter().enumerate().step_by(EVERY) {
        let other = &collection[(n * 7 + 11) % collection.len()];
        let apart = damage.hit().iter().all(|file| !other.hit().contains(file));
        let mut damages = vec![damage.clone()];
        damages.extend(Some(other.clone()).filter(|_| apart && n % 2 == 0));
        tried.push((n / EVERY, damages));
    }
    let mut wrong = Vec::new();
    for (number, damages) in &tried {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("a.asif");
        copy(&sound, &set);
        damages.iter().for_each(|damage| damage.apply(&set));
        let ended = write(&workshop, &set, *number);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        if ![Some(0), Some(3)].contains(&ended.status.code()) {
            wrong.push(format!("{damages:?}, {number}: {:?}: {said}", ended.status));
        }
        let gone = lost(&whole, damages, &set);
        if !gone.is_empty() {
            wrong.push(format!(
                "{damages:?}, writer {number}: {gone:?} lost: {said}"
            ));
        }
        let path = set.display().to_string();
        let repaired = workshop.encoding(&["repair", &path]);
        let said = String::from_utf8_lossy(&repaired.stderr).into_owned();
        let again = workshop.encoding(&["repair", &path]);
        if again.status.code() != repaired.status.code() {
            wrong.push(format!(
                "{damages:?}, {number}: a second repair ends otherwise: {said}"
            ));
        }
        if repaired.status.success() {
            let next = workshop.plain(&["anchors", "compact", "--keep", "20"], &set);
            let code = next.status.code();
            if code != Some(0) {
                let said = String::from_utf8_lossy(&next.stderr);
                wrong.push(format!(
                    "{damages:?}, {number}: after the repair {code:?}: {said}"
                ));
            }
        }
        let gone = lost(&whole, damages, &set);
        if !gone.is_empty() {
            wrong.push(format!(
                "{damages:?}, {number}: {gone:?} lost at the end: {said}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        tried.len(),
        wrong.join("\n")
    );
}

/// Without an encoder vectors cannot be brought back, but what needs none is.
#[test]
fn a_repair_without_an_encoder_mends_the_rest_and_gives_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let set = workshop.set("a.asif");
    let whole = files(&set);
    let vectors = whole.keys().find(|file| file.ends_with("image.vec"));
    let damages = [
        FileDamage::Deleted(vectors.unwrap().clone()),
        FileDamage::Deleted("CURRENT".into()),
        FileDamage::Cut("log/changes.jsonl".into(), 0),
    ];
    damages.iter().for_each(|damage| damage.apply(&set));
    assert!(mend(&set).unwrap_err().to_string().contains("no encoder"));
    assert_eq!(
        files(&set)[Path::new("CURRENT")],
        whole[Path::new("CURRENT")]
    );
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().count();
    let log = Path::new("log/changes.jsonl");
    assert_eq!(lines(&files(&set)[log]), lines(&whole[log]));
    assert_eq!(lost(&whole, &damages, &set), Vec::<PathBuf>::new());
    // Only the log that was written anew.
    let aside = fs_err::read_dir(set.join("damaged")).unwrap();
    let aside: Vec<_> = aside.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(aside, ["changes.jsonl"]);
    done(workshop.encoding(&["repair", &set.display().to_string()]));
    done(workshop.plain(&["verify", "--full"], &set));
}

/// The rows that a build leaves out are listed, though it makes the segment of an earlier one.
#[test]
fn skipped_rows_are_listed_where_the_pairs_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let first = workshop.pairs("first.jsonl", 0..6);
    let out = workshop.folder.join("a.asif");
    let path = out.display().to_string();
    done(workshop.encoding(&[
        "build", "--pairs", &first, "--out", &path, "--graph", "always",
    ]));
    let text = fs_err::read_to_string(&first).unwrap() + "{\"id\": \"third\"}\n";
    let other = workshop.folder.join("other.jsonl");
    fs_err::write(&other, text).unwrap();
    let other = other.display().to_string();
    done(workshop.encoding(&["build", "--overwrite", "--pairs", &other, "--out", &path]));
    let names: Vec<PathBuf> = files(&out).into_keys().collect();
    let list = names
        .iter()
        .find(|file| file.ends_with("skipped.jsonl"))
        .unwrap();
    let text = fs_err::read_to_string(out.join(list)).unwrap();
    assert_eq!(text.matches("first.jsonl, row").count(), 2, "{text}");
    assert_eq!(text.matches("other.jsonl, row").count(), 3, "{text}");
    assert!(
        names.iter().any(|file| file.ends_with("text.graph")),
        "{names:?}"
    );
    done(workshop.plain(&["verify", "--full"], &out));
}

/// The log knows how many pairs a generation had whose manifest cannot be read.
#[test]
fn a_rollback_from_a_damaged_manifest_tells_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let sound = workshop.set("whole.asif");
    let damaged = workshop.folder.join("damaged.asif");
    copy(&sound, &damaged);
    FileDamage::Cut("generations/g000006.json".into(), 40).apply(&damaged);
    let [right, found] = [&sound, &damaged].map(|set| {
        let done = workshop.plain(&["swap", "--to", "2", "--json"], set);
        assert!(done.status.success(), "{done:?}");
        let receipt: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        [
            "pairs_before",
            "pairs_after",
            "added",
            "removed",
            "licences_before",
        ]
        .map(|key| receipt[key].clone())
    });
    assert_ne!(right[0], 0);
    assert_eq!(found, right);
}
