//! A purge with every kind of trace: afterwards no byte of it is on the disk.

use std::path::Path;

use asif::anchors::AnchorSet;
use asif::modality::Modality;
use serde_json::json;

use super::Bench;
use super::support::run;

/// Every file under a folder that holds these bytes, or whose name does.
pub fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let path = entry.unwrap().into_path();
        let named = path.file_name().unwrap().as_encoded_bytes();
        let held = path.is_file()
            && fs_err::read(&path)
                .unwrap()
                .windows(needle.len())
                .any(|w| w == needle);
        if held || named.windows(needle.len()).any(|w| w == needle) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A picture as the server writes it: called by its hash.
pub fn upload(bench: &Bench, n: u8) -> std::path::PathBuf {
    let plain = bench.picture("upload.png", n);
    let bytes = fs_err::read(&plain).unwrap();
    fs_err::remove_file(plain).unwrap();
    let hash = blake3::hash(&bytes).to_hex();
    let path = bench.at("uploads").join(format!("{}.png", &hash[..32]));
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, bytes).unwrap();
    path
}

const PERSON: &str = "Jane \"Jo\" Do\u{e9}\u{301}";

#[test]
fn no_trace_of_a_person_is_left_anywhere() {
    let bench = Bench::new();
    let (one, two) = (upload(&bench, 201), upload(&bench, 202));
    let original = bench.picture("holiday/jane-original.png", 203);
    let row = |id: &str, image: &Path, caption: &str| {
        json!({"id": id, "image": image, "caption": caption, "photographer": PERSON,
               "licence": format!("(c) {PERSON}"), "source": format!("{PERSON} archive")})
    };
    let rows = [
        row("jane/portrait\u{e9}-1", &one, "dog portrait of jane one"),
        row(
            "jane/portrait\u{e9}-2",
            &original,
            "cat portrait of jane two",
        ),
        row(
            "jane/portrait\u{e9}-3",
            // Of a skipped row only what its reason says is known.
            &Path::new(PERSON).join("missing-jane.png"),
            "dog never there of jane",
        ),
    ];
    let mut all: Vec<_> = (0..5).map(|n| bench.pair(n)).collect();
    all.extend(rows.clone());
    // Live, with an upload of its own.
    all.push(json!({"id": "stays", "image": two, "caption": "tree"}));
    bench.pairs("pairs.jsonl", &all);
    bench
        .run(&["build", "--pairs", "pairs.jsonl", "--out", "sets/a.asif"])
        .ok();
    // Again, so that a list of skipped rows names them.
    let mut again = vec![bench.pair(7)];
    again.extend(rows);
    bench.pairs(&format!("{PERSON}.jsonl"), &again);
    let add = [
        "anchors",
        "add",
        "sets/a.asif",
        "--pairs",
        &format!("{PERSON}.jsonl"),
    ];
    bench.run(&add).ok();
    // With another encoder, whose embeddings lie in the same cache.
    super::tiny_onnx::brightest(bench.path());
    let other = ["build", "--pairs", "pairs.jsonl", "--out", "other/b.asif"];
    run(bench
        .asif()
        .args(other)
        .env("ASIF_IMAGE_ENCODER", bench.at("brightest")))
    .ok();
    let vectors: Vec<Vec<u8>> = ["sets/a.asif", "other/b.asif"]
        .iter()
        .flat_map(|set| {
            let set = AnchorSet::open(&bench.at(set)).unwrap();
            let of = &set.segments()[0];
            let own = (0..of.len()).filter(|&i| of.pair_id(i).unwrap().starts_with("jane"));
            let vector = |i| {
                of.vectors(Modality::Image)
                    .vector(i)
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect()
            };
            own.map(vector).collect::<Vec<Vec<u8>>>()
        })
        .collect();
    fs_err::remove_dir_all(bench.at("other")).unwrap();
    // What killed processes left.
    let bytes = fs_err::read(&one).unwrap();
    fs_err::write(bench.at("uploads/.tmpAbCdEf"), &bytes[..40]).unwrap();
    let dead = bench.at("sets/.a.asif.building-dEad01");
    fs_err::create_dir_all(dead.join("segments/.writing-dead")).unwrap();
    fs_err::write(dead.join("LOCK"), "process 1 on nowhere").unwrap();
    fs_err::write(dead.join("segments/.writing-dead/x"), PERSON).unwrap();
    fs_err::write(bench.at("sets/a.asif/segments/.writing-dead"), PERSON).unwrap();
    fs_err::write(bench.at("home/cache/embeddings/.x.emb.tmp"), &vectors[0]).unwrap();

    let by_name = format!("photographer={PERSON}");
    let found = bench
        .run(&["audit", "sets/a.asif", "--where", &by_name, "--json"])
        .fails(3, &["2 of 2"]);
    assert_eq!(found.json().as_array().unwrap().len(), 2);
    let live = ["audit", "sets/a.asif", "--where", &by_name, "--purge"];
    bench.run(&live).fails(3, &["live pair", "anchors remove"]);
    bench
        .run(&["anchors", "remove", "sets/a.asif", "--where", &by_name])
        .ok();
    bench
        .run(&["audit", "sets/a.asif", "--where", &by_name])
        .fails(3, &["remove them"]);
    let receipt = [
        "--receipt",
        "receipt.json",
        "--reference",
        "request 17",
        "--json",
    ];
    let purged = bench.run(&[&live[..], &receipt].concat()).ok();
    assert!(
        purged
            .err
            .contains("jane-original.png was left: an original"),
        "{}",
        purged.err
    );

    let home = bench.at("home");
    let (sets, uploads) = (bench.at("sets"), bench.at("uploads"));
    let in_json = |text: &str| {
        let text = json!(text).to_string();
        text[1..text.len() - 1].to_owned()
    };
    let quoted = format!("{PERSON:?}");
    let quoted = &quoted[1..quoted.len() - 1];
    let mut needles: Vec<Vec<u8>> = [
        "portrait of jane",
        "never there of jane",
        "jane",
        "jane-original",
        PERSON,
        &in_json(PERSON),
        quoted,
        &in_json(quoted),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    needles.extend(vectors);
    needles.push(one.display().to_string().into_bytes());
    needles.push(bytes[..40].to_vec());
    // The same beginning as any other picture of that size: only its own bytes tell.
    let start_is_shared = fs_err::read(&two).unwrap()[..40] == bytes[..40];
    if start_is_shared {
        needles.pop();
        needles.push(bytes);
    }
    for needle in &needles {
        for folder in [&sets, &home, &uploads] {
            let found = holding(folder, needle);
            assert!(
                found.is_empty(),
                "{}: {found:?}",
                String::from_utf8_lossy(needle)
            );
        }
    }
    assert!(original.exists() && two.exists() && !one.exists());
    assert!(!bench.at("uploads/.tmpAbCdEf").exists());

    let text = fs_err::read_to_string(bench.at("receipt.json")).unwrap();
    for needle in needles.iter().filter_map(|n| std::str::from_utf8(n).ok()) {
        assert!(!text.contains(needle), "{needle}: {text}");
    }
    let receipt: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(receipt["result"], "verified: none found", "{text}");
    assert_eq!(receipt["reference"], "request 17");
    assert_eq!(receipt["pairs"], 2);
    assert_eq!(receipt["uploads_deleted"], 2);
    let hash = |text: &str| format!("blake3:{}", &blake3::hash(text.as_bytes()).to_hex()[..32]);
    let ids = receipt["ids"].as_array().unwrap();
    assert!(
        ids.contains(&json!(hash("jane/portrait\u{e9}-1"))),
        "{text}"
    );
    assert_eq!(
        receipt["requested_where"],
        json!([{"key": "photographer", "value": hash(PERSON)}])
    );
    for count in [
        "segments_rewritten",
        "log_lines_rewritten",
        "skip_rows_removed",
        "embeddings_forgotten",
        "files_searched",
        "needles",
    ] {
        assert!(receipt[count].as_u64().unwrap() > 0, "{count}: {text}");
    }
    bench.run(&["verify", "--full", "sets/a.asif"]).ok();
    let gone = bench
        .run(&["audit", "sets/a.asif", "--where", &by_name])
        .ok();
    assert!(gone.out.contains("named in changes"), "{}", gone.out);
    bench
        .run(&["audit", "sets/a.asif", "jane/portrait\u{e9}-1"])
        .ok();
    assert_eq!(
        bench
            .run(&["anchors", "list", "sets/a.asif"])
            .ok()
            .out
            .lines()
            .count(),
        7
    );
}

#[test]
fn what_a_purge_cannot_reach_is_told_by_the_audit() {
    let bench = Bench::new();
    let rows: Vec<_> = (0..4).map(|n| bench.pair(n)).collect();
    let mut rows = rows;
    rows[1]["id"] = "somebody-in-particular".into();
    bench.pairs("pairs.jsonl", &rows);
    bench
        .run(&["build", "--pairs", "pairs.jsonl", "--out", "a.asif"])
        .ok();
    bench
        .run(&[
            "anchors",
            "remove",
            "a.asif",
            "--id",
            "somebody-in-particular",
        ])
        .ok();
    // A file of the user's own in the set: no command deletes it.
    fs_err::write(bench.at("a.asif/notes.txt"), "about somebody-in-particular").unwrap();
    let words = [
        "audit",
        "a.asif",
        "somebody-in-particular",
        "--purge",
        "--receipt",
        "r.json",
    ];
    let ended = bench.run(&words).fails(3, &["1 files still hold"]);
    assert!(ended.out.contains("notes.txt"), "{}", ended.out);
    let receipt = fs_err::read_to_string(bench.at("r.json")).unwrap();
    assert!(receipt.contains("not verified"), "{receipt}");
    let audit = bench
        .run(&["audit", "a.asif", "somebody-in-particular"])
        .fails(3, &["traces of 1 are left"]);
    assert!(audit.out.contains("notes.txt"), "{}", audit.out);
    fs_err::remove_file(bench.at("a.asif/notes.txt")).unwrap();
    bench.run(&words).ok();
    bench
        .run(&["audit", "a.asif", "somebody-in-particular"])
        .ok();
}

/// Short ids and texts that live pairs share are not a reason to delete rows of others or to report them.
#[test]
fn what_others_have_too_stays() {
    let bench = Bench::new();
    let mut rows: Vec<_> = (0..4).map(|n| bench.pair(n)).collect();
    rows[0]["id"] = "1".into();
    rows.push(json!({"id": "11", "image": "none.png", "caption": "dog"}));
    bench.pairs("pairs.jsonl", &rows);
    bench
        .run(&["build", "--pairs", "pairs.jsonl", "--out", "a.asif"])
        .ok();
    bench
        .run(&["anchors", "remove", "a.asif", "--id", "1"])
        .ok();
    let done = bench
        .run(&["audit", "a.asif", "1", "--purge", "--json"])
        .ok()
        .json();
    assert_eq!(done["skip_rows_removed"], 0, "{done}");
    assert_eq!(done["search"]["found"], json!([]));
}

/// A set of pairs 0 to 4, with 5 to 7 added and taken back; the second generation's name.
fn with_removed(bench: &Bench) -> std::path::PathBuf {
    let pairs: Vec<_> = (0..5).map(|n| bench.pair(n)).collect();
    bench.pairs("pairs.jsonl", &pairs);
    let more: Vec<_> = (5..8)
        .map(|n| {
            let mut pair = bench.pair(n);
            pair["id"] = json!(format!("removed person {n}"));
            pair["people"] = json!(["Bob", format!("Eve \"E=\" {n}")]);
            pair
        })
        .collect();
    bench.pairs("more.jsonl", &more);
    bench
        .run(&["build", "--pairs", "pairs.jsonl", "--out", "sets/a.asif"])
        .ok();
    bench
        .run(&["anchors", "add", "sets/a.asif", "--pairs", "more.jsonl"])
        .ok();
    bench.run(&["anchors", "compact", "sets/a.asif"]).ok();
    bench.run(&["swap", "sets/a.asif", "--to", "1"]).ok();
    bench.at("sets/a.asif")
}

#[test]
fn a_purge_of_what_was_never_there_deletes_nothing() {
    let bench = Bench::new();
    let set = with_removed(&bench);
    let files = |set: &Path| -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let all = walkdir::WalkDir::new(set).sort_by_file_name().into_iter();
        let paths = all.map(|entry| entry.unwrap().into_path());
        let wanted = paths.filter(|path| path.is_file() && !path.ends_with("LOCK"));
        wanted
            .map(|path| (path.clone(), fs_err::read(path).unwrap()))
            .collect()
    };
    let before = files(&set);
    for asked in [
        &["--where", "people=Evil E"][..],
        &["nobody at all"],
        &["removed person 5", "removed person 9"],
    ] {
        for more in [
            &["--purge", "--receipt", "r.json"][..],
            &["--purge", "--dry-run"],
        ] {
            let said = bench.run(&[&["audit", "sets/a.asif"], asked, more].concat());
            assert_eq!(said.code, Some(3), "{asked:?}: {}", said.err);
            assert!(said.err.contains("nothing was deleted"), "{}", said.err);
        }
    }
    assert!(files(&set) == before && !bench.at("r.json").exists());
    // A value that has all that ends a value, as one of a list; the receipt speaks of what was deleted only.
    let filter = "people=\"Eve \\\"E=\\\" 5\"";
    let args = [
        "audit",
        "sets/a.asif",
        "--purge",
        "--receipt",
        "r.json",
        "--where",
        filter,
    ];
    bench.run(&args).ok();
    let receipt = fs_err::read_to_string(bench.at("r.json")).unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(receipt["requested_pairs"], 1);
    assert_eq!(
        (&receipt["pairs"], receipt["ids"].as_array().unwrap().len()),
        (&json!(3), 3)
    );
    assert_eq!(receipt["pictures_left"], 3);
    // Given again, as after one that was killed, there is nothing more to do.
    let again = args.map(|word| if word == "r.json" { "again.json" } else { word });
    bench.run(&again).ok();
}

