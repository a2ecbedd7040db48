//! What a command writes takes the place of nothing but what the same option wrote before.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::Bench;
use super::support::names_in;

/// Commands that write a file, or into a folder, at `{}`.
pub const OUTPUTS: [&str; 14] = [
    "classify --index a.asif --labels dog,cat plain/0.png --html {}",
    "explain --index a.asif --labels dog,cat plain/0.png --html {}",
    "eval scaling --index a.asif --dataset data --sizes 3 --csv {}",
    "eval scaling --index a.asif --dataset data --sizes 3 --svg {}",
    "audit a.asif --purge --receipt {}",
    "audit a.asif --purge --cache {}",
    "anchors export a.asif --out {}",
    "anchors curate a.asif --coreset 3 --remove-ids {}",
    "anchors curate a.asif --coreset 3 --keep-ids {}",
    "anchors influence a.asif --dataset data --csv {}",
    "build --pairs a.asif.jsonl --out {}",
    "anchors add a.asif --pairs a.asif.jsonl --cache {}",
    "serve --index a.asif --listen 127.0.0.1:0 --uploads {}",
    "--home {} models add new text",
];

/// Every file of a folder with its bytes, but for locks.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "LOCK")
        .map(|entry| {
            let bytes = fs::read(entry.path()).unwrap();
            (entry.into_path(), bytes)
        })
        .collect()
}

pub fn asked(bench: &Bench, command: &str, place: &str) -> super::support::Ended {
    let words: Vec<String> = command
        .split(' ')
        .map(|word| word.replace("{}", place))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    bench.run(&words)
}

#[test]
fn nothing_is_written_into_a_set() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    symlink(bench.at("a.asif/segments"), bench.at("link")).unwrap();
    symlink(bench.at("a.asif/CURRENT"), bench.at("file")).unwrap();
    let before = files(&bench.at("a.asif"));
    let mut wrong = Vec::new();
    for command in OUTPUTS {
        let is_file = !["--cache", "--uploads", "--home"]
            .iter()
            .any(|option| command.contains(option));
        let places: &[&str] = match is_file {
            true if command.contains("build") => &["a.asif/segments/inner.asif", "link/inner.asif"],
            true => &[
                "a.asif/CURRENT",
                "a.asif/LOCK",
                "a.asif/log/new",
                "link/x",
                "file",
            ],
            false => &["a.asif", "a.asif/new/cache", "link"],
        };
        for place in places {
            let ended = asked(&bench, command, place);
            if ended.code != Some(3) || !ended.err.contains("lies in the anchor set") {
                wrong.push(format!("{command} {place}: {:?} {}", ended.code, ended.err));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(before == files(&bench.at("a.asif")));
}

#[test]
fn what_an_option_does_not_write_is_not_replaced() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    let photo = fs::read(bench.at("plain/1.png")).unwrap();
    fs::write(bench.at("labels.txt"), "dog\ncat\n").unwrap();
    fs::write(bench.at("notes"), "image,caption\n# mine\n").unwrap();
    let page = "classify --index a.asif --labels dog,cat --html plain/1.png plain/2.png";
    let ended = asked(&bench, page, "");
    ended.fails(3, &["plain/1.png", "a picture (PNG)", "--html"]);
    let reads = "classify --index a.asif --labels-file labels.txt plain/2.png --html ";
    for input in ["labels.txt", "plain/2.png", "./plain/../labels.txt"] {
        let ended = asked(&bench, &format!("{reads}{input}"), "");
        ended.fails(3, &[input, "this command reads it"]);
    }
    for command in OUTPUTS {
        let folder = ["--cache", "--uploads", "--home", "build"];
        if folder.iter().any(|option| command.contains(option)) {
            continue;
        }
        for (place, holds) in [("plain/3.png", "picture"), ("notes", "image,caption")] {
            asked(&bench, command, place).fails(3, &[place, holds]);
        }
    }
    let both = "anchors curate a.asif --coreset 3 --keep-ids ids --remove-ids ids";
    asked(&bench, both, "").fails(3, &["ids", "two different files"]);
    assert_eq!(fs::read(bench.at("plain/1.png")).unwrap(), photo);
    assert!(
        fs::read_to_string(bench.at("notes"))
            .unwrap()
            .contains("mine")
    );
    // What an option has written it replaces.
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p4"])
        .ok();
    for (n, command) in OUTPUTS.iter().enumerate() {
        let folder = ["--cache", "--uploads", "--home", "build"];
        if folder.iter().any(|option| command.contains(option)) {
            continue;
        }
        let place = format!("out{n}");
        // The receipt of a deletion stays; that of a dry run does not.
        let command = command.replace("--purge --receipt", "--purge --dry-run --receipt");
        asked(&bench, &command, &place).ok();
        asked(&bench, &command, &place).ok();
        assert!(
            fs::metadata(bench.at(&place)).unwrap().len() > 0,
            "{command}"
        );
    }
}

#[test]
fn what_lies_in_a_set_and_is_not_its_own_stays() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let foreign = [
        "notes.txt",
        "generations/readme",
        "generations/.hidden",
        "log/mine",
        "segments/inner/CURRENT",
        "segments/.git/config",
        "segments/.DS_Store",
        // Damaged pairs, if they were the set's.
        "segments/backup/pairs.rec",
    ];
    let list = bench.at("a.asif/segments/inner/skipped.jsonl");
    let row = "{\"origin\":\"mine\",\"reason\":\"p1\"}\n";
    for name in foreign {
        let path = bench.at("a.asif").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "mine").unwrap();
    }
    for n in 0..4 {
        let id = format!("p{n}");
        bench
            .run(&["anchors", "remove", "a.asif", "--id", &id, "--keep", "1"])
            .ok();
    }
    bench
        .run(&["anchors", "compact", "a.asif", "--keep", "1"])
        .ok();
    bench.run(&["repair", "a.asif"]).ok();
    let told = bench.run(&["verify", "a.asif", "--json"]).ok().json();
    assert_eq!(told["sound"], true, "{told}");
    let shown = bench.run(&["verify", "a.asif"]).ok();
    for name in foreign {
        let path = bench.at("a.asif").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), "mine", "{name}");
        let noted = name.split("/CURRENT").next().unwrap();
        let noted = noted.split("/config").next().unwrap();
        let noted = noted.split("/pairs.rec").next().unwrap();
        assert!(told["notes"].to_string().contains(noted), "{told}");
        assert!(shown.out.contains(noted), "{}", shown.out);
    }
    let names = names_in(&bench.at("a.asif/segments"));
    assert_eq!(names.len(), 5, "{names:?}");
    fs::write(&list, row).unwrap();
    let purged = bench
        .run(&[
            "audit",
            "a.asif",
            "p1",
            "--purge",
            "--json",
            "--receipt",
            "r.json",
        ])
        .fails(3, &["not verified: 1 files or folders were kept"]);
    let receipt = fs::read_to_string(bench.at("r.json")).unwrap();
    assert!(
        receipt.contains("not verified: 1 files or folders were kept"),
        "{receipt}"
    );
    let warned = "segments/backup was left: its pairs cannot be read";
    assert!(purged.err.contains(warned), "{}", purged.err);
    assert_eq!(purged.json()["unreadable"], serde_json::json!([]));
    for name in foreign {
        let path = bench.at("a.asif").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), "mine", "{name}");
    }
    assert_eq!(fs::read_to_string(&list).unwrap(), row);
}

