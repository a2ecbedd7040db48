//! Tables: rows, quotation marks and headers.

use super::tests::{fatal, ids, read_text};

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
        errors[0].contains("row 1: the key \"caption\" occurs twice"),
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
