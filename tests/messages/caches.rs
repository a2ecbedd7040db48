//! A cache of embeddings that cannot be used costs time, never an answer.

use std::path::Path;

use super::Bench;
use super::support::{names_in, run};

/// A bench with a set, and the files of a good cache.
fn cached_bench() -> (Bench, Vec<String>) {
    let bench = Bench::new();
    bench.set("a.asif", 4);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    bench.pairs("more.jsonl", &[bench.pair(9)]);
    let names = names_in(&bench.at("home/cache/embeddings"));
    assert_eq!(names.len(), 2);
    (bench, names)
}

/// Spoils the cache in a folder whose files have these names.
type Spoil = fn(&Path, &[String]);

const SPOILED: [(&str, Spoil); 6] = [
    ("a file in the way", |folder, _| {
        fs_err::write(folder, b"in the way").unwrap();
    }),
    ("a link to nowhere", |folder, _| {
        fs_err::os::unix::fs::symlink("/proc/none/none", folder).unwrap();
    }),
    ("folders instead of files", |folder, names| {
        for name in names {
            fs_err::create_dir_all(folder.join(name)).unwrap();
        }
    }),
    ("devices that are full", |folder, names| {
        fs_err::create_dir_all(folder).unwrap();
        for name in names {
            fs_err::os::unix::fs::symlink("/dev/full", folder.join(name)).unwrap();
        }
    }),
    ("another format", |folder, names| {
        fs_err::create_dir_all(folder).unwrap();
        for name in names {
            let bytes = [&b"ASIFEMB2"[..], &[7; 4000]].concat();
            fs_err::write(folder.join(name), bytes).unwrap();
        }
    }),
    ("links in a circle", |folder, names| {
        fs_err::create_dir_all(folder).unwrap();
        for name in names {
            fs_err::os::unix::fs::symlink(name, folder.join(name)).unwrap();
        }
    }),
];

#[test]
fn a_cache_that_cannot_be_used_ends_no_command() {
    let (bench, names) = cached_bench();
    let asked = [
        "--index",
        "a.asif",
        "--labels",
        "dog,cat",
        "--json",
        "data/dog/a.png",
    ];
    let commands: [Vec<&str>; 5] = [
        [&["classify"][..], &asked].concat(),
        [&["explain"][..], &asked].concat(),
        vec![
            "eval",
            "zeroshot",
            "--index",
            "a.asif",
            "--dataset",
            "data",
            "--json",
        ],
        vec!["build", "--pairs", "a.asif.jsonl", "--out", "new.asif"],
        vec!["anchors", "add", "copy.asif", "--pairs", "more.jsonl"],
    ];
    let expected: Vec<String> = commands[..3]
        .iter()
        .map(|c| bench.run(c).ok().out)
        .collect();
    for (number, (what, spoil)) in SPOILED.iter().enumerate() {
        let folder = bench.at(&format!("cache{number}"));
        spoil(&folder, &names);
        let _ = fs_err::remove_dir_all(bench.at("new.asif"));
        let _ = fs_err::remove_dir_all(bench.at("copy.asif"));
        super::support::copy_folder(&bench.at("a.asif"), &bench.at("copy.asif"));
        for (words, expected) in commands
            .iter()
            .zip(expected.iter().map(Some).chain([None, None]))
        {
            let ended = run(bench.asif().args(words).env("ASIF_CACHE", &folder)).ok();
            let warned = ended.err.matches("the embedding cache").count();
            assert_eq!(warned, 1, "{what}: {words:?}: {}", ended.err);
            if let Some(expected) = expected {
                assert_eq!(&ended.out, expected, "{what}: {words:?}");
            }
        }
        if *what == "another format" {
            let left = fs_err::read(folder.join(&names[0])).unwrap();
            assert!(left.starts_with(b"ASIFEMB2\x07") && left.len() == 4008);
        }
    }
}

#[test]
fn a_disk_without_room_takes_no_answer() {
    let (bench, _) = cached_bench();
    let words = [
        "classify",
        "--quiet",
        "--index",
        "a.asif",
        "--labels",
        "dog,cat",
        "data/dog/a.png",
    ];
    let full = run(bench.asif().args(words).env("ASIF_TEST_FAIL", "full:1")).ok();
    assert_eq!(full.err.matches("takes no more").count(), 1, "{}", full.err);
    let room = bench.run(&words).ok();
    assert_eq!((room.out, room.err.as_str()), (full.out, ""));
}

#[test]
fn a_cache_that_somebody_keeps_locked_is_read_and_not_waited_for() {
    let (bench, names) = cached_bench();
    let words = [
        "classify",
        "--quiet",
        "--index",
        "a.asif",
        "--labels",
        "dog,cat",
        "data/dog/a.png",
    ];
    let expected = bench.run(&words).ok().out;
    let cache = bench.at("home/cache/embeddings");
    let held: Vec<_> = names
        .iter()
        .map(|n| fs_err::File::open(cache.join(n)).unwrap())
        .collect();
    held.iter().for_each(|file| file.lock().unwrap());
    let known = bench.run(&words).ok();
    assert_eq!(
        (known.out, known.err.as_str()),
        (expected, ""),
        "all of it is in the cache"
    );
    bench.picture("new.png", 77);
    let new = bench
        .run(&[
            "classify", "--index", "a.asif", "--labels", "dog,cat", "new.png",
        ])
        .ok();
    assert!(new.err.contains("keeps it locked"), "{}", new.err);
}