/// A generation that cannot be read any more must not be what keeps its pairs, nor hide them from the
/// search; and what a repair put aside is purged too.
#[test]
fn a_purge_reaches_pairs_of_damaged_generations() {
    for repaired in [false, true] {
        let bench = Bench::new();
        let set = with_removed(&bench);
        let damaged = ["g000002.json", "g000003.json"];
        for name in damaged {
            let path = set.join("generations").join(name);
            let text = fs_err::read_to_string(&path).unwrap();
            fs_err::write(path, text.replacen("\"parent\"", "\"pxrent\"", 1)).unwrap();
        }
        if repaired {
            for name in damaged {
                fs_err::remove_file(set.join("generations").join(name)).unwrap();
            }
            let _ = bench.run(&["repair", "sets/a.asif"]);
            assert!(set.join("damaged").exists());
        }
        let said = bench.run(&["audit", "sets/a.asif", "removed person 6"]);
        assert_eq!(said.code, Some(3), "{}", said.err);
        let report = bench
            .run(&[
                "audit",
                "sets/a.asif",
                "--json",
                "--purge",
                "removed person 6",
            ])
            .ok()
            .json();
        assert_eq!(
            (&report["purged"], &report["matched"]),
            (&json!(3), &json!(1)),
            "{report}"
        );
        assert!(
            report["embeddings_forgotten"].as_u64().unwrap() >= 3,
            "{report}"
        );
        assert_eq!(holding(&set, b"removed person"), Vec::<String>::new());
        bench.run(&["verify", "--full", "sets/a.asif"]).ok();
    }
}
