//! The commands end to end: real binary, real encoders, real pairs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::*;

fn build(pairs: &Path, out: &Path) -> Command {
    let mut command = asif();
    command
        .arg("build")
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(out);
    command
}

fn segment(set: &Path) -> String {
    let inspected = run(asif().arg("inspect").arg(set).arg("--json"))
        .ok()
        .json();
    inspected["segments"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_same_pairs_in_every_format_make_the_same_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let records = demo_pairs(4);
    let (mut jsonl, mut csv, mut tsv) = (
        String::new(),
        "image,caption\n".to_owned(),
        "caption\timage\n".to_owned(),
    );
    let folder = dir.path().join("folder");
    fs_err::create_dir(&folder).unwrap();
    for (i, record) in records.iter().enumerate() {
        let image = record["image"].as_str().unwrap();
        let caption = record["captions"][0].as_str().unwrap();
        jsonl += &format!("{}\n", json!({"image": image, "caption": caption}));
        csv += &format!("{image},\"{}\"\n", caption.replace('"', "\"\""));
        tsv += &format!("{caption}\t{image}\n");
        let extension = Path::new(image).extension().unwrap().to_str().unwrap();
        fs_err::copy(image, folder.join(format!("{i}.{extension}"))).unwrap();
        fs_err::write(folder.join(format!("{i}.txt")), caption).unwrap();
    }
    for (name, text) in [("p.jsonl", jsonl), ("p.csv", csv), ("p.tsv", tsv)] {
        fs_err::write(dir.path().join(name), text).unwrap();
    }
    let vectors = ["p.jsonl", "p.csv", "p.tsv", "folder"].map(|source| {
        let out = dir.path().join(format!("{source}.asif"));
        let report = run(build(&dir.path().join(source), &out).arg("--json"))
            .ok()
            .json();
        assert_eq!(report["pairs"], 4, "{source}");
        let segment = out.join("segments").join(segment(&out));
        ["image.vec", "text.vec"].map(|file| fs_err::read(segment.join(file)).unwrap())
    });
    assert!(vectors.iter().all(|v| *v == vectors[0]));
}

#[test]
fn building_twice_gives_the_same_segment_and_reads_everything_from_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(10));
    let [one, two] = ["one.asif", "two.asif"].map(|n| dir.path().join(n));
    run(&mut build(&pairs, &one)).ok();
    let again = run(build(&pairs, &two).arg("--json")).ok().json();
    assert_eq!(segment(&one), segment(&two));
    assert!(again["from_cache"].as_u64().unwrap() >= 15, "{again}");
    let mut uncached = build(&pairs, &dir.path().join("three.asif"));
    let fresh = run(uncached
        .args(["--no-cache", "--json"])
        .env_remove("ASIF_CACHE"))
    .ok()
    .json();
    assert_eq!(fresh["from_cache"], 0);
    assert_eq!(
        segment(&one),
        segment(&dir.path().join("three.asif")),
        "a cached vector differs"
    );
}

#[test]
fn an_interrupted_build_leaves_nothing_and_a_rerun_continues() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    // Drawings that no other test has encoded, so that there is something to interrupt.
    let records: Vec<Value> = (0..400)
        .map(|i| {
            let image = draw(dir.path(), &format!("{i}.png"), 1000 + i);
            json!({"image": image, "caption": format!("drawing number {i}")})
        })
        .collect();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &records);
    let out = dir.path().join("out.asif");
    let child = build(&pairs, &out)
        .env("ASIF_CACHE", &cache)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let cached = || {
        let files = fs_err::read_dir(&cache).into_iter().flatten().flatten();
        files
            .filter_map(|f| f.metadata().ok())
            .map(|m| m.len())
            .sum::<u64>()
    };
    while cached() < 200_000 && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill")
        .arg("-INT")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(interrupted.success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("another attempt continues"), "{said}");
    let left: Vec<String> = names_in(dir.path())
        .into_iter()
        .filter(|n| n.contains("out.asif"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let report = run(build(&pairs, &out).env("ASIF_CACHE", &cache).arg("--json"))
        .ok()
        .json();
    assert_eq!(report["pairs"], 400);
    assert!(report["from_cache"].as_u64().unwrap() >= 8, "{report}");
}

#[test]
fn two_writers_of_one_set() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(3));
    let out = dir.path().join("out.asif");
    run(&mut build(&pairs, &out)).ok();
    let lock = fs_err::File::open(out.join("LOCK")).unwrap();
    lock.lock().unwrap();
    run(build(&pairs, &out).arg("--overwrite"))
        .fails(3, &["another process is writing", "process"]);
    run(asif().arg("inspect").arg(&out)).ok();
}

