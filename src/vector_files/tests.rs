//! Files that NumPy, safetensors and pyarrow wrote, and broken ones. `files/README.md` says how.

use std::path::{Path, PathBuf};

use asif_index::random::SplitMix64;

use super::*;

const ROWS: usize = 6;
const DIM: usize = 4;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/vector_files/files")
        .join(name)
}

/// The rows that all files have: `[row + 1, 2, -3, 0.5 * row]`, normalised.
fn expected() -> Vec<f32> {
    let rows = (0..ROWS).flat_map(|row| {
        let row = [row as f64 + 1.0, 2.0, -3.0, 0.5 * row as f64];
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.map(|x| (x / norm) as f32)
    });
    rows.collect()
}

fn read(path: &Path) -> VectorBlock {
    let reader = VectorReader::open(path).unwrap();
    assert_eq!(
        (reader.rows(), reader.dim()),
        (ROWS as u64, DIM),
        "{path:?}"
    );
    reader.read_all().unwrap()
}

fn refused(path: &Path) -> String {
    let said = match VectorReader::open(path) {
        Err(error) => error.to_string(),
        Ok(reader) => reader.read_all().unwrap_err().to_string(),
    };
    let file = path.to_str().unwrap().split('#').next().unwrap();
    assert!(said.contains(file), "{said}");
    said
}

#[test]
fn files_of_every_tool_hold_the_same_rows() {
    let mut files = vec![
        "f16.npy",
        "f32.npy",
        "f64.npy",
        "big-endian.npy",
        "stored.npz",
        "deflated.npz",
        "f32.safetensors",
        "bf16.safetensors#b",
        "two.npz#image",
        "parts",
    ];
    if cfg!(feature = "parquet") {
        files.extend([
            "list.parquet",
            "fixed.parquet",
            "half.parquet",
            "two.parquet#image",
        ]);
    }
    for name in files {
        let block = read(&file(name));
        assert_eq!(block.faults, [], "{name}");
        for (found, expected) in block.values.iter().zip(expected()) {
            assert!(
                (found - expected).abs() < 2e-7,
                "{name}: {found} {expected}"
            );
        }
    }
}

#[test]
fn blocks_of_any_size_give_the_same_rows() {
    let whole = read(&file("parts")).values;
    for rows in 1..=ROWS + 1 {
        let mut reader = VectorReader::open(&file("parts")).unwrap();
        let (mut all, mut block) = (Vec::new(), VectorBlock::default());
        while reader.next_block(rows, &mut block).unwrap() > 0 {
            all.extend_from_slice(&block.values);
        }
        assert_eq!(all, whole, "{rows}");
    }
    let reader = VectorReader::open(&file("parts")).unwrap();
    let ends: Vec<u64> = reader.parts().into_iter().map(|(_, end)| end).collect();
    assert_eq!(ends, [2, 4, 6]);
}

#[test]
fn bad_rows_are_told_and_their_neighbours_are_read() {
    let mut files = vec!["bad-rows.npy"];
    if cfg!(feature = "parquet") {
        files.push("bad-rows.parquet");
    }
    for name in files {
        let block = VectorReader::open(&file(name)).unwrap().read_all().unwrap();
        let faulty: Vec<_> = block.faults.iter().map(|(row, _)| *row).collect();
        assert_eq!(faulty, [1, 3, 4], "{name}: {:?}", block.faults);
        for row in [0, 2, 5] {
            let found = &block.values[row * DIM..][..DIM];
            assert_eq!(found, &expected()[row * DIM..][..DIM], "{name}");
        }
    }
}

#[test]
fn files_that_are_cut_off_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = vec!["f32.npy", "stored.npz", "deflated.npz", "f32.safetensors"];
    if cfg!(feature = "parquet") {
        files.push("list.parquet");
    }
    for name in files {
        let whole = fs_err::read(file(name)).unwrap();
        for left in [1, 7, 9, 40, whole.len() / 2, whole.len() - 1] {
            let path = folder.path().join(name);
            fs_err::write(&path, &whole[..left]).unwrap();
            let said = refused(&path);
            assert!(said.contains("expected"), "{said}");
        }
    }
    // More than its header says.
    let mut long = fs_err::read(file("f32.npy")).unwrap();
    long.push(0);
    let path = folder.path().join("long.npy");
    fs_err::write(&path, long).unwrap();
    assert!(refused(&path).contains("found 225"), "{}", refused(&path));
}

