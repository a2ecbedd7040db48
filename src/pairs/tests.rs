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
    assert!(pairs[2].image.ends_with("b.jpg"));
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
fn csv_merges_rows_that_repeat_an_image() {
    let (pairs, errors) = read_text(
        "pairs.csv",
        "Image, Caption ,licence\n\
         a.jpg,\"one, with a comma\",CC0\n\
         a.jpg,\"two \"\"quoted\"\"\",\n\
         a.jpg, ,\n\
         a.jpg,three,\n\
         b.jpg,four,\n\
         a.jpg,five,\n",
    );
    assert_eq!(ids(&pairs), ["a.jpg", "b.jpg", "a.jpg#2"]);
    assert_eq!(
        pairs[0].captions,
        ["one, with a comma", "two \"quoted\"", "three"]
    );
    assert_eq!(pairs[0].meta["licence"], "CC0");
    assert!(pairs[1].meta.is_empty());
    assert_eq!(pairs[1].origin.row, Some(6));
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("pairs.csv, row 4: no caption"),
        "{errors:?}"
    );
}

#[test]
fn csv_rows_with_ids_stay_apart() {
    let (pairs, errors) = read_text(
        "p.tsv",
        "id\tfile_name\ttext\n1\ta.jpg\tx\n2\ta.jpg\ty\n1\tb.jpg\tz\n",
    );
    assert_eq!(ids(&pairs), ["1", "2"]);
    assert_eq!(
        errors,
        [
            "p.tsv, row 4: duplicate id \"1\", first used in p.tsv, row 2; \
          ids must be unique, so rename one"
        ]
    );
}

#[test]
fn csv_names_rows_by_line_past_blank_lines_and_line_breaks_in_fields() {
    let (pairs, errors) = read_text(
        "p.csv",
        "\u{feff}image,caption\r\n\r\na.jpg,\"two\r\nlines\"\r\n\r\n\r\nb.jpg\r\nb.jpg,last",
    );
    let rows: Vec<_> = pairs.iter().map(|pair| pair.origin.row).collect();
    assert_eq!(rows, [Some(3), Some(8)]);
    assert_eq!(pairs[0].captions, ["two\r\nlines"]);
    assert!(
        errors[0].starts_with("p.csv, row 7: expected 2 fields"),
        "{errors:?}"
    );
}

#[test]
fn csv_skips_bytes_that_are_not_utf8() {
    let (pairs, errors) = read_text(
        "p.csv",
        b"image,caption\na.jpg,caf\xE9\nb.jpg,caf\xC3\xA9\n",
    );
    assert_eq!(pairs[0].captions, ["caf\u{e9}"]);
    assert_eq!(
        errors,
        ["p.csv, row 2: not UTF-8 at byte 10 of its text; save the file as UTF-8"]
    );
}

#[test]
fn csv_refuses_headers_that_name_no_image_or_caption() {
    insta::assert_snapshot!(
        [
            fatal("p.csv", "a.jpg,a cat\nb.jpg,a dog\n"),
            fatal("p.csv", "image,words\na.jpg,a cat\n"),
            fatal("p.csv", "image\tcaption\na.jpg\ta cat\n"),
            fatal("p.csv", "image;caption\na.jpg;a cat\n"),
            fatal("p.tsv", "image,caption\na.jpg,a cat\n"),
            fatal("p.csv", ""),
        ]
        .join("\n")
    );
}

#[test]
fn a_quote_that_never_closes_costs_its_row() {
    let text = "image,caption\na.jpg,fine\nb.jpg,\"open\nb.jpg,kept\na.jpg,\"a\n5\"\" nail\"\n";
    let (pairs, errors) = read_text("p.csv", text);
    let captions: Vec<_> = pairs.iter().map(|pair| pair.captions[0].as_str()).collect();
    assert_eq!(captions, ["fine", "kept", "a\n5\" nail"]);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("p.csv, row 3: badly quoted"),
        "{errors:?}"
    );
}

