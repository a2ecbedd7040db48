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
