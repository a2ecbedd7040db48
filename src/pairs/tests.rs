use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A folder with the files given; images need no pixels here, they are only looked for.
pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    dir
}

pub(super) fn read(path: &Path) -> (Vec<Pair>, Vec<String>) {
    let mut reader = open(&[path.to_owned()]).unwrap();
    let mut pairs = Vec::new();
    let mut errors = Vec::new();
    for item in &mut reader {
        match item {
            Ok(pair) => pairs.push(pair),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert_eq!(Some(reader.rows_read()), reader.expected_rows());
    assert_eq!(reader.pairs_read(), pairs.len() as u64);
    (pairs, errors)
}

/// Reads `text` as a file of this name, in a folder that holds a.jpg and b.jpg.
pub(super) fn read_text(name: &str, text: impl AsRef<[u8]>) -> (Vec<Pair>, Vec<String>) {
    let dir = folder(&[(name, text.as_ref()), ("a.jpg", b""), ("b.jpg", b"")]);
    let (pairs, errors) = read(&dir.path().join(name));
    let prefix = format!("{}/", dir.path().display());
    (
        pairs,
        errors
            .into_iter()
            .map(|error| error.replace(&prefix, ""))
            .collect(),
    )
}

pub(super) fn fatal(name: &str, text: impl AsRef<[u8]>) -> String {
    let dir = folder(&[(name, text.as_ref())]);
    let error = open(&[dir.path().join(name)])
        .err()
        .expect("must be refused")
        .to_string();
    error.replace(&format!("{}/", dir.path().display()), "")
}

pub(super) fn ids(pairs: &[Pair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.id.as_str()).collect()
}

#[test]
fn jsonl_reads_every_spelling_and_keeps_the_rest() {
    let (pairs, errors) = read_text(
        "pairs.jsonl",
        "\u{feff}{\"image\":\"a.jpg\",\"captions\":[\" one \",\"\",\"two\"],\"source\":\"s\",\"n\":1}\r\n\
         \r\n\
         {\"image_path\":\"b.jpg\",\"caption\":\"three\",\"id\":\"x\"}\n\
         {\"file_name\":\"b.jpg\",\"text\":\"four\",\"id\":7}",
    );
    assert_eq!(errors, [""; 0]);
    assert_eq!(ids(&pairs), ["a.jpg", "x", "7"]);
    assert_eq!(pairs[0].captions, ["one", "two"]);
    assert_eq!(pairs[0].meta["source"], "s");
    assert_eq!(pairs[0].meta["n"], 1);
    assert_eq!(pairs[0].meta.len(), 2);
    assert_eq!(pairs[2].captions, ["four"]);
    assert_eq!(pairs[2].origin.row, Some(4));
    assert!(pairs[2].image.path().unwrap().ends_with("b.jpg"));
}

#[test]
fn a_compressed_list_has_the_rows_of_its_text() {
    let row = |n: usize| {
        format!(
            "{{\"image\": \"a.jpg\", \"caption\": \"c{n}\", \"x\": {}}}\n",
            (n as u32).wrapping_mul(2_654_435_761)
        )
    };
    let text: String = (0..20_000).map(row).collect();
    let zst = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let (pairs, errors) = read_text("p.jsonl.zst", &zst);
    assert_eq!((pairs.len(), errors.len()), (20_000, 0));
    assert_eq!(pairs[19_999].origin.row, Some(20_000));
    // What is left of a file that is cut is read, and where it ends is told.
    let (pairs, errors) = read_text("p.jsonl.zst", &zst[..zst.len() / 2]);
    assert!(
        pairs.len() > 1_000 && pairs.len() < 19_999,
        "{}",
        pairs.len()
    );
    let last = errors.last().unwrap();
    assert!(
        last.contains("broke off here") && last.contains("bytes of its text"),
        "{last}"
    );
    for (name, separator) in [("p.csv.zst", ","), ("p.tsv.zst", "\t"), ("p.CSV.ZST", ",")] {
        let text: String = (0..60_000)
            .map(|n: usize| {
                format!(
                    "a.jpg{separator}{}\n",
                    (n as u32).wrapping_mul(2_654_435_761)
                )
            })
            .collect();
        let zst = zstd::encode_all(format!("image{separator}text\n{text}").as_bytes(), 3).unwrap();
        let (pairs, errors) = read_text(name, &zst);
        assert_eq!(
            (pairs.len(), errors.len(), pairs[0].captions.len()),
            (1, 0, 60_000),
            "{name}"
        );
        // All rows are captions of one pair, which is not whole.
        let cut = folder(&[(name, &zst[..zst.len() / 2]), ("a.jpg", b"")]);
        let said = match open(&[cut.path().join(name)]) {
            Err(error) => error.to_string(),
            Ok(reader) => reader.filter_map(Result::err).next().unwrap().to_string(),
        };
        assert!(said.contains("bytes of its text"), "{said}");
    }
}

#[test]
fn jsonl_names_each_bad_row() {
    let mut text = Vec::new();
    for row in [
        &b"{\"image\":\"a.jpg\",\"caption\":\"fine\",\"id\":\"x\"}"[..],
        b"{\"image\":\"a.jpg\",\"caption\":\"caf\xE9\"}",
        b"{\"image\":\"a.jpg\",",
        b"[1]",
        b"{\"caption\":\"no image\"}",
        b"{\"image\":\"a.jpg\",\"captions\":[\" \",\"\"]}",
        b"{\"image\":\"a.jpg\",\"captions\":[1]}",
        b"{\"image\":\"c.jpg\",\"caption\":\"gone\"}",
        b"{\"image\":\".\",\"caption\":\"a folder\"}",
        b"{\"image\":\"b.jpg\",\"caption\":\"again\",\"id\":\"x\"}",
        b"{\"image\":\"https://example.org/a.jpg\",\"caption\":\"far\"}",
        b"{\"image\":\"b.jpg\",\"caption\":\"odd\",\"id\":1.5}",
        b"{\"image\":7,\"caption\":\"odd\"}",
        b"{\"image\":\"a.jpg\"}",
        b"{\"image\":\"a.jpg/x.jpg\",\"caption\":\"below a file\"}",
        b"{\"image\":\"b.jpg\",\"caption\":\"fine too\"}",
    ] {
        text.extend_from_slice(row);
        text.push(b'\n');
    }
    let (pairs, errors) = read_text("pairs.jsonl", text);
    assert_eq!(pairs.len(), 2, "{errors:#?}");
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn files_of_other_formats_say_what_they_seem_to_be() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let coco = br#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}"#;
    for (name, bytes, seems) in [
        ("list.json", &br#"{"a": [1]}"#[..], "one JSON document"),
        ("coco.jsonl", coco, "COCO"),
        ("line.json", b"{}", "one JSON document"),
        (
            "pretty.jsonl",
            b"[\n {\n  \"image\": \"a.jpg\"\n }\n]\n",
            "one JSON document",
        ),
        (
            "one.jsonl",
            b"{\n \"image\": \"a.jpg\"\n}\n",
            "one JSON document",
        ),
        ("x.parquet", b"PAR1....PAR1", "no Parquet file, or damaged"),
        ("parquet.csv", b"PAR1....PAR1", "Parquet"),
        ("tar.jsonl", &tar, "tar"),
        (
            "x.jsonl.gz",
            b"\x1F\x8B\x08",
            "compressed with gzip, damaged",
        ),
        ("gz.jsonl", b"\x1F\x8B\x08", "compressed with gzip, damaged"),
        ("x.zip", b"PK\x03\x04", "ZIP"),
        ("x.npy", b"\x93NUMPY\x01", "NumPy"),
        ("x.html", b"<!DOCTYPE html>", "HTML"),
        (
            "lfs.csv",
            b"version https://git-lfs.github.com/spec/v1\noid x\n",
            "Git LFS",
        ),
        ("answer.jsonl", b"404: Not Found", "a server"),
        ("x.jpg", b"\xFF\xD8\xFF\xE0", "an image"),
    ] {
        let said = fatal(name, bytes);
        assert!(
            said.contains("this seems to be") || said.contains("get the file again"),
            "{said}"
        );
        assert!(
            said.contains(seems) && !said.contains("rename"),
            "{name}: {said}"
        );
    }
    for first in ["{", "[", "[{\"image\": \"a.jpg\"}]", "}", "BM"] {
        let text = format!(
            "{first}\n{{\"image\":\"a.jpg\",\"caption\":\"x\",\"images\":1,\"annotations\":2}}\n}}\n"
        );
        let (pairs, errors) = read_text("p.jsonl", text);
        assert_eq!((pairs.len(), errors.len()), (1, 2), "{first}");
    }
    let (pairs, _) = read_text("p.csv", "BMI,image,caption\n1,a.jpg,x\n");
    assert_eq!(pairs.len(), 1);
    // A first row that is broken does not make a file something else.
    let (pairs, errors) = read_text("p.jsonl", "{\n{\"image\":\"a.jpg\",\"caption\":\"x\"}\n");
    assert_eq!((pairs.len(), errors.len()), (1, 1));
}

#[test]
fn sources_follow_one_another_and_ids_stay_unique() {
    let dir = folder(&[
        ("one/p.jsonl", b"{\"image\":\"a.jpg\",\"caption\":\"1\"}\n{\"image\":\"a.jpg\",\"caption\":\"2\",\"id\":\"a.jpg#2\"}\n"),
        ("one/a.jpg", b""),
        ("two/p.csv", b"image,caption\na.jpg,3\n"),
        ("two/a.jpg", b""),
        ("three/a.jpg", b""),
        ("three/a.txt", b"4"),
    ]);
    let paths = ["one/p.jsonl", "two/p.csv", "three"].map(|name| dir.path().join(name));
    let mut reader = open(&paths).unwrap();
    assert_eq!(reader.expected_rows(), Some(4));
    let pairs: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(ids(&pairs), ["a.jpg", "a.jpg#2", "a.jpg#3", "a.jpg#4"]);
    assert!(pairs[2].image.path().unwrap().ends_with("two/a.jpg"));
}

#[test]
fn an_absolute_image_path_is_taken_as_it_is() {
    let elsewhere = folder(&[("far.jpg", b"")]);
    let image = elsewhere.path().join("far.jpg");
    let line = serde_json::json!({ "image": image, "caption": "x" }).to_string();
    let (pairs, errors) = read_text("p.jsonl", line);
    assert!(errors.is_empty());
    assert_eq!(pairs[0].image.path(), Some(image.as_path()));
}

#[test]
fn sources_that_cannot_be_read_are_refused() {
    let dir = folder(&[("p.xml", b"<p/>"), ("folder.jsonl/x", b"")]);
    fs_err::create_dir(dir.path().join("empty")).unwrap();
    let say = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| dir.path().join(name)).collect();
        let error = open(&paths).err().expect("must be refused").to_string();
        error.replace(&format!("{}/", dir.path().display()), "")
    };
    insta::assert_snapshot!(
        [
            say(&["missing.jsonl"]),
            say(&["p.xml"]),
            say(&["folder.jsonl"]),
            say(&["empty"]),
            say(&[]),
            say(&["empty", "./empty"]),
            fatal("p.jsonl", ""),
            fatal("p.jsonl", " \n\n"),
            fatal("p.csv", "image,caption\n"),
            fatal("p.jsonl", b"\xFF\xFE{\0"),
            fatal("p.csv", b"caf\xE9,caption\n"),
        ]
        .join("\n")
    );
}

#[test]
fn rows_that_all_fail_leave_no_pairs() {
    let dir = folder(&[("p.jsonl", b"{}\n{\n")]);
    let mut reader = open(&[dir.path().join("p.jsonl")]).unwrap();
    let skipped: Vec<_> = reader.by_ref().map(Result::unwrap_err).collect();
    assert_eq!(skipped.len(), 2);
    assert_eq!(skipped[0].reason.kind(), "no image named");
    assert_eq!(skipped[1].origin.row, Some(2));
    assert_eq!(reader.pairs_read(), 0);
}

#[test]
fn a_source_that_vanishes_after_opening_is_reported() {
    let dir = folder(&[("p.jsonl", b"{}\n")]);
    let path = dir.path().join("p.jsonl");
    let mut reader = open(std::slice::from_ref(&path)).unwrap();
    fs_err::remove_file(path).unwrap();
    let error = reader.next().unwrap().unwrap_err();
    assert!(matches!(error.reason, RowRejection::Broken { .. }));
    assert!(reader.next().is_none());
}

#[test]
fn the_reader_may_cross_threads() {
    fn sendable<T: Send + 'static>() {}
    sendable::<PairReader>();
}

/// The anchors used in development, where they are present.
#[test]
fn real_anchors_are_read_whole() {
    let Some(data) = test_data() else { return };
    let mut reader = open(&[data.join("anchors")]).unwrap();
    assert_eq!(reader.expected_rows(), Some(13_957));
    let captions: usize = reader
        .by_ref()
        .map(|pair| pair.unwrap().captions.len())
        .sum();
    assert_eq!((reader.pairs_read(), captions), (13_957, 39_402));
}

fn cell() -> impl Strategy<Value = String> {
    "[a-z\",;\t\r\n# é漢]{0,12}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What the csv crate writes comes back, however it is quoted, and the count is right.
    #[test]
    fn csv_round_trip(
        rows in proptest::collection::vec((cell(), cell()), 1..8),
        always in any::<bool>(),
        tabs in any::<bool>(),
    ) {
        let mut writer = ::csv::WriterBuilder::new()
            .delimiter(if tabs { b'\t' } else { b',' })
            .quote_style(if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary })
            .from_writer(Vec::new());
        writer.write_record(["id", "image", "caption", "note"]).unwrap();
        for (number, (caption, note)) in rows.iter().enumerate() {
            let id = number.to_string();
            writer.write_record([&id, "a.jpg", &format!("x{caption}"), note]).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let (pairs, errors) = read_text(if tabs { "p.tsv" } else { "p.csv" }, text);
        prop_assert!(errors.is_empty(), "{errors:?}");
        prop_assert_eq!(pairs.len(), rows.len());
        for (pair, (caption, note)) in pairs.iter().zip(&rows) {
            let whole = format!("x{caption}");
            prop_assert_eq!(&pair.captions[0], whole.trim());
            let kept = pair.meta.get("note").and_then(serde_json::Value::as_str).unwrap_or_default();
            prop_assert_eq!(kept, note.trim());
        }
    }

    /// Bad rows anywhere among good ones: all good pairs, each with its own caption, and every bad row.
    #[test]
    fn bad_rows_cost_themselves_only(
        rows in proptest::collection::vec((0_usize..12, any::<bool>()), 1..20),
        format in 0_usize..3,
    ) {
        let bad: [&[&[u8]]; 3] = [
            &[b"a.jpg,\"Hello there", b"a.jpg,\"x\" y", b"a.jpg", b"a.jpg,x,y", b",x", b"a.jpg,", b"a.jpg,\xFF",
              b"a.jpg,nul\0", b"\"a.jpg,x", b"a.jpg;x", b"none.jpg,x", b"a.jpg,\"x\"\"y"],
            &[b"a.jpg", b"a.jpg\tx\ty", b"\tx", b"a.jpg\t", b"a.jpg\t\xFF", b"a.jpg\tnul\0", b"\"a.jpg\tx",
              b"a.jpg,x", b"none.jpg\tx", b"a.jpg x", b"a.jpg\t \t", b"\xEF\t"],
            &[b"{", b"}", b"[1]", b"null", b"{\"image\":\"a.jpg\"}", b"{\"image\":\"a.jpg\",\"caption\":NaN}",
              b"{\"image\":\"a.jpg\",\"captions\":[]}", b"{\"image\":\"a.jpg\",\"captions\":[[\"x\"]]}",
              b"{\"image\":\"a.jpg\",\"caption\":\"x\",}", b"\"a.jpg\"", b"{\"image\":\"a.jpg\",\"caption\":\"\xFF\"}",
              b"{\"image\":\"a.jpg\",\"image\":\"b.jpg\",\"caption\":\"x\"}"],
        ];
        let (name, header) = [("p.csv", "id,image,caption\n"), ("p.tsv", "id\timage\tcaption\n"), ("p.jsonl", "")][format];
        let mut text = header.replace("id,", "").replace("id\t", "").into_bytes();
        let mut good = Vec::new();
        let mut wrong = Vec::new();
        let first = if format == 2 { 1 } else { 2 };
        for (line, (choice, is_bad)) in rows.iter().enumerate() {
            let caption = format!("caption {line}");
            if *is_bad {
                text.extend_from_slice(bad[format][*choice]);
                wrong.push(line + first);
            } else {
                let row = match format {
                    0 => format!("b.jpg,\"{caption}\""),
                    1 => format!("b.jpg\t{caption}"),
                    _ => format!("{{\"image\":\"b.jpg\",\"caption\":\"{caption}\"}}"),
                };
                text.extend_from_slice(row.as_bytes());
                good.push(caption);
            }
            text.push(b'\n');
        }
        let last = ["b.jpg,last\n", "b.jpg\tlast\n", "{\"image\":\"b.jpg\",\"caption\":\"last\"}\n"];
        text.extend_from_slice(last[format].as_bytes());
        good.push("last".to_owned());
        let (pairs, errors) = read_text(name, text);
        let captions: Vec<_> = pairs.iter().flat_map(|pair| pair.captions.clone()).collect();
        prop_assert_eq!(captions, good, "{:?}", errors);
        // A pair is handed over when it is clear that no caption follows, so after a bad row.
        let mut at: Vec<usize> = errors.iter().map(|error| {
            let row = error.split("row ").nth(1).unwrap();
            row.split(':').next().unwrap().parse().unwrap()
        }).collect();
        at.sort_unstable();
        prop_assert_eq!(at, wrong, "{:?}", errors);
    }

    /// No bytes make a reader panic or yield more items than rows were counted.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), csv in any::<bool>()) {
        let name = if csv { "p.csv" } else { "p.jsonl" };
        let mut text = if csv { b"image,caption\n".to_vec() } else { Vec::new() };
        text.extend(bytes);
        let dir = folder(&[(name, &text)]);
        if let Ok(reader) = open(&[dir.path().join(name)]) {
            let expected = reader.expected_rows().unwrap();
            prop_assert!(reader.count() as u64 <= expected);
        }
    }

    /// The reader counts the same rows as its survey, whatever the lines hold.
    #[test]
    fn rows_read_are_the_rows_expected(lines in proptest::collection::vec("[ \\{\\}\"a,\r]{0,6}", 1..12)) {
        let dir = folder(&[("p.jsonl", lines.join("\n").as_bytes())]);
        if let Ok(mut reader) = open(&[dir.path().join("p.jsonl")]) {
            reader.by_ref().for_each(drop);
            prop_assert_eq!(Some(reader.rows_read()), reader.expected_rows());
        }
    }
}

#[test]
fn paths_are_kept_as_given() {
    assert_eq!(
        PairOrigin {
            file: PathBuf::from("p.csv"),
            row: Some(17)
        }
        .to_string(),
        "p.csv, row 17"
    );
}

#[test]
fn a_row_is_not_charged_for_a_process_without_files() {
    let met = |errno: rustix::io::Errno| {
        let reason =
            RowRejection::of_io(errno.into(), |message| RowRejection::TextFile { message });
        let origin = PairOrigin {
            file: PathBuf::from("a.txt"),
            row: None,
        };
        RowError { origin, reason }.of_row()
    };
    for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE] {
        assert!(matches!(met(errno), Err(PairsError::Exhausted { .. })));
    }
    let charged = met(rustix::io::Errno::ACCESS).unwrap();
    assert!(matches!(charged.reason, RowRejection::TextFile { .. }));
}
