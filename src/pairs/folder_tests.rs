//! Folders of images: what is a pair, and what is skipped.

use std::path::Path;

use super::tests::{folder, ids, read};
use super::*;

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
    ._a.png: skipped, its name begins with a dot
    .hidden: skipped, its name begins with a dot
    README.txt: skipped, a text without an image
    bad.gif: not UTF-8 at byte 1 of its text
    blank.webp: no caption
    lonely.png: no caption
    ");
}

#[test]
fn a_folder_is_read_by_content_and_what_is_skipped_is_counted_by_ending() {
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
    let mut skipped = std::collections::BTreeMap::new();
    let mut pairs = Vec::new();
    for item in &mut reader {
        match item {
            Ok(pair) => pairs.push(pair),
            Err(error) => *skipped.entry(error.reason.kind()).or_insert(0) += 1,
        }
    }
    assert_eq!(
        ids(&pairs),
        ["a.jpg", "b.JFIF", "c.jpe", "deep/er/x.jfif", "g"]
    );
    let counts: Vec<String> = skipped
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
    // An unreadable folder is not skipped silently.
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

/// A pipe without a writer, which waits for ever when it is opened.
fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
}

#[test]
fn pipes_are_skipped_without_being_opened() {
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
