//! Purges of what lies beside the stored pairs: leftovers of killed commands, details of the log, lists of
//! skipped rows; and a purge that ends half way.

use std::path::Path;

use asif::anchors::care::check;
use serde_json::{Value, json};

use super::Bench;
use super::purges::holding;
use super::support::run;

const PERSON: &str = "Jane Doe1";
const CAPTION: &str = "dog zebra-unique";

/// A set `a.asif` of plain pairs and one of the person, which is removed.
fn with_removed(bench: &Bench) {
    with_person(bench);
    remove(bench, "a.asif");
}

fn with_person(bench: &Bench) {
    let mut rows: Vec<Value> = (0..4).map(|n| bench.pair(n)).collect();
    rows[1]["id"] = json!("person-id-001");
    rows[1]["caption"] = json!(CAPTION);
    rows[1]["photographer"] = json!(PERSON);
    bench.pairs("pairs.jsonl", &rows);
    let build = ["build", "--pairs", "pairs.jsonl", "--out", "a.asif"];
    bench.run(&build).ok();
    // What the rows were read from is the user's.
    fs_err::remove_file(bench.at("pairs.jsonl")).unwrap();
}

fn remove(bench: &Bench, set: &str) {
    let filter = format!("photographer=\"{PERSON}\"");
    bench
        .run(&["anchors", "remove", set, "--where", &filter])
        .ok();
}

fn purge<'a>(set: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["audit", set, "--where", "photographer=Jane Doe1", "--purge"];
    [&words, more].concat()
}

fn assert_gone(bench: &Bench) {
    for needle in [PERSON, "person-id-001", CAPTION] {
        let found = holding(bench.path(), needle.as_bytes());
        assert!(found.is_empty(), "{needle}: {found:?}");
    }
}

/// A folder as a build makes it, which holds the caption.
fn build(folder: &Path) {
    let segment = folder.join("segments/.writing-Ab12Cd");
    fs_err::create_dir_all(&segment).unwrap();
    fs_err::write(segment.join("pairs.rec"), CAPTION).unwrap();
    fs_err::write(folder.join("LOCK"), "process 1 on nowhere").unwrap();
}

