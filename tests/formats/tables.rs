//! Parquet files of pyarrow, `datasets` and img2dataset's layout.

use asif::image_source::ImageSource;

use super::*;

/// Each image of a set is read from its Parquet file again.
fn assert_images(set: &AnchorSet, names: &[&str]) {
    assert_eq!(set.len(), names.len());
    for (anchor, name) in (0..).zip(names) {
        let image = set.image(anchor).unwrap().unwrap();
        assert!(matches!(image, ImageSource::Cell(_, None)), "{image:?}");
        assert_eq!(
            image.read(1 << 20).unwrap().as_ref(),
            picture(name),
            "{image}"
        );
    }
}

#[test]
fn images_in_a_file_of_datasets_are_those_of_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let set = whole(folder.path(), "set.asif", &[written("datasets.parquet")]);
    let rows = records(|number, name, _| json!({"image": name, "label": number}));
    assert_eq!(segment(&set), expected(folder.path(), &rows));
    assert_images(&set, &PICTURES.map(|(name, _)| name));
}

#[test]
fn paths_and_columns_of_every_type_are_read_from_a_file_of_pyarrow() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path(), "set.asif", &[written("paths.parquet")]);
    let listed = run(asif()
        .args(["anchors", "list", "--json"])
        .arg(folder.path().join("set.asif")))
    .ok()
    .json_lines();
    assert_eq!(listed[2]["id"], "pictures/blue.webp", "{listed:?}");
    let meta = |i: usize| &listed[i];
    assert_eq!(meta(0)["score"], 0.1, "{listed:?}");
    assert_eq!(meta(0)["tags"], json!(["a", "b"]), "{listed:?}");
    assert_eq!(
        (&meta(1)["number"], &meta(3)["number"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(meta(0).get("thumb"), None, "{listed:?}");
}

#[test]
fn a_file_in_the_layout_of_img2dataset_names_images_after_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let sources = [written("img2dataset.parquet")];
    let report = build(folder.path(), "set.asif", &sources, &[]).ok().json();
    let said = said_of_rows(&report);
    assert_eq!(report["skipped"], 1, "{report}");
    assert!(
        said.contains("img2dataset.parquet, row 4: ") && said.contains("no image"),
        "{said}"
    );
    let set = AnchorSet::open(&folder.path().join("set.asif")).unwrap();
    assert_images(&set, &["red.jpg", "green.png", "grey.jpg"]);
    let listed = run(asif()
        .args(["anchors", "list", "--json"])
        .arg(folder.path().join("set.asif")))
    .ok()
    .json_lines();
    assert_eq!(listed[1]["id"], "000000001.jpg", "{listed:?}");
}

#[test]
fn a_damaged_file_says_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let list = cut(place, &written("datasets.parquet"));
    build(place, "cut.asif", &[list], &[]).fails(3, &["cut-datasets.parquet", "no Parquet file"]);
    // Damage in the middle, where the second picture lies: what is before it is read.
    let mut bytes = fs_err::read(written("img2dataset.parquet")).unwrap();
    let second = picture("green.png");
    let at = bytes
        .windows(16)
        .position(|part| part == &second[16..32])
        .unwrap();
    bytes[at - 80..at + 40].fill(0xFF);
    let list = place.join("bad.parquet");
    fs_err::write(&list, bytes).unwrap();
    let report = build(place, "bad.asif", &[list], &[]).ok().json();
    let said = said_of_rows(&report);
    assert!(report["pairs"].as_u64().unwrap() >= 1, "{report}");
    assert!(said.contains("bad.parquet, row 2"), "{said}");
}

#[test]
fn a_column_that_was_named_and_is_not_what_it_must_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let paths = [written("paths.parquet")];
    build(place, "a.asif", &paths, &["--image-column", "number"])
        .fails(3, &["paths.parquet", "\"number\"", "INT32"]);
    let list = place.join("list.jsonl");
    fs_err::write(&list, "{\"image\": \"a.png\", \"caption\": \"one\"}\n").unwrap();
    build(place, "b.asif", &[list], &["--caption-column", "nope"])
        .fails(3, &["list.jsonl, row 1", "no field \"nope\""]);
}
