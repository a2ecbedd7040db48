//! What looks like a command's own file and is somebody else's, or is worth more than what would replace it.

use fs_err as fs;
use serde_json::{Value, json};

use super::Bench;
use super::outputs::{OUTPUTS, asked};
use super::support::names_in;

const CURATE: &str = "anchors curate a.asif --coreset 3 --keep-ids {}";

#[test]
fn files_that_begin_like_those_of_asif_are_not_replaced() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    let page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    let named = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    let row = bench.pair(0);
    let hand = |captions: Value| {
        format!(
            "{{\"id\": \"p0\", \"image\": {}, \"captions\": {captions}}}\n",
            row["image"]
        )
    };
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\n";
    let mut wrong = Vec::new();
    for (option, text) in [
        ("--html", format!("{page}<title>mine</title>\n")),
        ("--html", format!("{page}{named}<title>mine</title>\n")),
        (
            "--svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\">\n".into(),
        ),
        ("--csv", "dataset,images,anchors,mine\na,b,c,d\n".into()),
        ("--csv", "anchor,id,source,images,margin,mine\n".into()),
        (
            "--receipt",
            "{\"format\":\"x\",\"made_by\":\"me\",\"requested_ids\":[]}\n".into(),
        ),
        ("--out", hand(json!(["dog"]))),
        (
            "--out",
            hand(json!(["dog"])).replace(": ", ":").replace(", ", ","),
        ),
        ("-ids", "dog\ncat\n".into()),
        ("-ids", key.into()),
        ("-ids", "import os\nprint(os.name)\n".into()),
        ("-ids", "p0\np1\nnot there\n".into()),
        ("-ids", "p0\np1\n\n".into()),
        ("-ids", "image,caption\np0,dog\n".into()),
    ] {
        fs::write(bench.at("mine"), &text).unwrap();
        let asking = |command: &&&str| command.contains(option) && !command.contains("build");
        for command in OUTPUTS.iter().filter(asking) {
            let ended = asked(&bench, command, "mine");
            let is_told = ended.err.contains("would overwrite it") && ended.err.contains("mine");
            if ended.code != Some(3) || !is_told {
                wrong.push(format!(
                    "{command} {text:?}: {:?} {}",
                    ended.code, ended.err
                ));
            }
            assert_eq!(
                fs::read_to_string(bench.at("mine")).unwrap(),
                text,
                "{command}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lists_of_ids_that_were_used_are_replaced() {
    let bench = Bench::new();
    let mut rows: Vec<_> = (0..40).map(|n| bench.pair(n)).collect();
    rows[0]["id"] = "# not a comment".into();
    rows[1]["id"] = "{\"a\": 1}".into();
    bench.pairs("pairs.jsonl", &rows);
    bench
        .run(&["build", "--pairs", "pairs.jsonl", "--out", "a.asif"])
        .ok();
    let both = "anchors curate a.asif --coreset 12 --keep-ids kept --remove-ids ids";
    asked(&bench, both, "").ok();
    let remove = "anchors remove a.asif --ids-file ids --missing-ok";
    for after in [
        remove,
        "anchors compact a.asif --keep 1",
        "audit a.asif --purge",
        "anchors list a.asif",
    ] {
        asked(&bench, after, "").ok();
        // The earlier list: its ids are in the log alone, then as hashes.
        let before = fs::read(bench.at("ids")).unwrap();
        asked(&bench, &both.replace("12", "4"), "").ok();
        fs::write(bench.at("ids"), before).unwrap();
        asked(&bench, &both.replace("12", "4"), "").ok();
    }
    fs::write(bench.at("ids"), "dog\n").unwrap();
    asked(&bench, &CURATE.replace("{}", "ids"), "").fails(3, &["never had \"dog\""]);
}

#[test]
fn the_receipt_of_a_deletion_is_replaced_by_no_other() {
    let bench = Bench::new();
    let mut rows: Vec<_> = (0..8).map(|n| bench.pair(n)).collect();
    rows[1]["id"] = "person-1".into();
    rows[2]["id"] = "person-2".into();
    bench.pairs("pairs.jsonl", &rows);
    for set in ["a.asif", "b.asif"] {
        bench
            .run(&["build", "--pairs", "pairs.jsonl", "--out", set])
            .ok();
        for id in ["person-1", "person-2"] {
            bench.run(&["anchors", "remove", set, "--id", id]).ok();
        }
    }
    let purge = |words: &str| {
        asked(
            &bench,
            &format!("audit {words} --receipt r.json --purge"),
            "",
        )
    };
    let text = || fs::read_to_string(bench.at("r.json")).unwrap();
    let advice = [
        "r.json",
        "--receipt would overwrite it",
        "name another file after --receipt",
    ];
    let refused = |words: &str, why: &str| {
        let before = text();
        purge(words).fails(3, &[advice[0], advice[1], advice[2], why]);
        assert_eq!(text(), before, "{words}");
    };
    // A dry run proves nothing.
    purge("a.asif --dry-run").ok();
    purge("a.asif person-1 --dry-run --reference one").ok();
    fs::write(bench.at("a.asif/notes.txt"), "about person-1").unwrap();
    let ended = purge("a.asif person-1 --reference one");
    assert!(text().contains("not verified"), "{} {}", text(), ended.err);
    refused("a.asif person-1 --dry-run", "this is a dry run");
    refused("a.asif person-2 --reference one", "another request");
    refused("a.asif person-1", "another request");
    refused("a.asif person-1 --reference two", "another request");
    refused("a.asif", "another request");
    refused("b.asif person-1 --reference one", "another anchor set");
    let generations = names_in(&bench.at("b.asif/generations"));
    assert!(
        generations.len() > 2,
        "nothing was deleted: {generations:?}"
    );
    // The same again, until nothing is left.
    let ended = purge("a.asif person-1 --reference one");
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    fs::remove_file(bench.at("a.asif/notes.txt")).unwrap();
    purge("a.asif person-1 --reference one").ok();
    assert!(text().contains("verified: none found"), "{}", text());
    refused("a.asif person-1 --reference one", "is of a completed purge");
    refused("a.asif person-2 --dry-run", "this is a dry run");
    refused("b.asif person-2", "another request");
}

#[test]
fn a_source_of_the_set_is_not_replaced_by_its_export() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let export = |out: &str| asked(&bench, &format!("anchors export a.asif --out {out}"), "");
    export("x.jsonl").ok();
    let text = fs::read_to_string(bench.at("x.jsonl")).unwrap();
    // In the very form of an export, but a source.
    fs::write(bench.at("mine.jsonl"), &text).unwrap();
    let build = "build --overwrite --pairs mine.jsonl --out a.asif";
    asked(&bench, build, "").ok();
    for out in ["mine.jsonl", "./plain/../mine.jsonl"] {
        export(out).fails(3, &[out, "pairs of this anchor set come from it"]);
    }
    assert_eq!(fs::read_to_string(bench.at("mine.jsonl")).unwrap(), text);
    export("x.jsonl").ok();
}

#[test]
fn a_dash_is_no_file() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    for command in OUTPUTS.iter().filter(|command| !command.contains("--home")) {
        asked(&bench, command, "-").fails(3, &["-: --", "./-"]);
        assert!(!bench.at("-").exists(), "{command}");
    }
    // As the message says.
    let export = OUTPUTS
        .iter()
        .find(|command| command.contains("export"))
        .unwrap();
    let printed = asked(&bench, export, "/dev/stdout").ok().out;
    asked(&bench, export, "./-").ok();
    assert_eq!(fs::read_to_string(bench.at("-")).unwrap(), printed);
    fs::remove_file(bench.at("-")).unwrap();
    asked(&bench, "build --pairs a.asif.jsonl --out ./-", "").ok();
}

