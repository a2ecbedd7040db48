//! What keeps a set in order: purges that leave no byte, damage that is found and repaired.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;
mod synthetic;

use std::path::Path;

use asif::anchors::AnchorSet;
use asif::anchors::care::check;
use asif::anchors::stored::history;
use asif::anchors::stored::witness;
use asif::embed::cache::{ContentKey, EmbeddingCache};
use serde_json::json;
use support::{asif, bare, demo_pairs, on, run, write_jsonl};
use synthetic::{DIMS, pair, set};

/// Every file under a folder that holds these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs_err::read(&path)
            .unwrap()
            .windows(bytes.len())
            .any(|w| w == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn after_a_purge_no_file_holds_the_pair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    let cache = folder.path().join("cache");
    set(&path, 0..40);
    let gone: Vec<u64> = (10..36).collect();
    let manifest = AnchorSet::open(&path).unwrap().manifest().clone();
    let of = |n: u64| pair(n);
    let image_print = manifest.image_encoder.identity.fingerprint.clone();
    let text_print = manifest.text_encoder.identity.fingerprint.clone();
    let image = EmbeddingCache::open(&cache, &image_print, DIMS.image).unwrap();
    let text = EmbeddingCache::open(&cache, &text_print, DIMS.text).unwrap();
    for n in 0u64..40 {
        // The image file is gone, so its embedding is found by the vector.
        image
            .put(&[ContentKey::of(&n.to_le_bytes())], &of(n).image)
            .unwrap();
        let caption = of(n).record.captions[0].clone();
        text.put(&[ContentKey::of(caption.as_bytes())], &of(n).text)
            .unwrap();
    }
    let bytes = |v: &[f32]| -> Vec<u8> { v.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let traces = |n: u64| {
        let pair = of(n);
        let needles = [
            pair.record.id.clone().into_bytes(),
            pair.record.captions[0].clone().into_bytes(),
            bytes(&pair.image),
            bytes(&pair.text),
        ];
        needles.map(|needle| holding(folder.path(), &needle))
    };
    assert!(traces(12).iter().all(|files| !files.is_empty()));
    for part in [&gone[..1], &gone[1..]] {
        let mut command = bare(folder.path());
        command.args(["anchors", "remove"]).arg(&path);
        for &n in part {
            command.args(["--id", &of(n).record.id]);
        }
        run(&mut command).ok();
    }
    let purge = |more: &[&str]| {
        let mut command = bare(folder.path());
        command
            .args(["audit", "--json", "--purge"])
            .args(more)
            .arg(&path);
        run(command.arg("--cache").arg(&cache))
    };
    let live = of(0).record.id;
    run(bare(folder.path())
        .args(["audit", "--purge"])
        .arg(&path)
        .arg(&live))
    .fails(3, &[&live, "live pair"]);
    let before = AnchorSet::open(&path).unwrap().len();
    assert_eq!(purge(&["--dry-run"]).ok().json()["purged"], gone.len());
    assert!(!traces(12)[0].is_empty());
    let report = purge(&[]).ok().json();
    assert_eq!(report["purged"], gone.len());
    assert_eq!(report["embeddings_forgotten"], 2 * gone.len());
    for &n in &gone {
        let found = traces(n);
        assert!(found.iter().all(Vec::is_empty), "pair {n}: {found:?}");
    }
    for n in [0, 9, 36] {
        assert!(
            traces(n).iter().all(|files| !files.is_empty()),
            "pair {n} is live"
        );
    }
    let after = AnchorSet::open(&path).unwrap();
    assert_eq!((after.len(), before), (14, 14));
    assert_eq!(check::verify(&path, true).unwrap(), []);
    assert_eq!(history::read(&path).unwrap().len(), 4);
    let audit = run(bare(folder.path())
        .args(["audit", "--json"])
        .arg(&path)
        .arg(&of(12).record.id))
    .ok()
    .json();
    assert_eq!(
        audit[0]["purged"],
        json!([3]),
        "the log proves it without telling of whom"
    );
    assert_eq!(audit[0]["log"], json!([]));
    on(folder.path(), &["rollback"], &path).fails(3, &["not kept"]);
}

#[test]
fn what_is_damaged_is_found_and_what_can_be_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    on(folder.path(), &["verify", "--full"], &path).ok();
    let segment = AnchorSet::open(&path).unwrap().segments()[0]
        .path()
        .to_owned();
    let flip = |file: &Path, back: usize| {
        let mut bytes = fs_err::read(file).unwrap();
        let at = bytes.len() - back;
        bytes[at] ^= 0x40;
        fs_err::write(file, bytes).unwrap();
    };
    flip(&segment.join("moments.sum"), 100);
    on(folder.path(), &["verify"], &path).fails(3, &["finding"]);
    on(folder.path(), &["anchors", "list"], &path).fails(3, &["moments.sum"]);
    on(folder.path(), &["repair", "--dry-run"], &path).fails(3, &["1 finding;"]);
    on(folder.path(), &["repair"], &path).ok();
    on(folder.path(), &["verify", "--full"], &path).ok();

    let id = pair(1).record.id;
    on(folder.path(), &["anchors", "remove", "--id", &id], &path).ok();
    flip(&path.join("generations/g000002.del"), 4200);
    let listed = on(folder.path(), &["anchors", "list"], &path).ok();
    assert_eq!(
        listed.out.lines().count(),
        6,
        "the last good generation answers"
    );
    assert!(
        listed.err.contains("warning") && listed.err.contains("generation 1"),
        "{}",
        listed.err
    );
    let repaired = on(folder.path(), &["repair", "--json"], &path).ok();
    assert!(repaired.out.contains("rebuilt from the log"));
    on(folder.path(), &["verify", "--full"], &path).ok();
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 5);

    flip(&path.join("generations/g000002.json"), 200);
    let repaired = on(folder.path(), &["repair", "--json"], &path).ok();
    assert!(
        repaired.out.contains("generation 2 is abandoned for 1"),
        "{}",
        repaired.out
    );
    assert_eq!(AnchorSet::open(&path).unwrap().manifest().generation, 3);
    assert_eq!(witness::kept(&path).unwrap(), [1, 3], "2 cannot come back");
    assert!(!path.join("generations/g000002.del").exists());
    assert!(repaired.out.contains("stay removed") && repaired.out.contains(&id));
    let last = history::read(&path).unwrap().pop().unwrap();
    assert_eq!((last.command.as_str(), last.generation), ("repair", 3));
    // It came before the content of 1, so there is nothing before it.
    on(folder.path(), &["rollback"], &path).fails(3, &["not kept"]);

    fs_err::write(path.join("CURRENT"), b"nonsense").unwrap();
    on(folder.path(), &["repair"], &path);
    assert_eq!(
        AnchorSet::open(&path).unwrap().len(),
        5,
        "what was removed stays removed"
    );
}

