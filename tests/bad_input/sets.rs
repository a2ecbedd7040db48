//! Sets that are in the way, damaged, or no sets; a disk that is full.

use std::process::Command;

use super::support::skipped::{Lack, skip};
use super::support::*;
use super::{INPUT, build, classify, folder};

#[test]
fn a_set_that_exists_is_left_alone_unless_told() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(3));
    build(dir.path(), &pairs, &[]).ok();
    let again = |more: &[&str]| {
        let out = dir.path().join("out.asif");
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(&pairs)
            .arg("--out")
            .arg(out)
            .args(more))
    };
    again(&[]).fails(INPUT, &["exists already", "--overwrite"]);
    assert_eq!(
        again(&["--overwrite", "--json"]).ok().json()["generation"],
        2
    );
    assert_eq!(names_in(&dir.path().join("out.asif/segments")).len(), 1);
}

#[test]
fn something_else_in_the_way_is_never_touched() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    let out = dir.path().join("precious");
    fs_err::create_dir(&out).unwrap();
    fs_err::write(out.join("thesis.txt"), "ten years of work").unwrap();
    run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(&out)
        .arg("--overwrite"))
    .fails(INPUT, &["precious", "not an anchor set"]);
    assert_eq!(names_in(&out), ["thesis.txt"]);
}

#[test]
fn a_folder_that_is_no_set() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    run(classify(dir.path(), "cat,dog").arg(&image))
        .fails(INPUT, &["not an anchor set", "CURRENT"]);
    run(asif().arg("inspect").arg(dir.path().join("none.asif"))).fails(INPUT, &["no such folder"]);
    run(asif().arg("inspect").arg(&image)).fails(INPUT, &["it is a file"]);
}

#[test]
fn a_damaged_set_is_named_file_by_file() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(3));
    let out = dir.path().join("out.asif");
    build(dir.path(), &pairs, &[]).ok();
    let segment = fs_err::read_dir(out.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let vectors = segment.join("image.vec");
    let good = fs_err::read(&vectors).unwrap();
    fs_err::write(&vectors, &good[..good.len() / 2]).unwrap();
    run(asif().arg("inspect").arg(&out)).fails(INPUT, &["image.vec"]);
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 0x40;
    fs_err::write(&vectors, &flipped).unwrap();
    run(asif().arg("inspect").arg(&out).arg("--verify")).fails(INPUT, &["image.vec"]);
    fs_err::remove_file(&vectors).unwrap();
    run(asif().arg("inspect").arg(&out)).fails(INPUT, &["image.vec"]);
}

/// Every command that changes a set says that what is live is damaged, as those that open it do; once.
#[test]
fn a_change_of_a_damaged_set_warns_of_it() {
    let dir = folder();
    let set = dir.path().join("damaged.asif");
    copy_folder(demo_set(), &set);
    let pairs = write_jsonl(dir.path(), "more.jsonl", &demo_pairs(2));
    let change = |words: &[&str]| run(asif().args(words).arg(&set));
    for segment in names_in(&set.join("segments")) {
        let file = set.join("segments").join(segment).join("image.vec");
        let mut bytes = fs_err::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(&file, bytes).unwrap();
    }
    let id = change(&["anchors", "list", "--limit", "1", "--json"]);
    id.fails(INPUT, &["image.vec"]);
    let first = asif::anchors::AnchorSet::open(&set).unwrap();
    let first = first.pair_id(0).unwrap().to_owned();
    let list = pairs.display().to_string();
    for words in [
        &["anchors", "remove", "--id", &first][..],
        &["anchors", "add", "--pairs", &list],
        &["rollback"],
        &["swap", "--to", "2"],
    ] {
        // The option that takes several values must not take the set.
        let ended = match words.last() == Some(&list.as_str()) {
            true => run(asif().args(["anchors", "add"]).arg(&set).args(&words[2..])),
            false => change(words),
        };
        let ended = ended.ok();
        assert_eq!(
            ended.err.matches("image.vec").count(),
            1,
            "{words:?}: {}",
            ended.err
        );
        let hint = format!("hint: `asif repair {}`", set.display());
        assert_eq!(
            ended.err.matches(&hint).count(),
            1,
            "{words:?}: {}",
            ended.err
        );
        assert_eq!(
            ended.err.matches("repair").count(),
            1,
            "{words:?}: {}",
            ended.err
        );
    }
}

