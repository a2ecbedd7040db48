//! Killed or refused at any moment, a writer leaves the old state or the new one.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print"
)]

mod synthetic;
mod tiny_onnx;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asif::anchors::remove::{Selection, remove};
use asif::anchors::swap::{Target, swap};
use asif::anchors::{AnchorId, AnchorSet, WriteOptions, check, history, manifest};
use asif::home::Home;
use serde_json::{Value, json};
use synthetic::{pair, set};

/// A command that needs no encoder, and must not look for one: its home is empty.
fn asif(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    command
        .env("ASIF_HOME", folder.join("no-home"))
        .env("ASIF_JSON", "true")
        .env_remove("ASIF_TEST_FAIL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ids(set: &AnchorSet) -> Vec<String> {
    (0..set.len() as AnchorId)
        .map(|a| set.pair_id(a).unwrap().to_owned())
        .collect()
}

/// What a set must be: the state before a command, and the one after it.
fn is_one_of(path: &Path, states: &[Value]) -> usize {
    let set = AnchorSet::open(path).unwrap();
    set.verify().unwrap();
    let found = json!(ids(&set));
    let generation = set.manifest().generation;
    let last = history::read(path).unwrap();
    assert_eq!(last.last().unwrap().generation, generation);
    assert_eq!(last.last().unwrap().pairs_after as usize, set.len());
    states
        .iter()
        .position(|s| s["ids"] == found && s["generation"] == generation)
        .unwrap_or_else(|| panic!("generation {generation} {found}, not one of {states:?}"))
}

fn state(generation: u64, ids: &[String]) -> Value {
    json!({"generation": generation, "ids": ids})
}

/// A sequence of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }
}

#[test]
fn killed_at_random_moments_three_hundred_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    let other = folder.path().join("b.asif");
    let expected = folder.path().join("expected.json");
    set(&path, 0..20);
    set(&other, 50..70);
    let other_ids = ids(&AnchorSet::open(&other).unwrap());
    let mut contents: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut numbers = Numbers(0x5EED_CAFE);
    // Follows the length of the commands, so that the kills are spread over them.
    let mut limit = 20_000.0_f64;
    let (mut old, mut new) = (0, 0);
    for round in 0..300 {
        let live = AnchorSet::open(&path).unwrap();
        let now = ids(&live);
        let generation = live.manifest().generation;
        contents.insert(generation, now.clone());
        let kept = manifest::kept(&path).unwrap();
        let mut command = asif(folder.path());
        let parent = live.manifest().parent.filter(|p| kept.contains(p));
        let after = match (numbers.below(6), parent) {
            (0, _) => {
                command.args(["anchors", "compact"]).arg(&path);
                let compact = live.segments().len() == 1 && live.live().stored() == live.len();
                if compact {
                    continue;
                }
                now.clone()
            }
            (1, Some(parent)) => {
                command.arg("rollback").arg(&path);
                contents[&parent].clone()
            }
            (2, _) => {
                let to = kept[numbers.below(kept.len() as u64) as usize];
                command
                    .arg("swap")
                    .arg(&path)
                    .args(["--to", &to.to_string()]);
                contents[&to].clone()
            }
            (3, _) if now.len() < 12 => {
                command.arg("swap").arg(&path).arg("--from").arg(&other);
                other_ids.clone()
            }
            _ if now.len() > 1 => {
                let gone = numbers.below(now.len() as u64) as usize;
                command.args(["anchors", "remove"]).arg(&path);
                command.args(["--id", &now[gone]]);
                let mut left = now.clone();
                left.remove(gone);
                left
            }
            _ => continue,
        };
        let states = [state(generation, &now), state(generation + 1, &after)];
        fs_err::write(&expected, json!(states).to_string()).unwrap();
        let mut child = command.args(["--keep", "4"]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(numbers.below(limit as u64)));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        let states: Vec<Value> = serde_json::from_slice(&fs_err::read(&expected).unwrap()).unwrap();
        let found = is_one_of(&path, &states);
        if ended.status.success() {
            assert_eq!(found, 1, "round {round} said that it was done");
        }
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
        assert!(
            ended.status.code().is_none_or(|c| c == 0),
            "round {round}: {said}"
        );
        limit = (limit * [1.1_f64, 0.92][found]).clamp(500.0, 200_000.0);
        *[&mut old, &mut new][found] += 1;
    }
    println!("old state {old} times, new state {new} times");
    assert!(
        old > 20 && new > 20,
        "the moments were not spread: {old} old, {new} new"
    );
    let files = |folder: &str| fs_err::read_dir(path.join(folder)).unwrap().count();
    let removed = asif(folder.path())
        .args([
            "swap",
            "--to",
            &manifest::kept(&path).unwrap()[0].to_string(),
            "--keep",
            "1",
        ])
        .arg(&path)
        .output()
        .unwrap();
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(files("generations"), 1 + usize::from(has_tombstones(&path)));
    let live = AnchorSet::open(&path).unwrap();
    assert_eq!(
        files("segments"),
        live.segments().len(),
        "nothing is left of the killed"
    );
    assert_eq!(check::verify(&path, true).unwrap(), []);
}