/// Vectors come back from their sources and graphs from their vectors, with the same bits.
#[test]
fn vectors_and_graphs_are_rebuilt_with_the_real_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = write_jsonl(folder.path(), "pairs.jsonl", &demo_pairs(60));
    let path = folder.path().join("a.asif");
    run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(&pairs)
        .arg("--out")
        .arg(&path)
        .args(["--graph", "always"]))
    .ok();
    let verify = || run(asif().args(["verify", "--full"]).arg(&path));
    verify().ok();
    let segment = fs_err::read_dir(path.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for (name, gone) in [
        ("image.graph", false),
        ("image.vec", true),
        ("text.vec", false),
    ] {
        let file = segment.join(name);
        let good = fs_err::read(&file).unwrap();
        if gone {
            fs_err::remove_file(&file).unwrap();
        } else {
            let mut bad = good.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 0x20;
            fs_err::write(&file, bad).unwrap();
        }
        let found = verify().fails(3, &["finding"]);
        assert!(found.out.contains(name), "{}", found.out);
        run(asif().arg("repair").arg(&path)).ok();
        verify().ok();
        assert!(
            fs_err::read(&file).unwrap() == good,
            "{name} came back otherwise"
        );
    }
}

/// All that a pair is known by.
fn bytes_of(pair: &asif::anchors::change::vectors::PairVectors) -> [Vec<u8>; 4] {
    let bytes = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect();
    [
        pair.record.id.clone().into_bytes(),
        pair.record.captions[0].clone().into_bytes(),
        bytes(&pair.image),
        bytes(&pair.text),
    ]
}