#[test]
fn a_tsv_is_read_as_it_stands_where_its_quotes_are_broken() {
    let text = "image\tcaption\na.jpg\t\"Hello there\nb.jpg\ta cat\na.jpg\t\"Stop\" sign\nb.jpg\t\"q\"\n\
                a.jpg\t\"open\nb.jpg\tof 5\"\n";
    let (pairs, errors) = read_text("p.tsv", text);
    assert_eq!(errors, [""; 0]);
    let captions: Vec<_> = pairs.iter().map(|pair| pair.captions[0].as_str()).collect();
    let all = [
        "\"Hello there",
        "a cat",
        "\"Stop\" sign",
        "q",
        "\"open",
        "of 5\"",
    ];
    assert_eq!(captions, all);
}

#[test]
fn columns_and_keys_that_are_there_twice_are_refused() {
    for header in [
        "image,caption,image",
        "id,image,caption,ID",
        "image,caption,source,Source",
    ] {
        let said = fatal("p.csv", format!("{header}\na.jpg,x,y,z\n"));
        assert!(said.contains("twice"), "{said}");
    }
    assert!(fatal("p.csv", "image,\"caption\na.jpg,x\n").contains("quotation marks"));
    let (pairs, errors) = read_text(
        "p.jsonl",
        "{\"image\":\"a.jpg\",\"caption\":\"x\",\"caption\":\"y\"}\r\
         {\"image\":\"a.jpg\",\"caption\":\"x\"}{\"image\":\"b.jpg\",\"caption\":\"y\"}\r\
         {\"image\":\"b.jpg\",\"caption\":\"kept\u{2028}whole\"}\r",
    );
    assert_eq!(pairs.len(), 1);
    assert!(
        errors[0].contains("row 1: the key \"caption\" is there twice"),
        "{errors:?}"
    );
    assert!(
        errors[1].contains("row 2: not JSON: 2 values on one line"),
        "{errors:?}"
    );
}

#[test]
fn a_quote_inside_an_unquoted_field_is_a_character() {
    let (pairs, errors) = read_text("p.csv", "image,caption\na.jpg,a 5\" nail\nb.jpg,x\n");
    assert!(errors.is_empty());
    assert_eq!(pairs[0].captions, ["a 5\" nail"]);
    assert_eq!(pairs.len(), 2);
}

