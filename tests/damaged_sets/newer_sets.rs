//! Sets with fields of a newer program whose format this one reads.

use std::path::Path;

use asif::anchors::care::check::verify;
use asif::anchors::care::purge::{PurgeRequest, purge};
use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::respace::respace;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::change::vectors::add;
use asif::anchors::stored::layout::log_path;
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::{AnchorsError, WriteOptions};
use asif::space::RelativeParams;

use super::look::{look, mend};
use super::newer::rewrite_manifest;
use super::sets::files;
use super::synthetic::{copy, pair, set};

fn take(set: &Path, number: u64) -> Result<(), AnchorsError> {
    let selection = PairSelection::Ids {
        ids: [pair(number).record.id].into(),
        missing_ok: false,
    };
    remove(set, &selection, &WriteOptions::default()).map(drop)
}

const PURGE: PurgeRequest<'_> = PurgeRequest {
    ids: &[],
    filter: None,
    cache: None,
    graphs: GraphPolicy::Never,
    dry_run: false,
};

/// Every writer, on the set.
fn write_all(set: &Path, other: &Path) -> Vec<(&'static str, Option<AnchorsError>)> {
    let options = WriteOptions::default();
    let dry = WriteOptions {
        dry_run: true,
        ..options.clone()
    };
    let recipe = RelativeParams::PAPER.into();
    let said = ("tune", String::new());
    let new = [pair(90)];
    vec![
        ("remove", take(set, 9).err()),
        ("add", add(set, new, GraphPolicy::Never, &options).err()),
        ("compact", compact(set, GraphPolicy::Never, &options).err()),
        (
            "compact --dry-run",
            compact(set, GraphPolicy::Never, &dry).err(),
        ),
        ("rollback", swap(set, SwapTarget::Previous, &options).err()),
        ("swap", swap(set, SwapTarget::Generation(1), &options).err()),
        ("tune", respace(set, &recipe, said, &options).err()),
        ("purge", purge(set, &PURGE).err()),
        ("repair", mend(set).err()),
        (
            "swap --from",
            swap(other, SwapTarget::Set(set), &options).err(),
        ),
    ]
}

#[test]
fn a_field_of_a_newer_program_is_read_past_and_refused_by_every_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (whole, other) = (path("whole.asif"), path("other.asif"));
    set(&whole, 0..30);
    set(&other, 50..60);
    take(&whole, 2).unwrap();
    take(&whole, 3).unwrap();
    let sound = look(&whole);
    for (n, (field, from, to)) in [
        (
            "colour",
            "\n  \"counts\"",
            "\n  \"colour\": [1],\n  \"counts\"",
        ),
        (
            "segments[0].colour",
            "\"pairs\": 30",
            "\"pairs\": 30, \"colour\": \"red\"",
        ),
        (
            "segments[0].image_search.colour",
            "\"search\":",
            "\"colour\": 0, \"search\":",
        ),
        (
            "image_encoder.colour",
            "\"modality\":",
            "\"colour\": true, \"modality\":",
        ),
        (
            "space.colour",
            "\"parts\"",
            "\"colour\": {\"a\": 1}, \"parts\"",
        ),
        (
            "space.parts[0].colour",
            "\"weight\"",
            "\"colour\": 2, \"weight\"",
        ),
        (
            "counts.colour",
            "\"captions\"",
            "\"colour\": 3, \"captions\"",
        ),
        (
            "tombstones.colour",
            "\"removed\": 2",
            "\"removed\": 2, \"colour\": 4",
        ),
        (
            "change.colour",
            "\"pairs_before\"",
            "\"colour\": 5, \"pairs_before\"",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let set = path(&format!("{n}.asif"));
        copy(&whole, &set);
        rewrite_manifest(&set, "g000003", from, to);
        let before = (files(&set), files(&other));
        let said = look(&set);
        assert_eq!((&said.word, &said.served.1), (&None, &None), "{field}");
        assert_eq!(
            (&said.answer, &said.full),
            (&sound.answer, &Ok(vec![])),
            "{field}"
        );
        for (writer, error) in write_all(&set, &other) {
            let error = error.unwrap_or_else(|| panic!("{field}: {writer} wrote"));
            let said = error.to_string();
            assert!(error.is_of_newer(), "{field}: {writer}: {said}");
            assert!(
                said.contains(&format!("{field:?}")) && said.contains("asif 99.0.0"),
                "{field}: {writer}: {said}"
            );
        }
        for (before, now) in [(before.0, files(&set)), (before.1, files(&other))] {
            let changed = now
                .iter()
                .filter(|(file, bytes)| before.get(*file) != Some(bytes));
            let changed: Vec<_> = changed
                .filter(|(file, _)| !file.ends_with("LOCK"))
                .collect();
            assert!(
                changed.is_empty() && now.len() == before.len(),
                "{field}: {changed:?}"
            );
        }
    }
    // Keys that are free are not fields, and nothing is lost with what is empty.
    rewrite_manifest(
        &whole,
        "g000003",
        "\"sources\": {",
        "\"tags\": [], \"sources\": {",
    );
    take(&whole, 4).unwrap();
}

#[test]
fn what_a_newer_program_wrote_and_this_one_cannot_read_is_not_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..30);
    take(&path, 2).unwrap();
    rewrite_manifest(&path, "g000002", "\"kind\": \"", "\"kind\": \"newer-");
    let before = files(&path);
    let refused = [
        mend(&path).unwrap_err(),
        take(&path, 9).unwrap_err(),
        verify(&path, true).unwrap_err(),
        asif::anchors::AnchorSet::open_or_last_good(&path).unwrap_err(),
    ];
    for error in refused {
        assert!(
            matches!(error, AnchorsError::UnknownContent { .. }),
            "{error}"
        );
    }
    assert_eq!(files(&path), before);
}

/// A line of the log is appended to, not written anew.
#[test]
fn a_line_of_a_newer_program_keeps_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..30);
    let text = fs_err::read_to_string(log_path(&path)).unwrap();
    let body = &text[..text.rfind(",\"check\"").unwrap()];
    let body = format!("{body},\"colour\":\"red\"");
    let check = &blake3::hash(body.as_bytes()).to_hex()[..16];
    let newer = format!("{body},\"check\":\"{check}\"}}\n");
    fs_err::write(log_path(&path), &newer).unwrap();
    take(&path, 2).unwrap();
    assert_eq!(verify(&path, true).unwrap(), []);
    let before = files(&path);
    let refused = [purge(&path, &PURGE).unwrap_err(), mend(&path).unwrap_err()];
    for error in refused {
        let said = error.to_string();
        assert!(
            said.contains("changes.jsonl") && said.contains("colour"),
            "{said}"
        );
    }
    for (file, bytes) in files(&path) {
        assert!(file.ends_with("LOCK") || before[&file] == bytes, "{file:?}");
    }
    assert!(
        fs_err::read_to_string(log_path(&path))
            .unwrap()
            .starts_with(&newer)
    );
}
