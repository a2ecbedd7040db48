//! What the system refuses to show is not taken for absent. A link that leads to itself is refused to
//! everybody, whoever runs the tests.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use asif::anchors::stored::layout;
use fs_err as fs;
use serde_json::{Value, json};

use super::Bench;
use super::outputs::asked;
use super::purges::upload;
use super::support::{Ended, names_in};

/// Where it is meanwhile, under a hidden name, which no command takes for a set.
fn away(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.with_file_name(format!(".away-{name}"))
}

/// Nothing can be looked at under this path any more.
fn refuse(path: &Path) {
    if path.exists() {
        fs::rename(path, away(path)).unwrap();
    }
    symlink(path, path).unwrap();
}

fn allow(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::rename(away(path), path).unwrap();
}

/// A set whose pair `gone` is removed and has an image of its own.
fn set_with_removed(bench: &Bench, image: &Path) {
    let mut rows: Vec<_> = (0..4).map(|n| bench.pair(n)).collect();
    rows.push(json!({"id": "gone-pair", "image": image, "caption": "dog"}));
    bench.pairs("pairs.jsonl", &rows);
    asked(bench, "build --pairs pairs.jsonl --out sets/a.asif", "").ok();
    asked(
        bench,
        "anchors remove sets/a.asif --id gone-pair --keep 2",
        "",
    )
    .ok();
}

fn purge(bench: &Bench) -> Ended {
    asked(
        bench,
        "audit sets/a.asif gone-pair --purge --receipt r.json",
        "",
    )
}

fn receipt(bench: &Bench) -> Value {
    serde_json::from_str(&fs::read_to_string(bench.at("r.json")).unwrap()).unwrap()
}

#[test]
fn a_set_that_cannot_be_read_keeps_its_pictures() {
    for is_refused in [false, true] {
        let bench = Bench::new();
        let image = upload(&bench, 201);
        set_with_removed(&bench, &image);
        asked(&bench, "build --pairs pairs.jsonl --out sets/b.asif", "").ok();
        let other = bench.at("sets/b.asif");
        if is_refused {
            refuse(&other);
        } else {
            let folder = layout::generations_folder(&other);
            for name in names_in(&folder) {
                fs::write(folder.join(name), "damaged").unwrap();
            }
        }
        let why = "cannot be read completely, and a live pair there may use it";
        let told = purge(&bench).fails(3, &["not verified", "b.asif", why]);
        assert!(image.is_file(), "{}", told.err);
        let receipt = receipt(&bench);
        assert_eq!(receipt["other_sets_unread"], 1, "{receipt}");
        assert_eq!(receipt["pictures_unread"], 1, "{receipt}");
        assert_eq!(receipt["uploads_deleted"], 0, "{receipt}");
    }
}

#[test]
fn the_source_of_a_swap_that_is_refused_is_told() {
    let bench = Bench::new();
    set_with_removed(&bench, &bench.picture("x.png", 77));
    asked(&bench, "build --pairs pairs.jsonl --out far", "").ok();
    asked(&bench, "swap sets/a.asif --from far", "").ok();
    asked(&bench, "anchors remove sets/a.asif --id gone-pair", "").ok();
    // The file system's own folder is not an anchor set that is kept from the user.
    symlink("lost+found", bench.at("sets/lost+found")).unwrap();
    refuse(&bench.at("far"));
    purge(&bench).fails(3, &["1 other anchor sets could not be read", "far"]);
    assert_eq!(receipt(&bench)["other_sets_unread"], 1);
    allow(&bench.at("far"));
    asked(&bench, "anchors remove far --id gone-pair", "").ok();
    asked(&bench, "audit far --purge", "").ok();
    purge(&bench).ok();
}

#[test]
fn a_picture_that_is_refused_is_not_gone_and_its_receipt_says_so_for_good() {
    let bench = Bench::new();
    let image = upload(&bench, 201);
    set_with_removed(&bench, &image);
    refuse(&bench.at("uploads"));
    asked(&bench, "audit sets/a.asif gone-pair", "").fails(3, &[]);
    purge(&bench).fails(3, &["cannot be read", "1 images could not be read"]);
    let first = receipt(&bench);
    assert_eq!(first["pairs"], 1, "{first}");
    assert_eq!(first["pictures_unread"], 1, "{first}");
    allow(&bench.at("uploads"));
    purge(&bench).fails(3, &["1 images could not be read"]);
    let again = receipt(&bench);
    for key in ["pairs", "ids", "requested_pairs", "pictures_unread"] {
        assert_eq!(again[key], first[key], "{key}");
    }
    assert!(image.is_file());
}