#[test]
fn classify_prints_one_sorted_json_line_an_image() {
    let dir = tempfile::tempdir().unwrap();
    let images: Vec<_> = (0..3)
        .map(|i| draw(dir.path(), &format!("{i}.png"), i + 1))
        .collect();
    let labels = ["a frog", "a ship", "a slice of pizza"];
    let lines = run(asif()
        .arg("classify")
        .arg("--index")
        .arg(demo_set())
        .args(["--json", "--labels", &labels.join(",")])
        .args(&images))
    .ok()
    .json_lines();
    assert_eq!(lines.len(), 3);
    for (line, image) in lines.iter().zip(&images) {
        assert_eq!(line["image"], json!(image));
        let predictions = line["predictions"].as_array().unwrap();
        let number = |p: &Value, key: &str| p[key].as_f64().unwrap();
        assert_eq!(predictions.len(), 3);
        assert!(predictions.is_sorted_by(|a, b| number(a, "score") >= number(b, "score")));
        assert!(
            predictions.is_sorted_by(|a, b| number(a, "similarity") >= number(b, "similarity"))
        );
        let sum: f64 = predictions.iter().map(|p| number(p, "score")).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert!(
            predictions
                .iter()
                .all(|p| labels.contains(&p["label"].as_str().unwrap()))
        );
    }
}