fn receipt(bench: &Bench) -> Value {
    let text = fs_err::read_to_string(bench.at("r.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// By a bare name, by a path, and by a link to a folder that lies elsewhere.
#[test]
fn leftovers_beside_a_set_go_however_the_set_is_named() {
    for (given, beside) in [("a.asif", ""), ("./a.asif", ""), ("link.asif", "real")] {
        let bench = Bench::new();
        with_removed(&bench);
        if given == "link.asif" {
            fs_err::create_dir(bench.at("real")).unwrap();
            fs_err::rename(bench.at("a.asif"), bench.at("real/a.asif")).unwrap();
            std::os::unix::fs::symlink("real/a.asif", bench.at(given)).unwrap();
        }
        let at = |name: &str| bench.at(beside).join(name);
        build(&at(".a.asif.building-dEad01"));
        build(&at(".other.asif.building-dEad02"));
        fs_err::write(at(".rep.html.tmp-Ab12Cd34Ef56"), CAPTION).unwrap();
        fs_err::write(at(".mine.jsonl.tmp"), "nobody").unwrap();
        let audit = bench
            .run(&["audit", given, "person-id-001"])
            .fails(3, &["remove them"]);
        for named in [".other.asif.building-dEad02", ".rep.html.tmp-"] {
            assert!(audit.out.contains(named), "{given}: {}", audit.out);
        }
        bench.run(&purge(given, &["--receipt", "r.json"])).ok();
        assert_gone(&bench);
        let receipt = receipt(&bench);
        assert_eq!(receipt["result"], "verified: none found", "{receipt}");
        assert_eq!(receipt["leftovers_removed"], 3, "{receipt}");
        assert!(at(".mine.jsonl.tmp").exists(), "it holds nothing of them");
    }
}

/// What a running build holds stays, and is named.
#[test]
fn what_a_running_build_holds_is_named() {
    let bench = Bench::new();
    with_removed(&bench);
    let running = bench.at(".other.asif.building-lIve01");
    build(&running);
    let lock = asif::anchors::stored::publish::WriteLock::acquire(&running).unwrap();
    let ended = bench.run(&purge("a.asif", &["--receipt", "r.json"])).fails(
        3,
        &["a running process is writing it", "1 files still hold"],
    );
    assert!(ended.out.contains("building-lIve01"), "{}", ended.out);
    assert!(running.join("segments/.writing-Ab12Cd/pairs.rec").exists());
    let receipt = receipt(&bench);
    assert_eq!(
        (&receipt["leftovers_kept"], &receipt["files_with_traces"]),
        (&json!(1), &json!(1))
    );
    drop(lock);
    fs_err::remove_dir_all(&running).unwrap();
    bench.run(&purge("a.asif", &[])).ok();
    assert_gone(&bench);
}

/// Names like those of leftovers are given by people and other programs too.
#[test]
fn what_asif_may_not_have_written_is_named_and_stays() {
    let bench = Bench::new();
    with_removed(&bench);
    let own = [
        ".work.tmp/notes",
        ".x.tmp-my notes/notes",
        ".album.building-plans/notes",
        ".album.building-garden/notes",
        ".foo.tmp",
        ".x.tmp-photographer",
    ];
    for name in own {
        fs_err::create_dir_all(bench.at(name).parent().unwrap()).unwrap();
        fs_err::write(bench.at(name), CAPTION).unwrap();
    }
    let words = purge("a.asif", &["--receipt", "r.json"]);
    let ended = bench.run(&words).fails(3, &["6 files still hold"]);
    for name in own {
        let held = fs_err::read_to_string(bench.at(name)).unwrap();
        assert_eq!(held, CAPTION, "{name}");
        let top = name.split('/').next().unwrap();
        let told = format!("{top} was left: it contains data of these pairs");
        assert!(ended.err.contains(&told), "{told}: {}", ended.err);
    }
    assert_eq!(receipt(&bench)["leftovers_kept"], own.len());
    for name in own {
        let top = bench.at(name.split('/').next().unwrap());
        match top.is_dir() {
            true => fs_err::remove_dir_all(top).unwrap(),
            false => fs_err::remove_file(top).unwrap(),
        }
    }
    bench.run(&words).ok();
    assert_gone(&bench);
}

/// Whichever step fails, the same command does the rest, also for an id that only a skipped row has.
#[test]
fn a_purge_that_was_stopped_can_be_given_again() {
    const ID: &str = "left-out-001";
    let bench = Bench::new();
    let mut rows: Vec<Value> = (0..3).map(|n| bench.pair(n)).collect();
    let image = format!("{ID}.png");
    rows.push(json!({"id": ID, "image": image, "caption": "dog"}));
    bench.pairs("pairs.jsonl", &rows);
    let words = ["build", "--pairs", "pairs.jsonl", "--out", "first.asif"];
    bench.run(&words).ok();
    fs_err::remove_file(bench.at("pairs.jsonl")).unwrap();
    fs_err::create_dir(bench.at("sets")).unwrap();
    let mut stopped = 0;
    for step in 1.. {
        let set = bench.at("sets/a.asif");
        let _ = fs_err::remove_dir_all(&set);
        copy_tree(&bench.at("first.asif"), &set);
        fs_err::create_dir(set.join("damaged")).unwrap();
        let words = ["audit", "sets/a.asif", ID, "--purge"];
        let mut failing = bench.asif();
        failing.args(words);
        failing.env("ASIF_TEST_FAIL", format!("error:{step}"));
        failing.env("ASIF_TEST_FAILED", bench.at("failed"));
        let ended = run(&mut failing);
        if !bench.at("failed").exists() {
            break;
        }
        fs_err::remove_file(bench.at("failed")).unwrap();
        if ended.code == Some(0) {
            continue;
        }
        stopped += usize::from(ended.err.contains("run the same command again"));
        let again = bench.run(&words);
        assert_eq!(again.code, Some(0), "{step}: {} {}", ended.err, again.err);
        let found = holding(&set, ID.as_bytes());
        assert!(found.is_empty(), "{step}: {found:?}");
        assert_eq!(check::verify(&set, true).unwrap(), []);
    }
    assert!(stopped > 10, "{stopped}");
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        match entry.file_type().is_dir() {
            true => fs_err::create_dir(to).unwrap(),
            false => drop(fs_err::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn the_name_of_a_set_that_a_swap_took_from_goes_too() {
    let bench = Bench::new();
    with_person(&bench);
    let other = format!("{PERSON}.asif");
    bench.set("other.asif", 3);
    fs_err::rename(bench.at("other.asif"), bench.at(&other)).unwrap();
    bench.run(&["swap", "a.asif", "--from", &other]).ok();
    bench.run(&["rollback", "a.asif"]).ok();
    remove(&bench, "a.asif");
    bench.run(&purge("a.asif", &[])).ok();
    let found = holding(&bench.at("a.asif"), PERSON.as_bytes());
    assert!(found.is_empty(), "{found:?}");
    let history = bench.run(&["history", "a.asif"]).ok().out;
    for told in ["generation 1 of blake3:", "content of generation 1"] {
        assert!(history.contains(told), "{told}: {history}");
    }
    assert_eq!(check::verify(&bench.at("a.asif"), true).unwrap(), []);
}

/// The lists of skipped rows of the live generation, as text.
fn listed(set: &Path) -> String {
    let set = asif::anchors::AnchorSet::open(set).unwrap();
    // A segment may stand twice in a set.
    let paths: std::collections::BTreeSet<_> = set.segments().iter().map(|s| s.path()).collect();
    let list = |path| fs_err::read_to_string(Path::join(path, "skipped.jsonl")).unwrap_or_default();
    paths.into_iter().map(list).collect()
}

#[test]
fn skipped_rows_stay_listed_when_segments_are_written_again() {
    let bench = Bench::new();
    let none = |id: &str| json!({"id": id, "image": format!("{id}-none.png"), "caption": "dog"});
    let mut rows: Vec<Value> = (0..4).map(|n| bench.pair(n)).collect();
    rows.push(none("a3"));
    bench.pairs("one.jsonl", &rows);
    let more: Vec<Value> = (4..6).map(|n| bench.pair(n)).collect();
    bench.pairs("two.jsonl", &[more, vec![none("a4")]].concat());
    bench
        .run(&["build", "--pairs", "one.jsonl", "--out", "a.asif"])
        .ok();
    bench
        .run(&["anchors", "add", "a.asif", "--pairs", "two.jsonl"])
        .ok();
    let set = bench.at("a.asif");
    let assert_listed = |when: &str| {
        let list = listed(&set);
        for row in ["a3-none.png", "a4-none.png"] {
            assert!(list.contains(row), "{when}: {list}");
        }
        assert_eq!(list.lines().count(), 2, "{when}: {list}");
        let inspected = bench.run(&["inspect", "a.asif"]).ok().out;
        assert!(inspected.contains("2 rows were skipped"), "{inspected}");
        bench.run(&["verify", "--full", "a.asif"]).ok();
    };
    assert_listed("added");
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p4", "--id", "p5"])
        .ok();
    bench
        .run(&["anchors", "add", "a.asif", "--pairs", "two.jsonl"])
        .ok();
    assert_listed("added again");
    bench.run(&["anchors", "compact", "a.asif"]).ok();
    bench
        .run(&["anchors", "compact", "a.asif", "--keep", "1"])
        .ok();
    assert_listed("compacted");
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p1"])
        .ok();
    bench.run(&["audit", "a.asif", "p1", "--purge"]).ok();
    assert_listed("purged");
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p2"])
        .ok();
    let purged = bench
        .run(&["audit", "a.asif", "p2", "a4", "--purge", "--json"])
        .ok();
    assert_eq!(purged.json()["skip_rows_removed"], 1);
    let list = listed(&set);
    assert!(list.contains("a3-none.png") && !list.contains("a4-none.png"));
    let inspected = bench.run(&["inspect", "a.asif"]).ok().out;
    assert!(inspected.contains("1 row was skipped"), "{inspected}");
    bench.run(&["verify", "--full", "a.asif"]).ok();
}

/// It says how far it got and that there is no receipt; mended, the same command does the rest.
#[test]
fn a_purge_that_ends_half_way_says_how_far_it_got() {
    let bench = Bench::new();
    with_removed(&bench);
    let cache = bench.at("home/cache/embeddings");
    let files: Vec<_> = fs_err::read_dir(&cache).unwrap().collect();
    for file in &files {
        let path = file.as_ref().unwrap().path();
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[7] = b'9';
        fs_err::write(&path, bytes).unwrap();
    }
    let words = purge("a.asif", &["--receipt", "r.json"]);
    bench.run(&words).fails(
        1,
        &[
            "newer asif",
            "the purge of a.asif is incomplete (done: uploaded pictures; not done: cached embeddings,",
            "run the same command again",
            "r.json was not written, because the purge is not complete",
        ],
    );
    assert!(!bench.at("r.json").exists());
    bench
        .run(&["audit", "a.asif", "person-id-001"])
        .fails(3, &["remove them"]);
    fs_err::remove_dir_all(&cache).unwrap();
    bench.run(&words).ok();
    assert_gone(&bench);
    let receipt = receipt(&bench);
    assert_eq!(receipt["result"], "verified: none found", "{receipt}");
    assert_eq!(receipt["requested_pairs"], 1);
}
