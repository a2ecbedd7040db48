//! With the real encoders: pairs that are added, and heads of a snapshot.

use std::sync::Arc;

use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorSet, LiveOptions, LiveSet};
use asif::classify::{Classifier, HeadOptions, LabelHead, Scoring};
use asif::embed::{Embedder, Watch};
use asif::encode::{EncoderOptions, ImageEncoder, ModelFolder, TextEncoder, registry, runtime};
use asif::modality::Modality;
use asif::space::prompts::{Labels, Templates};
use serde_json::json;

use super::support::{asif, demo_pairs, demo_set, home, run, write_jsonl};

#[test]
fn pairs_are_added_with_the_real_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let records = demo_pairs(12);
    let [first, all] = [&records[..8], &records[..]]
        .map(|r| write_jsonl(folder.path(), &format!("{}.jsonl", r.len()), r));
    let [path, whole] = ["a.asif", "b.asif"].map(|n| folder.path().join(n));
    for (pairs, out) in [(&first, &path), (&all, &whole)] {
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(pairs)
            .arg("--out")
            .arg(out))
        .ok();
    }
    let add = |more: &[&str]| {
        let mut command = asif();
        command
            .args(["anchors", "add", "--json"])
            .arg(&path)
            .args(more);
        run(command.arg("--pairs").arg(&all))
    };
    let foreseen = add(&["--dry-run"]).ok().json();
    assert_eq!(
        (&foreseen["added"], &foreseen["skipped"]),
        (&json!(4), &json!(8))
    );
    let report = add(&["--accept-encoder"]).ok().json();
    assert_eq!(
        (&report["added"], &report["skipped"]),
        (&json!(4), &json!(8))
    );
    assert_eq!(report["skipped_by_reason"]["id already in the set"], 8);
    let diff = run(asif().args(["diff", "--json"]).arg(&path).arg(&whole))
        .ok()
        .json();
    assert_eq!(diff["same"], 12, "{diff}");
    add(&[]).fails(3, &["no usable pair"]);
    let image = records[0]["image"].as_str().unwrap();
    let probed = run(asif()
        .args(["diff", "--json", "--labels", "a frog,a ship"])
        .arg(format!("{}@1", path.display()))
        .arg(&whole)
        .args(["--probe", image]))
    .ok()
    .json();
    assert_eq!(probed["probed"], 1);
    let rebuilt = run(asif()
        .args(["build", "--json", "--overwrite", "--pairs"])
        .arg(&first)
        .arg("--out")
        .arg(&path))
    .ok()
    .json();
    assert_eq!(rebuilt["generation"], 3);
    run(asif().arg("rollback").arg(&path)).ok();
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 12);
}

/// A server makes a head once a snapshot, and a classifier for each request.
#[test]
fn a_head_of_a_snapshot_answers_as_a_classifier_of_the_set() {
    let home = home();
    runtime::load(None, &home).unwrap();
    let path = demo_set();
    let set = AnchorSet::open(path).unwrap();
    let options = EncoderOptions::latency();
    let model = |modality| {
        let name = &set.encoder(modality).identity.name;
        ModelFolder::open(registry::resolve(&home, name, modality).unwrap()).unwrap()
    };
    let embedder = Embedder::new(
        ImageEncoder::open(&model(Modality::Image), &options).unwrap(),
        TextEncoder::open(&model(Modality::Text), &options).unwrap(),
        options.sessions,
    );
    let watch = Watch {
        progress: &asif::progress::Silent,
        cancel: &asif::progress::Cancel::default(),
    };
    let labels = Labels::parse("a frog,a ship,a cat").unwrap();
    let templates = Templates::default();
    let scoring = Scoring::default();
    let whole = HeadOptions {
        space: set.manifest().space.clone(),
        mode: SearchMode::Auto,
        aggregate: scoring.aggregate,
        logit_scale: scoring.logit_scale,
    };
    let images = [demo_pairs(1)[0]["image"].as_str().unwrap().to_owned()];
    let expected = Classifier::new(&set, &embedder, &labels, &templates, whole, watch)
        .and_then(|classifier| classifier.classify(&images, watch))
        .unwrap();

    let live = LiveSet::open(path, LiveOptions::default()).unwrap();
    let snapshot = live.load();
    let searcher = snapshot.searcher();
    let head = LabelHead::new(
        snapshot.set(),
        &searcher,
        &embedder,
        &labels,
        &templates,
        scoring,
        watch,
    );
    let head = Arc::new(head.unwrap());
    for _ in 0..2 {
        let classifier = Classifier::with_head(snapshot.searcher(), &embedder, Arc::clone(&head));
        let answers = classifier.classify(&images, watch).unwrap();
        let answer = answers[0].as_ref().unwrap();
        assert_eq!(answer, expected[0].as_ref().unwrap());
        assert_eq!(classifier.ranked(answer, 9).len(), 3);
    }
}