/// A further purge of the same request knows the pairs no more.
#[test]
fn a_receipt_takes_over_what_the_one_of_before_proves() {
    let bench = Bench::new();
    set_with_removed(&bench, &bench.picture("x.png", 77));
    fs::write(bench.at("sets/a.asif/notes.txt"), "about gone-pair").unwrap();
    purge(&bench).fails(3, &["still hold"]);
    let mut first = receipt(&bench);
    assert_eq!(first["pairs"], 1, "{first}");
    // As long as that of a large set.
    let more = (0..400_000).map(|n| json!(format!("blake3:{n:032x}")));
    let ids = first["ids"].as_array_mut().unwrap();
    ids.splice(0..0, more);
    let count = ids.len();
    let text = serde_json::to_string_pretty(&first).unwrap();
    assert!(text.len() > 16 << 20);
    fs::write(bench.at("r.json"), text).unwrap();
    fs::remove_file(bench.at("sets/a.asif/notes.txt")).unwrap();
    purge(&bench).ok();
    let last = receipt(&bench);
    assert_eq!(last["result"], "verified: none found");
    assert_eq!(last["ids"].as_array().unwrap().len(), count);
    for key in ["pairs", "requested_pairs", "embeddings_forgotten"] {
        assert_eq!(last[key], first[key], "{key}");
        assert!(first[key].as_u64().unwrap() > 0, "{key}");
    }
    let dropped = |receipt: &Value| receipt["generations_before"].as_array().unwrap().len();
    assert!(dropped(&last) > dropped(&first));
}

#[test]
fn what_is_put_aside_and_refused_is_not_absent() {
    let bench = Bench::new();
    set_with_removed(&bench, &bench.picture("x.png", 77));
    let segments = layout::segments_folder(&bench.at("sets/a.asif"));
    let before = names_in(&segments);
    refuse(&bench.at("sets/a.asif/damaged"));
    let ended = purge(&bench);
    assert!(ended.code != Some(0), "{}", ended.err);
    assert!(ended.err.contains("damaged"), "{}", ended.err);
    assert_eq!(names_in(&segments), before);
    fs::remove_file(bench.at("sets/a.asif/damaged")).unwrap();
    purge(&bench).ok();
}

#[test]
fn a_damaged_log_and_a_source_that_is_refused_still_guard_sources() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    asked(&bench, "anchors export a.asif --out mine.jsonl", "").ok();
    let build = "build --overwrite --pairs mine.jsonl --out a.asif";
    asked(&bench, build, "").ok();
    let log = bench.at("a.asif/log/changes.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{text}no record\n")).unwrap();
    let export = "anchors export a.asif --out {}";
    asked(&bench, export, "mine.jsonl").fails(3, &["pairs of this anchor set come from it"]);
    asked(&bench, export, "x.jsonl").ok();
    // Under another name it may be the source.
    refuse(&bench.at("mine.jsonl"));
    asked(&bench, export, "x.jsonl").fails(3, &["may be a source of this anchor set"]);
    asked(&bench, export, "y.jsonl").ok();
}

#[test]
fn lists_of_ids_of_sets_in_one_folder_and_with_a_damaged_log_are_replaced() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let rows: Vec<_> = (5..12).map(|n| bench.pair(n)).collect();
    bench.pairs("other.jsonl", &rows);
    asked(&bench, "build --pairs other.jsonl --out b.asif", "").ok();
    for set in ["a.asif", "b.asif", "a.asif"] {
        let curate = format!("anchors curate {set} --coreset 3 --remove-ids ids");
        asked(&bench, &curate, "").ok();
    }
    let curate = "anchors curate a.asif --coreset 3 --remove-ids ids";
    asked(&bench, "anchors remove a.asif --ids-file ids", "").ok();
    let log = bench.at("a.asif/log/changes.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("no record\n{text}")).unwrap();
    let listed = fs::read(bench.at("ids")).unwrap();
    asked(&bench, curate, "").ok();
    // Of an earlier build nothing is known, and the message says how to go on.
    fs::write(bench.at("ids"), listed).unwrap();
    for set in ["a.asif", "b.asif"] {
        fs::remove_dir_all(bench.at(set)).unwrap();
    }
    asked(&bench, "build --pairs other.jsonl --out a.asif", "").ok();
    asked(&bench, curate, "").fails(3, &["delete it if it is an old list"]);
    fs::remove_file(bench.at("ids")).unwrap();
    asked(&bench, curate, "").ok();
}