/// An anchor's own image, asked for its own caption among others, must find it: the two sides meet.
#[test]
fn the_anchors_find_their_own_captions() {
    let records = demo_pairs(60);
    let mut captions: Vec<&str> = Vec::new();
    let mut chosen = Vec::new();
    for record in &records {
        let caption = record["captions"][0].as_str().unwrap();
        if !captions.contains(&caption) && captions.len() < 20 {
            captions.push(caption);
            chosen.push(record["image"].as_str().unwrap());
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let labels = dir.path().join("labels.txt");
    fs_err::write(&labels, captions.join("\n")).unwrap();
    let templates = dir.path().join("templates.txt");
    fs_err::write(&templates, "{}\n").unwrap();
    let right = |more: &[&str]| {
        let lines = run(asif()
            .args(["classify", "--json", "--top", "1", "--index"])
            .arg(demo_set())
            .arg("--labels-file")
            .arg(&labels)
            .arg("--templates")
            .arg(&templates)
            .args(more)
            .args(&chosen))
        .ok()
        .json_lines();
        let hit =
            |(line, caption): (&Value, &&str)| line["predictions"][0]["label"] == json!(caption);
        lines
            .iter()
            .zip(&captions)
            .filter(|pair| hit(*pair))
            .count()
    };
    assert!(right(&["--p", "8"]) >= 18, "{} of 20", right(&["--p", "8"]));
    assert!(right(&["--paper"]) >= 15, "{} of 20", right(&["--paper"]));
}

#[test]
fn the_page_holds_pictures_labels_and_anchors() {
    let dir = tempfile::tempdir().unwrap();
    let image = draw(dir.path(), "drawn <b>.png", 3);
    let page = dir.path().join("page.html");
    run(asif()
        .arg("classify")
        .arg("--index")
        .arg(demo_set())
        .args(["--labels", "a frog,a ship", "--html"])
        .arg(&page)
        .arg(&image))
    .ok();
    let html = fs_err::read_to_string(&page).unwrap();
    assert!(html.contains("drawn &lt;b&gt;.png") && !html.contains("drawn <b>.png"));
    assert!(
        html.matches("data:image/").count() >= 2,
        "the image and at least one anchor"
    );
    assert!(html.contains("a frog") && html.contains("a ship"));
}

#[test]
fn eval_has_the_keys_of_clip_benchmark() {
    let dir = tempfile::tempdir().unwrap();
    for (i, class) in ["frog", "ship"].iter().enumerate() {
        fs_err::create_dir(dir.path().join(class)).unwrap();
        for j in 0..2 {
            draw(
                &dir.path().join(class),
                &format!("{j}.png"),
                (10 * i + j) as u32 + 1,
            );
        }
    }
    let report = run(asif()
        .args(["eval", "zeroshot", "--json", "--index"])
        .arg(demo_set())
        .arg("--dataset")
        .arg(dir.path()))
    .ok()
    .json();
    for key in ["dataset", "model", "task", "metrics", "language"] {
        assert!(!report[key].is_null(), "no {key} in {report}");
    }
    for key in ["acc1", "acc5", "mean_per_class_recall"] {
        assert!(report["metrics"].get(key).is_some(), "no {key} in {report}");
    }
    assert_eq!(report["asif"]["images"], 4);
}

#[test]
fn models_are_added_whole_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("home");
    let with_own_home = || {
        let mut command = asif();
        command
            .env("ASIF_HOME", &own)
            .env("ASIF_ONNXRUNTIME", home().runtime_library());
        command
    };
    let lite = home().models().join("efficientnet-lite0");
    run(with_own_home().args(["models", "add", "lite"]).arg(&lite)).ok();
    let listed = run(with_own_home().args(["models", "--json"])).ok().json();
    assert_eq!(listed[0]["name"], "lite");
    assert_eq!(listed[0]["modality"], "image");
    assert_eq!(listed[0]["dim"], 1280);
    run(with_own_home().args(["models", "add", "lite"]).arg(&lite)).fails(3, &["lite"]);
}

#[test]
fn the_doctor_finds_the_set_up_sound() {
    let findings = run(asif().args(["doctor", "--json"])).ok().json();
    let findings = findings.as_array().unwrap();
    assert!(findings.len() >= 3);
    assert!(
        findings.iter().all(|f| f["status"] != "error"),
        "{findings:?}"
    );
}

#[test]
fn every_command_teaches() {
    for command in [
        &["build"][..],
        &["classify"],
        &["explain"],
        &["eval", "zeroshot"],
        &["eval", "scaling"],
        &["inspect"],
        &["models"],
        &["doctor"],
    ] {
        let help = run(asif().args(command).arg("--help")).ok().out;
        assert!(
            help.len() > 400 && help.contains("--json"),
            "{command:?}: {help}"
        );
    }
    assert!(run(asif().arg("--help")).ok().out.contains("Exit codes"));
}

/// Pairs whose captions were shuffled carry nothing: retrieval among pairs that are not in the set
/// must fall to chance.
#[test]
fn shuffled_pairs_fall_to_chance() {
    let dir = tempfile::tempdir().unwrap();
    let (asked, records): (Vec<_>, Vec<_>) = demo_pairs(785)
        .into_iter()
        .enumerate()
        .partition(|(i, _)| i % 5 == 0);
    let [asked, records] =
        [asked, records].map(|all| all.into_iter().map(|(_, r)| r).collect::<Vec<Value>>());
    let dataset = dir.path().join("asked");
    fs_err::create_dir(&dataset).unwrap();
    write_jsonl(&dataset, "pairs.jsonl", &asked);
    let recall = |records: &[Value], name: &str| {
        let pairs = write_jsonl(dir.path(), &format!("{name}.jsonl"), records);
        let set = dir.path().join(format!("{name}.asif"));
        run(&mut build(&pairs, &set)).ok();
        let mut eval = asif();
        eval.args(["eval", "retrieval", "--json", "--index"])
            .arg(set)
            .arg("--dataset")
            .arg(&dataset);
        run(&mut eval).ok().json()["metrics"]["text_retrieval_recall@10"]
            .as_f64()
            .unwrap()
    };
    let real = recall(&records, "real");
    let mut shuffled = records.clone();
    for (i, record) in shuffled.iter_mut().enumerate() {
        record["captions"] = records[(i * 7 + 300) % records.len()]["captions"].clone();
    }
    let control = recall(&shuffled, "shuffled");
    let chance = 10.0 / asked.len() as f64;
    println!("real pairs {real:.3}, shuffled {control:.3}, chance {chance:.3}");
    assert!(
        real > 5.0 * chance && control < 2.0 * chance,
        "real {real}, shuffled {control}, chance {chance}"
    );
}
