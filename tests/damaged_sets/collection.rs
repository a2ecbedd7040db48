//! The collection, one damage after another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use asif::anchors::care::check::{IntegrityFinding, verify};
use asif::anchors::{AnchorSet, AnchorsError};

use super::damage::{FileDamage, all};
use super::look::{SetVerdict, look, mend};
use super::sets::{SetWorkshop, files};
use super::synthetic::copy;

/// One damage in so many is tried, unless `ASIF_TEST_DAMAGES_EVERY` says otherwise.
const EVERY: usize = 3;

/// What a sound set is, to compare with.
struct UndamagedSet {
    set: PathBuf,
    answer: Option<String>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl UndamagedSet {
    fn of(set: &Path) -> Self {
        let said = look(set);
        assert_eq!(said.quick, Ok(vec![]));
        assert_eq!(said.full, Ok(vec![]));
        assert_eq!((said.word, &said.served.1), (None, &None));
        assert_eq!(said.served.0, said.answer);
        Self {
            set: set.to_owned(),
            answer: said.answer,
            files: files(set),
        }
    }
}

#[test]
fn everybody_says_the_same_of_a_damaged_set_and_nothing_intact_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let whole = UndamagedSet::of(&workshop.set("whole.asif"));
    let mut collection = all(&whole.set);
    assert!(collection.len() > 1000, "{}", collection.len());
    // All of it takes minutes; what CI runs is spread evenly over it.
    let every = std::env::var("ASIF_TEST_DAMAGES_EVERY").map_or(EVERY, |n| n.parse().unwrap());
    let mut number = 0usize;
    collection.retain(|_| {
        number += 1;
        number.is_multiple_of(every)
    });
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(damage) = collection.get(next.fetch_add(1, Ordering::Relaxed)) {
            let number = next.load(Ordering::Relaxed);
            if let Err(what) = try_one(&workshop, &whole, damage, number) {
                wrong.lock().unwrap().push(format!("{damage:?}: {what}"));
            }
        }
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(work)));
    });
    let wrong = wrong.into_inner().unwrap();
    let few = wrong.iter().take(40).cloned().collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        collection.len(),
        few.join("\n")
    );
}

/// Says what is wrong, if anything is.
fn try_one(
    workshop: &SetWorkshop,
    whole: &UndamagedSet,
    damage: &FileDamage,
    number: usize,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("a.asif");
    copy(&whole.set, &set);
    damage.apply(&set);
    let said = look(&set);
    before(whole, &said)?;
    if number.is_multiple_of(40) {
        through_the_program(workshop, &set, &said)?;
    }
    after(workshop, whole, damage, &set, &said)
}

/// What is said while the damage is there.
fn before(whole: &UndamagedSet, said: &SetVerdict) -> Result<(), String> {
    let sound =
        |found: &Result<Vec<IntegrityFinding>, String>| found.as_ref().is_ok_and(Vec::is_empty);
    let (quick, full) = (sound(&said.quick), sound(&said.full));
    let unspoken = said.word.is_none() && said.answer != whole.answer;
    if unspoken {
        return Err("another answer without a word".into());
    }
    if said.served.1.is_none() && said.served.0 != whole.answer {
        return Err("a server gives another answer without a word".into());
    }
    if said.word.is_some() != said.served.1.is_some() {
        return Err(format!(
            "commands say {:?}, health {:?}",
            said.word, said.served.1
        ));
    }
    if said.word.is_some() && said.answer != said.served.0 {
        return Err("commands and a server answer from different generations".into());
    }
    if (quick || full) && said.word.is_some() {
        return Err(format!("sound ({quick}, {full}), but {:?}", said.word));
    }
    if full && !quick {
        return Err(format!("only the quick look finds {:?}", said.quick));
    }
    Ok(())
}