#[test]
fn folder_reads_texts_beside_images() {
    let dir = folder(&[
        ("b/dog.JPG", b""),
        ("b/dog.txt", b"\xEF\xBB\xBFA dog.\r\n\r\nThe same dog.\r\n"),
        ("a.png", b""),
        (
            "a.txt",
            "A cat.\nde.utf8=Eine Katze.\npt_BR.utf8=Um gato.\n".as_bytes(),
        ),
        ("lonely.png", b""),
        ("README.txt", b"no image"),
        (".hidden/x.png", b""),
        ("._a.png", b""),
        ("blank.webp", b""),
        ("blank.txt", b" \n"),
        ("bad.gif", b""),
        ("bad.txt", b"\xFF"),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(ids(&pairs), ["a.png", "b/dog.JPG"]);
    assert_eq!(pairs[0].captions, ["A cat."]);
    assert_eq!(pairs[1].captions, ["A dog.", "The same dog."]);
    let place = |error: &String| {
        let error = error.replace(&format!("{}/", dir.path().display()), "");
        let (file, said) = error.split_once(": ").unwrap();
        format!("{file}: {}", said.split([':', ';']).next().unwrap())
    };
    insta::assert_snapshot!(errors.iter().map(place).collect::<Vec<_>>().join("\n"), @r"
    ._a.png: left out, its name begins with a dot
    .hidden: left out, its name begins with a dot
    README.txt: left out, a text without an image
    bad.gif: not UTF-8 at byte 1 of its text
    blank.webp: no caption
    lonely.png: no caption
    ");
}

#[test]
fn a_folder_is_read_by_content_and_what_is_left_out_is_counted_by_ending() {
    let jpeg: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01";
    let tiff: &[u8] = b"II*\0\x08\0\0\0";
    let mut files = vec![("deep/er/x.txt", &b"deep"[..]), ("deep/er/x.jfif", jpeg)];
    for (image, text, bytes) in [
        ("a.jpg", "a.txt", jpeg),
        ("b.JFIF", "b.txt", jpeg),
        ("c.jpe", "c.txt", jpeg),
        ("d.tif", "d.txt", tiff),
        ("e.TIFF", "e.txt", tiff),
        ("f.heic", "f.txt", b"\0\0\0\x18ftypheic"),
        ("g", "g.txt", jpeg),
        ("h.xyz", "h.txt", b"anything"),
        ("i.bmp.gz", "i.txt", b"\x1F\x8B"),
        ("j", "j.txt", b""),
        ("k.svg", "k.txt", b"<svg/>"),
    ] {
        files.extend([(image, bytes), (text, b"a text")]);
    }
    let dir = folder(&files);
    let mut reader = open(&[dir.path().to_owned()]).unwrap();
    let mut skipped = Skipped::default();
    let mut pairs = Vec::new();
    for item in &mut reader {
        match item {
            Ok(pair) => pairs.push(pair),
            Err(error) => skipped.add(error),
        }
    }
    assert_eq!(
        ids(&pairs),
        ["a.jpg", "b.JFIF", "c.jpe", "deep/er/x.jfif", "g"]
    );
    let counts: Vec<String> = skipped
        .counts()
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    // `i.txt` has no image of its own: the stem of `i.bmp.gz` is `i.bmp`; nor has `h.txt`.
    assert_eq!(
        counts,
        [
            "not read, ending .bmp.gz 1",
            "not read, ending .heic 1",
            "not read, ending .svg 1",
            "not read, ending .tif 1",
            "not read, ending .tiff 1",
            "not read, ending .xyz 1",
            "not read, no ending 1",
            "text without an image 2",
        ]
    );
    assert_eq!(Some(reader.rows_read()), reader.expected_rows());
}

#[test]
fn files_of_other_formats_say_what_they_seem_to_be() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let coco = br#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}"#;
    for (name, bytes, seems) in [
        ("pairs.json", &coco[..], "COCO"),
        ("coco.jsonl", &coco[..], "COCO"),
        ("list.json", b"[]", "a JSON file"),
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
        ("x.parquet", b"PAR1....PAR1", "Parquet"),
        ("parquet.csv", b"PAR1....PAR1", "Parquet"),
        ("x.tar", &tar, "tar"),
        ("x.jsonl.gz", b"\x1F\x8B\x08", "gzip"),
        ("gz.jsonl", b"\x1F\x8B\x08", "gzip"),
        ("x.zip", b"PK\x03\x04", "ZIP"),
        ("x.npy", b"\x93NUMPY\x01", "NumPy"),
        ("x.html", b"<!DOCTYPE html>", "HTML"),
        ("x.jpg", b"\xFF\xD8\xFF\xE0", "an image"),
    ] {
        let said = fatal(name, bytes);
        assert!(
            said.contains("this seems to be") || said.contains("compressed"),
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
fn a_folder_with_a_list_is_read_through_it() {
    let dir = folder(&[
        ("metadata.csv", b"file_name,text\na.jpg,from the list\n"),
        ("a.jpg", b""),
        ("a.txt", b"from the text"),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(pairs[0].captions, ["from the list"]);
    assert_eq!(errors, [""; 0]);
}

#[test]
fn what_the_list_of_a_folder_does_not_name_is_counted() {
    let dir = folder(&[
        (
            "pairs.csv",
            b"image,caption\nin/a.jpg,named\n./in/../b.jpg,named\nc.jpg, \n",
        ),
        ("in/a.jpg", b""),
        ("b.jpg", b""),
        ("c.jpg", b""),
        ("in/d.JPG", b""),
        ("e.heic", b""),
        ("metadata.jsonl", b"{}\n"),
        ("README.md", b""),
        ("in/a.txt", b"its text"),
        (".hidden.jpg", b""),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(pairs.len(), 2);
    let said = errors.join("\n");
    for left in ["c.jpg", "d.JPG", "e.heic", "metadata.jsonl"] {
        let of_it = |line: &&String| line.contains(left) && line.contains("pairs.csv names it");
        assert_eq!(errors.iter().filter(of_it).count(), 1, "{left}: {said}");
    }
    // And the row without a caption.
    assert_eq!(errors.len(), 5, "{said}");
    // A place that cannot be read is not passed over.
    std::os::unix::fs::symlink(dir.path(), dir.path().join("in/loop")).unwrap();
    let loops = read(dir.path())
        .1
        .into_iter()
        .filter(|e| e.contains("in/loop"));
    assert_eq!(loops.count(), 1);
    // Given by itself a list speaks for nothing but itself.
    let (pairs, errors) = read(&dir.path().join("pairs.csv"));
    assert_eq!((pairs.len(), errors.len()), (2, 1));
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
    assert!(pairs[2].image.ends_with("two/a.jpg"));
    assert!(reader.require_pairs().is_ok());
}

#[test]
fn an_absolute_image_path_is_taken_as_it_is() {
    let elsewhere = folder(&[("far.jpg", b"")]);
    let image = elsewhere.path().join("far.jpg");
    let line = serde_json::json!({ "image": image, "caption": "x" }).to_string();
    let (pairs, errors) = read_text("p.jsonl", line);
    assert!(errors.is_empty());
    assert_eq!(pairs[0].image, image);
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
    let mut skipped = Skipped::default();
    for item in &mut reader {
        skipped.add(item.unwrap_err());
    }
    assert_eq!(skipped.total(), 2);
    assert_eq!(skipped.counts()["no image named"], 1);
    assert_eq!(skipped.examples()[1].origin.row, Some(2));
    assert!(matches!(
        reader.require_pairs(),
        Err(PairsError::NoPairs { .. })
    ));
}

#[test]
fn a_source_that_vanishes_after_opening_is_reported() {
    let dir = folder(&[("p.jsonl", b"{}\n")]);
    let path = dir.path().join("p.jsonl");
    let mut reader = open(std::slice::from_ref(&path)).unwrap();
    fs_err::remove_file(path).unwrap();
    let error = reader.next().unwrap().unwrap_err();
    assert!(matches!(error.reason, Reason::Broken { .. }));
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
            let kept = pair.meta.get("note").and_then(Value::as_str).unwrap_or_default();
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
        Origin {
            file: PathBuf::from("p.csv"),
            row: Some(17)
        }
        .to_string(),
        "p.csv, row 17"
    );
}

/// A pipe without a writer, which waits for ever when it is opened.
fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
}

#[test]
fn pipes_are_left_out_without_being_opened() {
    let list = r#"{"image": "p.jpg", "caption": "x"}
{"image": "/dev/zero", "caption": "y"}
{"image": "a.jpg", "caption": "z"}"#;
    let dir = folder(&[
        ("in/a.jpg", b"\xFF\xD8\xFF"),
        ("in/a.txt", b"a"),
        ("in/p.txt", b"p"),
        ("in/q.txt", b"q"),
        ("in/l.jsonl", list.as_bytes()),
    ]);
    let at = |name: &str| dir.path().join(name);
    for name in ["in/p.jpg", "in/q", "p.jsonl", "p.csv", "p"] {
        pipe(&at(name));
    }
    let (pairs, errors) = read(&at("in"));
    assert_eq!(ids(&pairs), ["a.jpg"]);
    let pipes = errors.iter().filter(|error| error.contains("pipe"));
    assert_eq!(pipes.count(), 2, "{errors:?}");
    let (pairs, errors) = read(&at("in/l.jsonl"));
    assert_eq!(ids(&pairs), ["a.jpg"]);
    assert!(
        errors.len() == 2 && errors.iter().all(|e| e.contains("device")),
        "{errors:?}"
    );
    for name in ["p.jsonl", "p.csv", "p"] {
        let error = open(&[at(name)]).err().unwrap().to_string();
        assert!(error.contains("pipe") && error.contains(name), "{error}");
    }
}