fn has_tombstones(path: &Path) -> bool {
    let live = AnchorSet::open(path).unwrap();
    live.manifest().tombstones.is_some()
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs_err::copy(entry.path(), to).unwrap();
        }
    }
}

/// A set with three generations, two of which have removed pairs, and another set.
fn template(folder: &Path) -> (PathBuf, PathBuf) {
    let path = folder.join("template.asif");
    let other = folder.join("other.asif");
    set(&path, 0..8);
    set(&other, 20..25);
    for n in [1, 2] {
        let selection = Selection::Ids {
            ids: [pair(n).record.id].into(),
            missing_ok: false,
        };
        remove(&path, &selection, &WriteOptions::default()).unwrap();
    }
    (path, other)
}

/// A change whose every file operation fails once.
struct Change {
    template: PathBuf,
    /// The command, which the set follows.
    words: Vec<String>,
}

/// The changes that need no encoder.
fn changes(folder: &Path) -> Vec<Change> {
    let (template, other) = template(folder);
    let id = pair(5).record.id;
    let other = other.display().to_string();
    let change = |words: &[&str]| Change {
        template: template.clone(),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
    };
    vec![
        change(&["anchors", "remove", "--id", &id]),
        change(&["anchors", "compact"]),
        change(&["rollback"]),
        change(&["swap", "--to", "1"]),
        change(&["swap", "--from", &other]),
        change(&["audit", "--purge"]),
    ]
}

/// The changes that encode, with encoders of a few nodes; none where there is no ONNX Runtime.
fn encoding_changes(folder: &Path) -> Vec<Change> {
    let runtime = Home::from_env().map(|home| home.runtime_library());
    let Some(runtime) = runtime.filter(|file| file.is_file()) else {
        // Not println!, which the test runner would hide.
        let _ = writeln!(
            stderr(),
            "skipped: build and add: no ONNX Runtime is set up"
        );
        assert!(std::env::var_os("ASIF_TEST_STRICT").is_none());
        return Vec::new();
    };
    tiny_onnx::encoders(folder);
    let at = |name: &str| folder.join(name).display().to_string();
    // The captions' words, so that no two pairs are the same.
    let pairs = |name: &str, numbers: std::ops::Range<u8>| {
        let mut lines = String::new();
        for n in numbers {
            let (image, colour) = (at(&format!("{n}.png")), image::Rgb([n * 9, 255 - n, 40]));
            image::RgbImage::from_pixel(8, 8, colour)
                .save(&image)
                .unwrap();
            let caption = ["dog", "cat", "tree", "dog cat"][usize::from(n) % 4];
            lines +=
                &json!({"id": format!("p{n}"), "image": image, "caption": caption}).to_string();
            lines.push('\n');
        }
        // A row that is left out makes one more file.
        lines += "{\"id\": \"bad\"}\n";
        fs_err::write(at(name), lines).unwrap();
        at(name)
    };
    let with = |words: &[&str], pairs: String| -> Vec<String> {
        let words = words.iter().map(|w| (*w).to_owned());
        let options = [
            ("--image-encoder", at("image")),
            ("--text-encoder", at("text")),
            ("--onnxruntime", runtime.display().to_string()),
            ("--pairs", pairs),
        ];
        let options = options.into_iter().flat_map(|(o, v)| [o.to_owned(), v]);
        words.chain(options).collect()
    };
    let template = folder.join("encoded.asif");
    let built = asif(folder)
        .args(with(&["build"], pairs("first.jsonl", 0..6)))
        .arg("--out")
        .arg(&template)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let mut added = with(&["anchors", "add"], pairs("more.jsonl", 6..9));
    let mut rebuilt = with(&["build", "--overwrite"], pairs("other.jsonl", 3..8));
    rebuilt.extend(["--graph", "always", "--out"].map(str::to_owned));
    // The set follows, and must be no further source.
    added.push("--".to_owned());
    [added, rebuilt]
        .map(|words| Change {
            template: template.clone(),
            words,
        })
        .into()
}

