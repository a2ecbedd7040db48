//! With the real encoders: pairs that are added, and heads of a snapshot.

use std::sync::Arc;

use asif::anchors::change::add::{AddOptions, add_from};
use asif::anchors::change::build::{BuildOptions, build, build_from};
use asif::anchors::change::writer::WriteOptions;
use asif::anchors::stored::plan::{GraphPolicy, SearchMode};
use asif::anchors::{AnchorSet, AnchorsError, LiveOptions, LiveSet};
use asif::classify::{Classifier, HeadOptions, LabelHead, ScoringOptions};
use asif::embed::{Embedder, WorkControl};
use asif::encode::{EncoderOptions, ImageEncoder, ModelFolder, TextEncoder, registry, runtime};
use asif::image_source::ImageSource;
use asif::modality::Modality;
use asif::pairs::{self, Pair};
use asif::space::prompts::{LabelList, PromptTemplates};
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
    assert_eq!(
        report["skipped_by_reason"]["id already in the anchor set"],
        8
    );
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

/// The encoders of the demo set, without a cache.
fn demo_embedder() -> Embedder {
    let home = home();
    runtime::load(None, &home).unwrap();
    let set = AnchorSet::open(demo_set()).unwrap();
    let options = EncoderOptions::latency();
    let model = |modality| {
        let name = &set.encoder(modality).identity.name;
        ModelFolder::open(registry::resolve(&home, name, modality).unwrap()).unwrap()
    };
    Embedder::new(
        ImageEncoder::open(&model(Modality::Image), &options).unwrap(),
        TextEncoder::open(&model(Modality::Text), &options).unwrap(),
        options.sessions,
    )
}

/// Wherever the pairs of a set come from, it is the same to the bit.
#[test]
fn pairs_of_files_bytes_and_vectors_make_the_same_segment() {
    let folder = tempfile::tempdir().unwrap();
    let list = write_jsonl(folder.path(), "pairs.jsonl", &demo_pairs(6));
    let embedder = demo_embedder();
    let watch = WorkControl {
        progress: &asif::progress::NoProgress,
        cancel: &asif::progress::CancelToken::default(),
    };
    let options = |name: &str| BuildOptions {
        pairs: vec![list.clone()],
        out: folder.path().join(name),
        overwrite: false,
        keep: 5,
        selection: Default::default(),
        reading: pairs::PairOptions::default(),
        strict: false,
        space: AnchorSet::open(demo_set())
            .unwrap()
            .manifest()
            .space
            .clone(),
        thumbnails: false,
        graphs: GraphPolicy::Never,
    };
    let of_files = options("files.asif");
    build(&of_files, &embedder, watch).unwrap();
    let pairs = || pairs::open(std::slice::from_ref(&list)).unwrap();
    let name = |pair: &Pair| {
        let path = fs_err::canonicalize(pair.image.path().unwrap()).unwrap();
        path.display().to_string()
    };
    let of_bytes = options("bytes.asif");
    let with_bytes = pairs().map(|pair| {
        let mut pair = pair?;
        let bytes = fs_err::read(pair.image.path().unwrap()).unwrap().into();
        let name = name(&pair);
        pair.image = ImageSource::Bytes { name, bytes };
        Ok(pair)
    });
    build_from(&of_bytes, with_bytes, &embedder, watch).unwrap();
    let of_vectors = options("vectors.asif");
    let with_vectors = pairs().map(|pair| {
        let mut pair = pair?;
        let vector = embedder.images(&[&pair.image], watch).unwrap().remove(0);
        let (name, vector) = (name(&pair), vector.unwrap().into());
        pair.image = ImageSource::Vector { name, vector };
        Ok(pair)
    });
    build_from(&of_vectors, with_vectors, &embedder, watch).unwrap();
    let segment = |options: &BuildOptions| {
        let set = AnchorSet::open(&options.out).unwrap();
        set.manifest().segments[0].id.clone()
    };
    assert_eq!(segment(&of_bytes), segment(&of_files));
    assert_eq!(segment(&of_vectors), segment(&of_files));

    // What is not an image is named by the name that it was given; a vector must fit.
    let images = [
        ImageSource::Bytes {
            name: "half.jpg".to_owned(),
            bytes: [0xff, 0xd8, 0xff].into(),
        },
        ImageSource::Vector {
            name: "short".to_owned(),
            vector: [1.0].into(),
        },
        ImageSource::Vector {
            name: "long".to_owned(),
            vector: vec![1.0; embedder.dims().image].into(),
        },
    ];
    let refused = embedder.images(&images, watch).unwrap();
    for (refused, name) in refused.into_iter().zip(["half.jpg", "short", "long"]) {
        let reason = refused.unwrap_err().reason;
        assert!(reason.starts_with(&format!("{name}: ")), "{reason}");
    }

    // A second pair with one id is a row that is skipped.
    let set = of_files.out.clone();
    let more = AddOptions {
        set: set.clone(),
        pairs: vec!["memory".into()],
        selection: Default::default(),
        reading: pairs::PairOptions::default(),
        strict: false,
        thumbnails: false,
        graphs: GraphPolicy::Never,
        accept_encoder: false,
    };
    let twice = pairs().chain(pairs()).map(|pair| {
        let mut pair = pair?;
        pair.id.push_str(" again");
        Ok(pair)
    });
    let encoders = |_: &_| Ok::<_, AnchorsError>(&embedder);
    let report = add_from(&more, &WriteOptions::default(), twice, encoders, watch).unwrap();
    assert_eq!(report.skipped, 6);
    assert_eq!(report.skipped_by_reason["duplicate id"], 6);
    assert_eq!(AnchorSet::open(&set).unwrap().len(), 12);
}

/// A server makes a head once a snapshot, and a classifier for each request.
#[test]
fn a_head_of_a_snapshot_answers_as_a_classifier_of_the_set() {
    let path = demo_set();
    let set = AnchorSet::open(path).unwrap();
    let embedder = demo_embedder();
    let watch = WorkControl {
        progress: &asif::progress::NoProgress,
        cancel: &asif::progress::CancelToken::default(),
    };
    let labels = LabelList::parse("a frog,a ship,a cat").unwrap();
    let templates = PromptTemplates::default();
    let scoring = ScoringOptions::default();
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
        let classifier =
            Classifier::with_head(snapshot.searcher(), &embedder, Arc::clone(&head)).unwrap();
        let answers = classifier.classify(&images, watch).unwrap();
        let answer = answers[0].as_ref().unwrap();
        assert_eq!(answer, expected[0].as_ref().unwrap());
        assert_eq!(classifier.ranked(answer, 9).len(), 3);
        // There is no fourth label, whose score would be 0.
        let error = classifier.reasons(answer, 3, 5).unwrap_err().to_string();
        assert!(error.contains("one below 3"), "{error}");
        // Two vectors that are whole only together.
        let (short, long) = answer.vector.split_at(answer.vector.len() - 1);
        let long = [long, &answer.vector].concat();
        let error = classifier.answers(vec![short.to_vec(), long]).unwrap_err();
        assert!(error.to_string().contains("image vector"), "{error}");
    }
}