#[test]
fn what_somebody_put_among_what_a_repair_gave_up_stays() {
    for is_link in [false, true] {
        let bench = Bench::new();
        bench.set("a.asif", 5);
        bench
            .run(&["anchors", "remove", "a.asif", "--id", "p1"])
            .ok();
        let real = bench.at(if is_link {
            "elsewhere"
        } else {
            "a.asif/damaged"
        });
        let segment = names_in(&bench.at("a.asif/segments"))
            .into_iter()
            .next()
            .unwrap();
        let own = [
            format!("{segment}/pairs.rec"),
            format!("{segment}.1/pairs.rec"),
            "CURRENT".into(),
            "LOCK.2".into(),
            "g000001.json.12".into(),
            "g000002.del".into(),
            "changes.jsonl.1".into(),
            "g000001.ids.jsonl".into(),
            "skipped.jsonl".into(),
            format!(".removing-{segment}/x"),
        ];
        let foreign = [
            "notes.txt",
            "g000001.json.bak",
            "g000001.json.01",
            "backup/pairs.rec",
            ".hidden",
            "CURRENT.old",
            "s123/x",
            "s00000000000000aa.3/mine/x",
        ];
        let names = own.iter().map(String::as_str).chain(foreign);
        for name in names {
            let path = real.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "mine").unwrap();
        }
        if is_link {
            std::os::unix::fs::symlink(&real, bench.at("a.asif/damaged")).unwrap();
        }
        let first = |name: &str| {
            let ends = ["/x", "/pairs.rec"];
            let folder = ends.iter().find_map(|end| name.strip_suffix(end));
            folder.unwrap_or(name).to_owned()
        };
        let verified = bench.run(&["verify", "a.asif", "--json"]).ok().json();
        for name in foreign {
            let noted = format!("damaged/{} was not written by this program", first(name));
            assert!(verified["notes"].to_string().contains(&noted), "{verified}");
        }
        assert_eq!(
            verified["notes"].as_array().unwrap().len(),
            foreign.len(),
            "{verified}"
        );
        for more in [&["--dry-run"][..], &[], &[]] {
            let purge = ["audit", "a.asif", "p1", "--purge", "--json"];
            let done = bench.run(&[&purge[..], more].concat());
            let told = done.json();
            let kept = told["leftovers_kept"].as_array().unwrap();
            assert_eq!(kept.len(), foreign.len(), "{told}");
            for name in foreign {
                assert!(
                    done.err
                        .contains(&format!("damaged/{} was left", first(name))),
                    "{}",
                    done.err
                );
                assert_eq!(
                    fs::read_to_string(real.join(name)).unwrap(),
                    "mine",
                    "{name}"
                );
            }
        }
        assert_eq!(
            names_in(&real).len(),
            foreign.len(),
            "{:?}",
            names_in(&real)
        );
        // Nothing of others: the folder goes as a whole.
        for name in foreign {
            let path = real.join(first(name));
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        bench.run(&["audit", "a.asif", "p1", "--purge"]).ok();
        assert_eq!(bench.at("a.asif/damaged").exists(), is_link);
    }
    // A file in its place.
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "p1"])
        .ok();
    fs::write(bench.at("a.asif/damaged"), "mine").unwrap();
    let verified = bench.run(&["verify", "a.asif"]).ok();
    assert!(
        verified
            .out
            .contains("damaged was not written by this program"),
        "{}",
        verified.out
    );
    bench
        .run(&["audit", "a.asif", "p1", "--purge"])
        .fails(3, &["a.asif/damaged was left", "not verified"]);
    assert_eq!(
        fs::read_to_string(bench.at("a.asif/damaged")).unwrap(),
        "mine"
    );
}

#[test]
fn what_somebody_put_into_a_segment_stays() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let segments = bench.at("a.asif/segments");
    let old = names_in(&segments).into_iter().next().unwrap();
    fs::write(segments.join(&old).join("notes.txt"), "mine").unwrap();
    asked(&bench, "anchors remove a.asif --id p1", "").ok();
    let noted = format!("segments/{old}/notes.txt was not written by this program");
    for command in [
        "anchors compact a.asif --keep 1",
        "audit a.asif --purge",
        "repair a.asif",
    ] {
        let verified = asked(&bench, "verify a.asif", "").ok();
        assert!(verified.out.contains(&noted), "{}", verified.out);
        asked(&bench, command, "").ok();
        assert_eq!(names_in(&segments.join(&old)), ["notes.txt"], "{command}");
    }
    asked(&bench, "verify --full a.asif", "").ok();
    fs::remove_file(segments.join(&old).join("notes.txt")).unwrap();
    asked(&bench, "anchors remove a.asif --id p2 --keep 1", "").ok();
    assert_eq!(names_in(&segments).len(), 1);
}