/// Commands that only read answer, and say that the set is damaged.
#[test]
fn commands_that_only_read_answer_from_a_set_with_another_current() {
    let dir = folder();
    let set = dir.path().join("a.asif");
    copy_folder(demo_set(), &set);
    let before = fs_err::read(set.join("CURRENT")).unwrap();
    let ids = asif::anchors::AnchorSet::open(&set).unwrap();
    let ids = [0, 1].map(|n| ids.pair_id(n).unwrap().to_owned());
    run(asif()
        .args(["anchors", "remove", "--id", &ids[0]])
        .arg(&set))
    .ok();
    fs_err::write(set.join("CURRENT"), before).unwrap();
    let old = format!("{}@1", set.display());
    let read = |words: &[&str]| run(asif().args(words));
    let path = set.display().to_string();
    let history = read(&["history", &path, "--json"]).ok();
    assert_eq!(history.json_lines().len(), 2, "{}", history.out);
    let found = read(&["audit", &path, &ids[1], "--json"]);
    assert_eq!(found.json()[0]["live"], true, "{}", found.out);
    let gone = read(&["audit", &path, &ids[0], "--json"]);
    assert_eq!(gone.json()[0]["live"], false, "{}", gone.out);
    let others = [
        read(&["inspect", &path]).ok(),
        read(&["anchors", "list", &path]).ok(),
        read(&["diff", &old, &path]).ok(),
    ];
    for ended in [history, found, gone].into_iter().chain(others) {
        for word in ["CURRENT", "generation 2", "hint: `asif repair"] {
            assert!(ended.err.contains(word), "{word}: {}", ended.err);
        }
    }
}

/// A limit on the size of files: told once, with the name that the file was to have.
#[test]
fn a_file_that_may_not_grow_is_told_once_under_its_own_name() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(40));
    let mut command = asif();
    command
        .args(["build", "--no-thumbnails", "--pairs"])
        .arg(&pairs);
    command.arg("--out").arg(dir.path().join("out.asif"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 40; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ended = run(&mut shell).fails(
        1,
        &[
            "out.asif/segments/image.vec",
            "ulimit -f",
            "raise that limit",
        ],
    );
    for word in ["ulimit -f", "image.vec"] {
        assert_eq!(ended.err.matches(word).count(), 1, "{}", ended.err);
    }
    for word in [".building-", ".tmp-", ".writing-", "the disk has room"] {
        assert!(!ended.err.contains(word), "{}", ended.err);
    }
}

/// What is built within the folder of its pictures is not part of them.
#[test]
fn a_set_within_its_own_source_is_not_read() {
    let dir = folder();
    for n in 0..3 {
        draw(dir.path(), &format!("{n}.png"), n);
        fs_err::write(dir.path().join(format!("{n}.txt")), format!("picture {n}")).unwrap();
    }
    std::os::unix::fs::symlink("gone.png", dir.path().join("dangling.png")).unwrap();
    let out = dir.path().join("out.asif");
    for more in [&[][..], &["--overwrite"]] {
        let words = ["build", "--json", "--pairs"];
        let mut command = asif();
        command.args(words).arg(dir.path()).arg("--out").arg(&out);
        let report = run(command.args(more)).ok().json();
        assert_eq!(report["pairs"], 3, "{report}");
        let skipped = report["skipped_examples"].to_string();
        assert_eq!(report["skipped"], 1, "{report}");
        assert!(
            skipped.contains("dangling.png") && skipped.contains("target is missing"),
            "{report}"
        );
    }
}

/// A real full disk: a small tmpfs in a mount namespace of its own, gone with the process.
#[test]
fn a_full_disk_leaves_nothing_and_names_the_file() {
    let works = Command::new("unshare").args(["-rm", "true"]).status();
    if !works.is_ok_and(|s| s.success()) {
        let reason = "`unshare -rm` is not permitted, so no small disk can be mounted";
        skip(Lack::Elsewhere, reason);
        return;
    }
    let dir = folder();
    let disk = dir.path().join("disk");
    fs_err::create_dir(&disk).unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(40));
    let script = r#"
        mount -t tmpfs -o size=128k tmpfs "$1" || exit 99
        "$2" build --pairs "$3" --out "$1/out.asif" --no-cache
        code=$?
        echo "left: $(ls -A "$1")"
        exit $code"#;
    let mut command = asif();
    let program = command.get_program().to_owned();
    let envs: Vec<_> = command
        .env_remove("ASIF_CACHE")
        .get_envs()
        .filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())))
        .collect();
    let ended = run(Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(&disk)
        .arg(program)
        .arg(pairs)
        .envs(envs));
    let ended = ended.fails(1, &["No space left on device"]);
    assert_eq!(ended.out.trim(), "left:", "{}", ended.err);
}
