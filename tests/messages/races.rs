//! Two commands at once on one name: one wins, the other is told, and nothing is lost.

use std::process::Stdio;

use super::Bench;
use super::support::{names_in, run};

#[test]
fn of_two_builds_of_one_name_one_wins_and_the_other_is_told() {
    let bench = Bench::new();
    let rows: Vec<_> = (0..40).map(|n| bench.pair(n)).collect();
    let pairs = bench.pairs("pairs.jsonl", &rows);
    for round in 0..6 {
        let set = format!("r{round}.asif");
        let words = ["build", "--pairs", &pairs, "--out", &set];
        let start = |_| {
            let mut command = bench.asif();
            command
                .args(words)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let started: Vec<_> = (0..3).map(start).collect();
        let mut won = 0;
        for process in started {
            let ended = process.wait_with_output().unwrap();
            let err = String::from_utf8_lossy(&ended.stderr).into_owned();
            match ended.status.code() {
                Some(0) => won += 1,
                code => {
                    assert_eq!(code, Some(3), "{err}");
                    let told = [
                        "another process created it during this build",
                        "exists already",
                    ];
                    assert!(told.iter().any(|word| err.contains(word)), "{err}");
                    assert!(!err.contains("os error"), "{err}");
                }
            }
        }
        assert_eq!(won, 1);
        bench.run(&["verify", "--full", &set]).ok();
    }
    let left = names_in(bench.path());
    assert!(
        !left.iter().any(|name| name.contains("building")),
        "{left:?}"
    );
}

#[test]
fn what_stands_at_the_name_is_left_as_it_is() {
    let bench = Bench::new();
    let pairs = bench.pairs("pairs.jsonl", &[bench.pair(0), bench.pair(1)]);
    fs_err::write(bench.at("file"), "mine").unwrap();
    fs_err::create_dir(bench.at("empty")).unwrap();
    fs_err::create_dir(bench.at("folder")).unwrap();
    fs_err::write(bench.at("folder/x"), "mine").unwrap();
    for (link, to) in [
        ("dangling", "none"),
        ("linked", "folder"),
        ("circle", "circle"),
    ] {
        fs_err::os::unix::fs::symlink(to, bench.at(link)).unwrap();
    }
    let before = names_in(bench.path());
    for name in ["file", "empty", "folder", "dangling", "linked", "circle"] {
        for more in [&[][..], &["--overwrite"]] {
            let words = [&["build", "--pairs", &pairs, "--out", name][..], more].concat();
            bench
                .run(&words)
                .fails(3, &[name, "not an anchor set", "choose another --out"]);
        }
    }
    assert_eq!(
        names_in(bench.path()).len(),
        before.len()
            + usize::from(bench.at("home").exists() && !before.contains(&"home".to_owned()))
    );
    assert_eq!(fs_err::read(bench.at("folder/x")).unwrap(), b"mine");
}

#[test]
fn writers_of_one_set_do_not_mix() {
    let bench = Bench::new();
    let set = bench.set("a.asif", 4);
    let adding: Vec<_> = (10..16)
        .map(|n| {
            let pairs = bench.pairs(&format!("{n}.jsonl"), &[bench.pair(n)]);
            let mut command = bench.asif();
            command.args(["anchors", "add", &set, "--pairs", &pairs]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut added = 0;
    for process in adding {
        let ended = process.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&ended.stderr).into_owned();
        match ended.status.code() {
            Some(0) => added += 1,
            code => {
                assert_eq!(code, Some(3), "{err}");
                assert!(err.contains("another process is writing"), "{err}");
            }
        }
    }
    let listed = run(bench.asif().args(["anchors", "list", &set])).ok();
    assert_eq!(listed.out.lines().count(), 4 + added);
    bench.run(&["verify", "--full", &set]).ok();
}