#[test]
fn a_copy_that_somebody_keeps_in_a_set_is_told_of_and_stays() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let segments = bench.at("a.asif/segments");
    let own = names_in(&segments).into_iter().next().unwrap();
    fs::create_dir(segments.join("copy")).unwrap();
    for name in names_in(&segments.join(&own)) {
        fs::copy(
            segments.join(&own).join(&name),
            segments.join("copy").join(&name),
        )
        .unwrap();
    }
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p1", "--keep", "1"])
        .ok();
    let ended = bench.run(&["audit", "a.asif", "p1", "--purge"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(
        ended.out.contains("segments/copy/pairs.rec"),
        "{}",
        ended.out
    );
    assert!(segments.join("copy/pairs.rec").is_file());
}

#[test]
fn temporary_names_cannot_be_laid_in_wait() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    fs::write(bench.at("precious"), "mine").unwrap();
    fs::write(bench.at(".x.jsonl.tmp"), "mine").unwrap();
    symlink(bench.at("precious"), bench.at(".y.jsonl.tmp")).unwrap();
    for out in ["x.jsonl", "y.jsonl"] {
        bench
            .run(&["anchors", "export", "a.asif", "--out", out])
            .ok();
        assert!(fs::symlink_metadata(bench.at(out)).unwrap().is_file());
    }
    for kept in ["precious", ".x.jsonl.tmp"] {
        assert_eq!(fs::read_to_string(bench.at(kept)).unwrap(), "mine");
    }
    // Hidden files of others in a folder that is given as a cache are nobody's to delete.
    fs::create_dir(bench.at("shared")).unwrap();
    fs::write(bench.at("shared/.profile"), "mine").unwrap();
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p4"])
        .ok();
    bench
        .run(&["audit", "a.asif", "--purge", "--cache", "shared"])
        .ok();
    assert_eq!(
        fs::read_to_string(bench.at("shared/.profile")).unwrap(),
        "mine"
    );
}

#[test]
fn every_legal_name_can_be_built_and_exported_to() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    for name in ["n".repeat(250), "ä".repeat(127)] {
        bench
            .run(&["build", "--pairs", "a.asif.jsonl", "--out", &name])
            .ok();
        let file = format!("x{}", &name[2..]);
        bench
            .run(&["anchors", "export", &name, "--out", &file])
            .ok();
        bench.run(&["anchors", "remove", &name, "--id", "p0"]).ok();
    }
}
