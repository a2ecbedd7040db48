use std::io::Write as _;

use super::*;
use crate::pairs::tests::{fatal, folder, ids, read, read_text};

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        // As it is: the builder refuses `..`.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

const MEMBERS: [(&str, &[u8]); 11] = [
    ("a/0.jpg", b"first"),
    ("a/0.txt", b"one\ntwo\n"),
    (
        "a/0.json",
        br#"{"caption": "one", "source": "s", "text": "other"}"#,
    ),
    ("a/1.txt", b"alone"),
    ("b/1.5.seg.png", b"mask"),
    ("b/2.JSON", br#"{"caption": "three", "id": "x"}"#),
    ("b/2.PNG", b"second"),
    ("../3.webp", b"third"),
    ("../3.txt", b"four"),
    ("4.jpg", b"fourth"),
    ("4.json", b"{"),
];

#[test]
fn members_of_one_name_are_one_pair_in_archives_of_every_packing() {
    let tar = archive(&MEMBERS);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(&tar[..], 3).unwrap();
    for (name, bytes) in [
        ("p.tar", &tar),
        ("p.tar.gz", &gz),
        ("p.tgz", &gz),
        ("p.tar.zst", &zst),
    ] {
        let dir = folder(&[(name, bytes)]);
        let (pairs, errors) = read(&dir.path().join(name));
        assert_eq!(ids(&pairs), ["a/0.jpg", "x", "../3.webp"], "{errors:?}");
        assert_eq!(pairs[0].captions, ["one", "two"]);
        assert_eq!(pairs[0].meta["source"], "s");
        assert_eq!(pairs[0].meta["text.json"], "other");
        assert_eq!(pairs[0].meta.len(), 2);
        for (pair, content) in pairs.iter().zip(["first", "second", "third"]) {
            let is_part = matches!(pair.image, ImageSource::Part(_));
            assert_eq!(is_part, name == "p.tar");
            assert_eq!(pair.image.read(100).unwrap().as_ref(), content.as_bytes());
        }
        assert_eq!(pairs[1].origin.row, Some(4));
        let said: Vec<_> = errors
            .iter()
            .map(|e| e.rsplit('/').next().unwrap())
            .collect();
        assert!(said[0].starts_with("1, row 2: no image"), "{errors:?}");
        assert!(said[1].starts_with("1, row 3: no image"), "{errors:?}");
        assert!(
            errors[2].contains(": 4.json, row 6: not JSON"),
            "{errors:?}"
        );
    }
}

/// An image is never paired with the text of another.
#[test]
fn names_that_come_again_are_pairs_of_their_own_and_second_images_are_told() {
    let tar = archive(&[
        ("0.jpg", b"first"),
        ("0.txt", b"one"),
        ("0.jpg", b"second"),
        ("0.txt", b"two"),
        ("1.jpg", b"third"),
        ("1.png", b"fourth"),
        ("1.txt", b"three"),
        ("2.jpg", b"fifth"),
        ("2.txt", b"four"),
    ]);
    let gz = zstd::encode_all(&tar[..], 3).unwrap();
    for (name, bytes) in [("p.tar", tar), ("p.tar.zst", gz)] {
        let folder = folder(&[(name, &bytes)]);
        let (pairs, errors) = read(&folder.path().join(name));
        let read = pairs.iter().map(|pair| {
            let content = pair.image.read(100).unwrap().into_owned();
            (
                String::from_utf8(content).unwrap(),
                pair.captions[0].as_str(),
            )
        });
        let expected = [("first", "one"), ("second", "two"), ("fifth", "four")];
        assert_eq!(
            read.collect::<Vec<_>>(),
            expected.map(|(i, t)| (i.to_owned(), t))
        );
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].contains(": 1.png, row 3: a second image"),
            "{errors:?}"
        );
    }
}

#[test]
fn archives_that_are_cut_or_none_say_where() {
    let tar = archive(&MEMBERS);
    let second = tar.windows(6).position(|bytes| bytes == b"second").unwrap();
    for (bytes, kept, said) in [
        (&tar[..second + 3], 1, "ends within its member b/2.PNG"),
        // At the end of a block.
        (
            &tar[..second - 512],
            1,
            "without its end mark behind its member b/2.JSON",
        ),
        (
            &tar[..second - 100],
            1,
            "damaged behind its member b/2.JSON",
        ),
    ] {
        let (pairs, errors) = read_text("p.tar", bytes);
        assert_eq!(pairs.len(), kept, "{errors:?}");
        assert!(errors.last().unwrap().contains(said), "{said}: {errors:?}");
    }
    let said = fatal("p.tar", b"no archive at all".repeat(100));
    assert!(
        said.contains("p.tar: no tar archive, or damaged at its beginning"),
        "{said}"
    );
    let zst = zstd::encode_all(&tar[..second + 3], 3).unwrap();
    let (_, errors) = read_text("p.tar.zst", zst);
    assert!(
        errors.last().unwrap().contains("ends within its member"),
        "{errors:?}"
    );
}

#[test]
fn links_in_archives_are_told() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_link(&mut header, "1.jpg", "0.jpg").unwrap();
    let mut text = tar::Header::new_gnu();
    text.set_size(3);
    tar.append_data(&mut text, "1.txt", &b"one"[..]).unwrap();
    let (pairs, errors) = read_text("p.tar", tar.into_inner().unwrap());
    assert_eq!(pairs.len(), 0);
    assert!(
        errors[0].contains(": 1.jpg, row 1: a link to another member"),
        "{errors:?}"
    );
}

/// The checksum stands behind the end mark, where no pair is.
#[test]
fn a_compressed_archive_with_another_checksum_is_told() {
    let tar = archive(&MEMBERS);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).unwrap();
    let mut gz = gz.finish().unwrap();
    let whole = read_text("p.tar.gz", &gz[..]);
    let checksum = gz.len() - 8;
    gz[checksum] ^= 1;
    let (pairs, errors) = read_text("p.tar.gz", gz);
    assert_eq!(pairs.len(), whole.0.len());
    assert_eq!(errors.len(), whole.1.len() + 1, "{errors:?}");
    assert!(errors.last().unwrap().contains("checksum"), "{errors:?}");
}

#[test]
fn what_headers_state_is_not_believed() {
    let mut tar = archive(&[("0.jpg", b"x"), ("0.txt", b"one")]);
    // 8 GiB of content, with the checksum of this header.
    tar[124..136].copy_from_slice(b"77777777777\0");
    tar[148..156].fill(b' ');
    let sum: u32 = tar[..512].iter().map(|&byte| u32::from(byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let zst = zstd::encode_all(&tar[..], 3).unwrap();
    for (name, bytes) in [("p.tar", tar), ("p.tar.zst", zst)] {
        let folder = folder(&[(name, &bytes)]);
        let said = match crate::pairs::open(&[folder.path().join(name)]) {
            Err(error) => error.to_string(),
            Ok(mut rows) => rows.next().unwrap().unwrap_err().to_string(),
        };
        assert!(
            said.contains("ends within its member 0.jpg") || said.contains("too large"),
            "{said}"
        );
    }
}