/// A set of its own after `swap --from`: a purge of one leaves no byte in its folder nor in the
/// cache, changes no other, and names those that hold the pair still.
#[test]
fn a_purge_names_the_sets_that_share_a_segment() {
    let root = tempfile::tempdir().unwrap();
    let [taker, source] = ["taker.asif", "source.asif"].map(|n| root.path().join(n));
    let far = root.path().join("elsewhere/far.asif");
    fs_err::create_dir_all(far.parent().unwrap()).unwrap();
    let cache = root.path().join("cache");
    set(&taker, 50..55);
    set(&source, 0..10);
    set(&far, 60..65);
    let gone = pair(3);
    let id = gone.record.id.as_str();
    let from = source.display().to_string();
    on(root.path(), &["swap", "--from", &from], &taker).ok();
    let manifest = AnchorSet::open(&source).unwrap().manifest().clone();
    let print = &manifest.image_encoder.identity.fingerprint;
    let remember = || {
        let cache = EmbeddingCache::open(&cache, print, DIMS.image).unwrap();
        cache.put(&[ContentKey::of(b"3")], &gone.image).unwrap();
    };
    remember();
    let held = |folder: &Path| bytes_of(&gone).map(|needle| !holding(folder, &needle).is_empty());
    let purge = |set: &Path| {
        run(bare(root.path())
            .args(["audit", "--json", "--purge"])
            .args([set, Path::new(id)])
            .arg("--cache")
            .arg(&cache))
        .ok()
    };
    let audit = |set: &Path| {
        let ended = run(bare(root.path()).args(["audit", "--json"]).arg(set).arg(id));
        ended.json()[0].clone()
    };
    assert_eq!(audit(&taker)["elsewhere"], json!([source]));

    on(root.path(), &["anchors", "remove", "--id", id], &taker).ok();
    let said = purge(&taker);
    assert_eq!(held(&taker), [false; 4]);
    assert_eq!(held(&cache), [false; 4]);
    assert_eq!(held(&source), [true; 4], "it is live there");
    let report = said.json();
    assert_eq!(
        report["elsewhere"],
        json!([{"set": source, "ids": [id], "live": 1, "live_ids": [id]}])
    );
    assert_eq!(report["unknown_links"], json!([]));
    let words = ["warning", &from, "still holds 1 of these pairs (1 live)"];
    for word in words {
        assert!(said.err.contains(word), "{word:?}: {}", said.err);
    }
    assert_eq!(check::verify(&source, true).unwrap(), []);
    assert_eq!(check::verify(&taker, true).unwrap(), []);

    // A set that nothing tells of: only its links are seen.
    on(root.path(), &["swap", "--from", &from], &far).ok();
    on(root.path(), &["anchors", "remove", "--id", id], &source).ok();
    remember();
    let said = purge(&source);
    assert_eq!((held(&source), held(&cache)), ([false; 4], [false; 4]));
    let report = said.json();
    assert_eq!(report["elsewhere"], json!([]));
    assert_eq!(report["unknown_links"][0]["links"], 1);
    assert!(
        said.err.contains("in no anchor set that is known"),
        "{}",
        said.err
    );

    // From there the source is known, and has it no more.
    on(root.path(), &["anchors", "remove", "--id", id], &far).ok();
    let report = purge(&far).json();
    assert_eq!(
        (&report["elsewhere"], &report["unknown_links"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(held(root.path()), [false; 4]);
    for set in [&taker, &source, &far] {
        assert_eq!(check::verify(set, true).unwrap(), []);
    }
}