#[test]
fn a_flipped_bit_in_an_archive_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["stored.npz", "deflated.npz"] {
        let whole = fs_err::read(file(name)).unwrap();
        let path = folder.path().join(name);
        // Within the array, after its header.
        let at = if name == "stored.npz" { 220 } else { 150 };
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs_err::write(&path, flipped).unwrap();
        refused(&path);
    }
}

#[test]
fn what_is_not_a_table_of_numbers_is_refused_with_what_it_is() {
    for (name, said) in [
        ("one-dimension.npy", "shape [24]"),
        ("integers.npy", "numbers of type <i8"),
        ("objects.npy", "Python objects"),
        ("fortran.npy", "Fortran order"),
        ("two.npz", "two.npz#"),
        ("two.npz#nothing", "it has image, text"),
        ("f32.npy#a", "no arrays with names"),
        ("README.md", "other bytes"),
        ("no-such.npy", "no-such.npy"),
        ("mixed", "4 numbers as in"),
        ("no-vectors", "none"),
    ] {
        let path = file(name);
        let found = refused(&path);
        assert!(found.contains(said), "{name}: {found}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pointer = folder.path().join("a.npy");
    fs_err::write(
        &pointer,
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d\n",
    )
    .unwrap();
    assert!(refused(&pointer).contains("git lfs pull"));
    fs_err::write(&pointer, "").unwrap();
    assert!(refused(&pointer).contains("empty"));
    let mut none = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }";
    none.extend(format!("{text:<117}\n").as_bytes());
    fs_err::write(&pointer, &none).unwrap();
    assert!(refused(&pointer).contains("no row of vectors"));
    // A header that says more rows than a number can count.
    let mut header = b"\x93NUMPY\x01\x00\x56\x00".to_vec();
    let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 512), }";
    header.extend(format!("{text:<85}\n").as_bytes());
    fs_err::write(&pointer, &header).unwrap();
    assert!(
        refused(&pointer).contains("18446744073709551615"),
        "{}",
        refused(&pointer)
    );
    // Brackets that would use up a parser's stack.
    let mut nested = b"\x93NUMPY\x02\x00\x00\x90\x00\x00".to_vec();
    nested.resize(12 + 0x9000, b'(');
    fs_err::write(&pointer, &nested).unwrap();
    assert!(
        refused(&pointer).contains("nested"),
        "{}",
        refused(&pointer)
    );
}

#[cfg(feature = "parquet")]
#[test]
fn columns_that_are_no_vectors_are_named() {
    for (name, said) in [
        ("metadata.parquet", "columns id, image_path, caption"),
        ("two.parquet", "two.parquet#image"),
        ("two.parquet#id", "it has image, text"),
    ] {
        let found = refused(&file(name));
        assert!(found.contains(said), "{name}: {found}");
    }
}

fn rows(path: &Path) -> Vec<Result<MetadataRow, String>> {
    let mut reader = MetadataReader::open(path).unwrap();
    let expected = reader.rows();
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        rows.push(row.map_err(|error| error.to_string()));
    }
    assert_eq!(rows.len() as u64, expected);
    rows
}

