//! The programs of `examples/`, run on real pairs: what the library's first page promises.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{asif, demo_pairs, home, program, run, write_jsonl};

/// An example. `cargo test` without a choice of targets builds them, and so does `tools/test.sh`.
fn example(name: &str) -> Command {
    let path = Path::new(program()).with_file_name("examples").join(name);
    let build = "cargo build --workspace --examples";
    assert!(path.is_file(), "{}: not built; {build}", path.display());
    let mut command = Command::new(path);
    command.env("ASIF_HOME", home().root());
    command
}

/// A set of the first demo pairs, and the image of one of them.
fn set(folder: &Path) -> (PathBuf, String) {
    let pairs = demo_pairs(120);
    let image = pairs[7]["image"].as_str().unwrap().to_owned();
    let list = write_jsonl(folder, "pairs.jsonl", &pairs);
    let set = folder.join("set.asif");
    run(asif()
        .args(["build", "--pairs"])
        .arg(list)
        .arg("--out")
        .arg(&set))
    .ok();
    (set, image)
}

#[test]
fn classify_names_a_label_and_its_pairs_as_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let (set, image) = set(folder.path());
    let labels = "a frog,a ship,a cat,a tree";
    let missing = folder.path().join("missing.jpg").display().to_string();
    let found = run(example("classify")
        .arg(&set)
        .arg(labels)
        .arg(&missing)
        .arg(&image))
    .ok();
    assert!(found.err.contains(&missing), "{}", found.err);
    let by_program = run(asif()
        .args([
            "explain", "--json", "--top", "3", "--labels", labels, "--index",
        ])
        .arg(&set)
        .arg(&image))
    .ok()
    .json();
    let best = by_program["predictions"][0]["label"].as_str().unwrap();
    let first = format!("{image}: {best} ");
    let mut lines = found.out.lines();
    assert!(lines.next().unwrap().starts_with(&first), "{}", found.out);
    let pairs = by_program["reasons"]["supporting"].as_array().unwrap();
    assert_eq!(lines.clone().count(), pairs.len());
    for (line, pair) in lines.zip(pairs) {
        assert!(line.contains(pair["id"].as_str().unwrap()), "{line} {pair}");
    }
}

#[test]
fn own_vectors_find_each_other_without_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = example("own_vectors");
    // No home folder, no ONNX Runtime.
    command.env("ASIF_HOME", folder.path().join("nothing"));
    let out = run(command.arg(folder.path().join("new.asif"))).ok().out;
    let right: u32 = out.split(' ').next().unwrap().parse().unwrap();
    assert!((45..=50).contains(&right), "{out}");
}

#[test]
fn follow_answers_from_the_generation_that_a_change_made() {
    let folder = tempfile::tempdir().unwrap();
    let (set, image) = set(folder.path());
    let output = folder.path().join("output");
    let file = fs_err::File::create(&output).unwrap().into_parts().0;
    let mut following = example("follow")
        .arg(&set)
        .args(["a frog,a ship", &image, "60"])
        .stdout(Stdio::from(file))
        .spawn()
        .unwrap();
    let told = |what: &str| {
        let begun = Instant::now();
        while !fs_err::read_to_string(&output).unwrap().contains(what) {
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(50), "no {what:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    told("generation 1: ");
    let id = demo_pairs(1)[0]["id"].as_str().unwrap().to_owned();
    run(asif().args(["anchors", "remove", "--id", &id]).arg(&set)).ok();
    told("generation 2: ");
    following.kill().unwrap();
    following.wait().unwrap();
}
