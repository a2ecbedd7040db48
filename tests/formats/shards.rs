//! WebDataset archives.

use asif::image_source::ImageSource;

use super::*;

#[test]
fn shards_of_webdataset_have_the_vectors_of_the_same_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let rows = records(|_, name, _| json!({"image": name, "source": "drawn"}));
    let expected = expected(place, &rows);
    let range = written("shards/{00000..00001}.tar");
    let set = whole(place, "range.asif", &[range]);
    assert_eq!(segment(&set), expected);
    assert_eq!(
        segment(&whole(place, "folder.asif", &[written("shards")])),
        expected
    );
    // The pictures are where they were, and are read there.
    for (anchor, (name, _)) in (0..).zip(PICTURES) {
        let image = set.image(anchor).unwrap().unwrap();
        assert!(matches!(image, ImageSource::Part(_)), "{image:?}");
        assert_eq!(
            image.read(1 << 20).unwrap().as_ref(),
            picture(name),
            "{image}"
        );
    }
    // Compressed ones hold the same.
    let packed = place.join("packed");
    fs_err::create_dir(&packed).unwrap();
    for name in ["00000.tar", "00001.tar"] {
        let tar = fs_err::read(written("shards").join(name)).unwrap();
        let zst = zstd_of(&tar);
        fs_err::write(packed.join(format!("{name}.zst")), zst).unwrap();
    }
    fs_err::write(packed.join("00000_stats.json"), "{}").unwrap();
    let report = build(place, "packed.asif", &[packed], &[]).ok().json();
    let set = AnchorSet::open(&place.join("packed.asif")).unwrap();
    assert_eq!(segment(&set), expected);
    assert_eq!(
        report["skipped_by_reason"],
        json!({"not read, ending .json": 1}),
        "{report}"
    );
}

/// A frame of zstd that holds the bytes as they are.
fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0xA0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    let blocks = bytes.chunks(1 << 17);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        let header = (u32::try_from(block.len()).unwrap() << 3) | u32::from(number == last);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

#[test]
fn a_shard_that_is_cut_keeps_the_pairs_before_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let shard = cut(place, &written("shards/00000.tar"));
    let report = build(
        place,
        "set.asif",
        &[shard, written("shards/00001.tar")],
        &[],
    )
    .ok()
    .json();
    let said = said_of_rows(&report);
    assert_eq!(
        (&report["pairs"], &report["skipped"]),
        (&json!(3), &json!(1)),
        "{said}"
    );
    assert!(
        said.contains("cut-00000.tar, row 2") && said.contains("end"),
        "{said}"
    );
}

#[test]
fn sources_of_all_kinds_are_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let sources = [
        "pictures",
        "list.json",
        "datasets.parquet",
        "shards/{00000..00001}.tar",
    ];
    let sources = sources.map(written);
    let set = whole(folder.path(), "set.asif", &sources);
    assert_eq!(set.len(), 16);
}