#[test]
fn metadata_of_every_format_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        path
    };
    let json = write(
        "m.jsonl",
        "{\"id\": 7, \"image_path\": \"a.jpg\", \"caption\": \"a cat\", \"year\": 2020}\n\
         {\"caption\": \"a dog\", \"licence\": \"CC0\"}\n",
    );
    let csv = write(
        "m.csv",
        "id,image_path,caption,year,licence\n7,a.jpg,a cat,2020,\n,,\"a dog\",,CC0\n",
    );
    let tsv = write(
        "m.tsv",
        "id\timage_path\tcaption\tyear\tlicence\n7\ta.jpg\ta cat\t2020\t\n\t\ta dog\t\tCC0\n",
    );
    let mut files = vec![json, csv, tsv];
    if cfg!(feature = "parquet") {
        files.push(file("metadata.parquet"));
    }
    for path in files {
        let rows = rows(&path);
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.id.as_deref(), Some("7"), "{path:?}");
        assert_eq!(first.image.as_deref(), Some("a.jpg"));
        assert_eq!(first.captions, ["a cat"]);
        let year = first.meta["year"].to_string();
        assert_eq!(year.trim_matches('"'), "2020");
        let second = rows[1].as_ref().unwrap();
        assert_eq!((&second.id, &second.image), (&None, &None), "{path:?}");
        assert_eq!(second.captions, ["a dog"]);
        assert_eq!(second.meta["licence"], "CC0");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn a_file_of_vectors_may_be_its_own_metadata() {
    let path = file("two.parquet");
    let reader = MetadataReader::open(&path).unwrap();
    assert_eq!(reader.left_out(), ["image", "text"]);
    let rows = rows(&path);
    let third = rows[2].as_ref().unwrap();
    assert_eq!((third.id.as_deref(), third.meta.len()), (Some("2"), 0));
}

#[test]
fn bad_rows_of_metadata_keep_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("m.jsonl");
    fs_err::write(&json, "{\"id\": \"a\"}\nnot json\n\n{\"id\": \"c\"}\n").unwrap();
    let found = rows(&json);
    assert_eq!(found.len(), 3);
    assert!(found[1].as_ref().unwrap_err().contains("m.jsonl, row 2"));
    assert_eq!(found[2].as_ref().unwrap().id.as_deref(), Some("c"));
    let csv = folder.path().join("m.csv");
    fs_err::write(&csv, "id,caption\na,one\nb\nc,three\n").unwrap();
    let found = rows(&csv);
    assert!(
        found[1].as_ref().unwrap_err().contains("m.csv, row 3"),
        "{found:?}"
    );
    assert_eq!(found[2].as_ref().unwrap().captions, ["three"]);
    for (name, text, said) in [
        ("m.txt", "a\n", "ending"),
        ("twice.csv", "a,a\n1,2\n", "twice"),
        ("empty.csv", "", "header"),
    ] {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        let error = MetadataReader::open(&path).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(name), "{error}");
    }
}

#[test]
fn the_layout_of_clip_retrieval_is_found_by_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = VectorLayout::of_folder(folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("no folder img_emb"), "{error}");
    for name in ["img_emb", "text_emb"] {
        fs_err::create_dir(folder.path().join(name)).unwrap();
    }
    let layout = VectorLayout::of_folder(folder.path()).unwrap();
    assert_eq!(layout.metadata, None);
    if let Some(data) = crate::pairs::test_data() {
        let layout = VectorLayout::of_folder(&data.join("embeddings/flickr8k-dev")).unwrap();
        let image = VectorReader::open(&layout.image).unwrap();
        let text = VectorReader::open(&layout.text).unwrap();
        assert_eq!((image.rows(), image.dim(), text.dim()), (1000, 1280, 384));
        if cfg!(feature = "parquet") {
            let mut metadata = MetadataReader::open(&layout.metadata.unwrap()).unwrap();
            assert_eq!(metadata.rows(), 1000);
            let first = metadata.next_row().unwrap().unwrap().unwrap();
            assert!(first.captions[0].starts_with("the boy laying"), "{first:?}");
            assert!(first.image.unwrap().ends_with(".jpg"));
        }
    }
}

#[test]
fn files_with_changed_bytes_are_read_or_refused_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = SplitMix64::new(3);
    for name in [
        "f32.npy",
        "f16.npy",
        "stored.npz",
        "deflated.npz",
        "f32.safetensors",
    ] {
        let whole = fs_err::read(file(name)).unwrap();
        let path = folder.path().join(name);
        for _ in 0..300 {
            let mut changed = whole.clone();
            for _ in 0..=random.below(3) {
                // Headers are where a file is most easily misread.
                let at = random.below(changed.len().min(200));
                changed[at] = b"0123456789(),'{}xL_\x00\xFF"[random.below(21)];
            }
            fs_err::write(&path, changed).unwrap();
            if let Ok(reader) = VectorReader::open(&path) {
                let (rows, dim) = (reader.rows() as usize, reader.dim());
                if let Ok(block) = reader.read_all() {
                    assert_eq!(block.values.len(), rows * dim);
                }
            }
        }
    }
}