/// Every file operation of every change fails once, in every way: the set is what it was or what it
/// was to be, and the next change succeeds and leaves nothing behind.
#[test]
fn every_file_operation_may_fail() {
    if !cfg!(debug_assertions) {
        println!("skipped: failures are injected in builds with debug assertions only");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut changes = changes(folder.path());
    changes.extend(encoding_changes(folder.path()));
    let modes = ["error", "full", "abort", "torn"];
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        // More than there are cores: most of the time is waiting for the disk to sync.
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    let Some(change) = changes.get(task / modes.len()) else {
                        break;
                    };
                    // No other set lies beside the one that is changed.
                    let own = folder.path().join(task.to_string());
                    fs_err::create_dir_all(&own).unwrap();
                    every_operation(&own, change, modes[task % modes.len()]);
                }
            });
        }
    });
}

fn every_operation(folder: &Path, change: &Change, mode: &str) {
    let done = run(folder, change, "", &[]).0;
    let states = [before(&change.template), done];
    let (mut n, mut whole) = (0, 0);
    // More than one, because a failure that nobody needs to know of looks like the end.
    while whole < 3 {
        n += 1;
        let (_, ended) = run(folder, change, &format!("{mode}:{n}"), &states);
        let said = String::from_utf8_lossy(&ended.stdout);
        if ended.status.success() && !said.contains("\"warnings\"") {
            whole += 1;
        } else {
            whole = 0;
        }
        assert!(n < 400, "{:?} {mode} has no end: {ended:?}", change.words);
    }
    let steps = n - whole;
    let words: Vec<_> = change.words.iter().take(2).collect();
    println!("{words:?} {mode}: {steps} operations");
    // Of all operations, only some write bytes, which can be torn.
    let least = if mode == "torn" { 3 } else { 10 };
    assert!(steps > least, "{words:?} {mode}: only {steps}");
}

fn before(template: &Path) -> Value {
    let set = AnchorSet::open(template).unwrap();
    state(set.manifest().generation, &ids(&set))
}

/// Runs a change on a copy with a failure; checks what is left, and that another change succeeds.
fn run(folder: &Path, change: &Change, fail: &str, states: &[Value]) -> (Value, Output) {
    let path = folder.join("work.asif");
    let cache = folder.join("cache");
    let _ = fs_err::remove_dir_all(&path);
    let _ = fs_err::remove_dir_all(&cache);
    copy(&change.template, &path);
    let words = &change.words;
    let mut command = asif(folder);
    command.env("ASIF_CACHE", &cache).args(words).arg(&path);
    if !fail.is_empty() {
        command.env("ASIF_TEST_FAIL", fail);
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!said.contains("panicked"), "{fail}: {said}");
    if states.is_empty() {
        assert!(ended.status.success(), "{words:?}: {said}");
    } else {
        let found = is_one_of(&path, states);
        if ended.status.success() {
            assert_eq!(found, 1, "{words:?} {fail} said that it was done");
        }
        let next = if words[0] == "rollback" || found == 0 && states[0]["generation"] != 1 {
            Target::Previous
        } else {
            Target::Generation(states[found]["generation"].as_u64().unwrap())
        };
        let receipt = swap(&path, next, &WriteOptions::default()).unwrap();
        assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
        let logged = fs_err::read_to_string(history::log_path(&path)).unwrap();
        assert_eq!(
            logged.lines().count() as u64,
            receipt.change.generation,
            "{words:?} {fail}: the log lacks a change or tells of one too many"
        );
        assert_eq!(check::verify(&path, true).unwrap(), [], "{words:?} {fail}");
        nothing_is_left(&path, &format!("{words:?} {fail}"));
    }
    let set = AnchorSet::open(&path).unwrap();
    (state(set.manifest().generation, &ids(&set)), ended)
}

/// No hidden file, and no file that no kept generation names.
fn nothing_is_left(path: &Path, what: &str) {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs_err::read_dir(path.join(folder)).unwrap();
        let name = |e: std::io::Result<fs_err::DirEntry>| {
            e.unwrap().file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    };
    for folder in [".", "generations", "segments", "log"] {
        let hidden: Vec<_> = names(folder)
            .into_iter()
            .filter(|n| n.starts_with('.'))
            .collect();
        assert!(hidden.is_empty(), "{what}: {hidden:?}");
    }
    let (mut files, mut segments) = (BTreeSet::new(), BTreeSet::new());
    for generation in manifest::kept(path).unwrap() {
        let name = manifest::name(generation);
        let manifest = manifest::Manifest::read(path, &name).unwrap();
        files.insert(format!("{name}.json"));
        files.extend(manifest.tombstones.map(|t| t.file));
        segments.extend(manifest.segments.into_iter().map(|s| s.id));
    }
    assert_eq!(names("generations"), files, "{what}");
    assert_eq!(names("segments"), segments, "{what}");
}