fn after(
    workshop: &SetWorkshop,
    whole: &UndamagedSet,
    damage: &FileDamage,
    set: &Path,
    said: &SetVerdict,
) -> Result<(), String> {
    let damaged = files(set);
    let sound = said.full.as_ref().is_ok_and(Vec::is_empty);
    let left = match mend(set) {
        Ok(done) => {
            let now = files(set);
            let same =
                |file: &PathBuf| file.ends_with("LOCK") || now.get(file) == damaged.get(file);
            let unchanged = now.keys().chain(damaged.keys()).all(same);
            if sound && !(done.mended.is_empty() && unchanged) {
                return Err(format!("sound, but repair did {:?}", done.mended));
            }
            if !sound && done.mended.is_empty() && done.left.is_empty() {
                return Err("repair finds nothing".into());
            }
            done.left
        }
        // Vectors are lost: the program brings them back from the pictures.
        Err(AnchorsError::NoPairs { .. }) => {
            let path = set.display().to_string();
            let ended = workshop.encoding(&["repair", &path]);
            let code = ended.status.code();
            if ![Some(0), Some(3)].contains(&code) {
                let said = String::from_utf8_lossy(&ended.stderr);
                return Err(format!("repair ended with {code:?}: {said}"));
            }
            verify(set, true).map_err(|e| e.to_string())?
        }
        Err(error) => {
            return match nothing_else_changed(whole, damage, set) {
                Ok(()) if said.answer.is_none() => Ok(()),
                Ok(()) => Err(format!("it answers, but repair fails: {error}")),
                lost => lost,
            };
        }
    };
    let now = look(set);
    if now.full.as_ref() != Ok(&left) {
        return Err(format!("repair left {left:?}, verify finds {:?}", now.full));
    }
    if now.word.is_some() || now.served.1.is_some() {
        return Err(format!(
            "after the repair: {:?}, {:?}",
            now.word, now.served.1
        ));
    }
    if said.answer == whole.answer && now.answer != whole.answer {
        let opened = AnchorSet::open(set).unwrap();
        return Err(format!(
            "it answered as ever, and after the repair (generation {}) it does not",
            opened.manifest().generation
        ));
    }
    nothing_else_changed(whole, damage, set)
}

/// Every file that was intact is there with its bytes, in its place or among what was put aside.
/// `CURRENT`, the log and the lock are written anew.
fn nothing_else_changed(
    whole: &UndamagedSet,
    damage: &FileDamage,
    set: &Path,
) -> Result<(), String> {
    let now = files(set);
    let hit = damage.hit();
    for (file, bytes) in &whole.files {
        let anew = ["CURRENT", "LOCK", "log/changes.jsonl"].contains(&file.to_str().unwrap());
        if anew || hit.contains(&file.as_path()) {
            continue;
        }
        let aside = |(path, found): (&PathBuf, &Vec<u8>)| {
            path.starts_with("damaged") && path.file_name() == file.file_name() && found == bytes
        };
        if now.get(file) != Some(bytes) && !now.iter().any(aside) {
            return Err(format!("{} is lost", file.display()));
        }
    }
    Ok(())
}

/// The binary says the same, with documented exit codes.
fn through_the_program(
    workshop: &SetWorkshop,
    set: &Path,
    said: &SetVerdict,
) -> Result<(), String> {
    let run = |words: &[&str]| {
        let ended = workshop.plain(words, set);
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code(), err)
    };
    let sound =
        |found: &Result<Vec<IntegrityFinding>, String>| found.as_ref().is_ok_and(Vec::is_empty);
    let code = |sound: bool| Some(if sound { 0 } else { 3 });
    // The log and older manifests answer nothing, but who opens the set is told of them.
    let is_told = |finding: &IntegrityFinding| {
        let of = |part: &str| finding.problem.contains(part);
        of("log/changes.jsonl") || of("generations/") && of(".json:")
    };
    let doubt = said
        .quick
        .as_ref()
        .is_ok_and(|found| found.iter().any(is_told));
    let warned = said.word.is_some() || doubt;
    for (words, expected) in [
        (&["verify"][..], code(sound(&said.quick))),
        (&["verify", "--full"], code(sound(&said.full))),
        (&["repair", "--dry-run"], code(sound(&said.full))),
        (&["inspect"], code(said.answer.is_some())),
    ] {
        let (found, err) = run(words);
        if found != expected {
            return Err(format!(
                "{words:?} ended with {found:?}, not {expected:?}: {err}"
            ));
        }
        if words == ["inspect"] && found == Some(0) && err.contains("warning") != warned {
            return Err(format!("inspect says {err:?}, others {:?}", said.word));
        }
    }
    let picture = workshop.folder.join("1.png").display().to_string();
    let path = set.display().to_string();
    let labels = [
        "classify", "--index", &path, "--labels", "dog,cat", &picture,
    ];
    let ended = workshop.encoding(&labels);
    let err = String::from_utf8_lossy(&ended.stderr);
    let expected = code(said.answer.is_some());
    if ended.status.code() != expected {
        return Err(format!(
            "classify ended with {:?}, not {expected:?}: {err}",
            ended.status.code()
        ));
    }
    if expected == Some(0) && err.contains("warning") != warned {
        return Err(format!("classify says {err:?}, others {:?}", said.word));
    }
    Ok(())
}
