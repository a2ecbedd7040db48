//! Detects files in unsupported formats, and says what to convert them to.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use fs_err::File;
use serde::de::IgnoredAny;

use super::endings::ending_of;
use super::lines::BOM;
use crate::stand_in::stand_in;

const AS_JSONL: &str =
    "write it as .jsonl: {\"image\": \"a.jpg\", \"caption\": \"a cat\"} on each line";
const UNPACK: &str = "unpack it and give the folder, or the {formats} file in it";
const IMAGE: &str = "give the folder that it lies in, with a .txt file beside each image, or a list of \
                     images and captions as {formats}";
const JSON: &str = "write one object a line and name the file .jsonl: `jq -c '.[]' FILE.json > FILE.jsonl` \
                    for a list of {\"image\": \"a.jpg\", \"caption\": \"a cat\"}";
const COCO: &str = "it names images and captions apart, so join them by `id` and `image_id` into a .jsonl \
                    file: {\"image\": \"a.jpg\", \"captions\": [\"a cat\", ...]} on each line";

/// Magic bytes: offset, bytes, format, advice.
const BEGINNINGS: &[(usize, &[u8], &str, &str)] = &[
    (0, b"PAR1", "a Parquet file", AS_JSONL),
    (
        0,
        b"\x1F\x8B",
        "compressed with gzip",
        "unpack it with `gunzip`",
    ),
    (
        0,
        b"BZh",
        "compressed with bzip2",
        "unpack it with `bunzip2`",
    ),
    (
        0,
        b"\xFD7zXZ",
        "compressed with xz",
        "unpack it with `unxz`",
    ),
    (
        0,
        b"\x28\xB5\x2F\xFD",
        "compressed with zstd",
        "unpack it with `unzstd`",
    ),
    (
        0,
        b"PK\x03\x04",
        "a ZIP archive or a spreadsheet",
        "unpack it, or save the sheet as CSV",
    ),
    (0, b"7z\xBC\xAF", "a 7z archive", UNPACK),
    (0, b"\x93NUMPY", "a NumPy array", AS_JSONL),
    (0, b"ARROW1", "an Arrow file", AS_JSONL),
    (0, b"SQLite format 3", "an SQLite database", AS_JSONL),
    (0, b"\x89HDF", "an HDF5 file", AS_JSONL),
    (0, b"%PDF", "a PDF document", AS_JSONL),
    (0, b"\x80\x02", "a Python pickle", AS_JSONL),
    (0, b"\x80\x04", "a Python pickle", AS_JSONL),
    (0, b"\x80\x05", "a Python pickle", AS_JSONL),
    (257, b"ustar", "a tar archive", UNPACK),
];

/// File extensions: extensions, format, advice.
const ENDINGS: &[(&[&str], &str, &str)] = &[
    (&["parquet"], "a Parquet file", AS_JSONL),
    (&["tar", "tar.gz", "tgz", "zip"], "an archive", UNPACK),
    (&["npy", "npz"], "a NumPy array", AS_JSONL),
    (&["arrow", "feather"], "an Arrow file", AS_JSONL),
    (&["html", "htm"], "a page of HTML", AS_JSONL),
    (&["xml"], "an XML file", AS_JSONL),
    (&["yaml", "yml"], "a YAML file", AS_JSONL),
    (
        &["xls", "xlsx", "ods"],
        "a spreadsheet",
        "save the sheet as CSV",
    ),
    (&["tfrecord"], "a TFRecord file", AS_JSONL),
    (&["pkl", "pickle"], "a Python pickle", AS_JSONL),
    (&["json"], "a JSON file", JSON),
];

/// The format of an unsupported file that was given as pairs, and the advice, in which `{formats}` stands for
/// the supported extensions; `None` for a file that may be read. Reads its first 4 KiB.
pub(super) fn other_format(path: &Path) -> io::Result<Option<(&'static str, &'static str)>> {
    let mut head = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut head)?;
    if let Some(found) = stand_in(&head) {
        return Ok(Some(found));
    }
    let begun = BEGINNINGS
        .iter()
        .find(|(at, magic, ..)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    if let Some(&(_, _, format, advice)) = begun {
        return Ok(Some((format, advice)));
    }
    // An image may begin with letters too ("BM"), but no image is valid text.
    let is_binary = head.contains(&0) || str::from_utf8(head.get(..4).unwrap_or(&head)).is_err();
    if is_binary && image::guess_format(&head).is_ok() {
        return Ok(Some(("an image", IMAGE)));
    }
    let text = String::from_utf8_lossy(&head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let ending = ending_of(path);
    let is_lines = ["jsonl", "ndjson"].contains(&ending.as_str());
    let is_table = ["csv", "tsv"].contains(&ending.as_str());
    // Rows of a .jsonl file may have such keys too.
    let is_whole = !is_table && text.starts_with(['[', '{']) && is_one_value(path)?;
    let is_coco = text.contains("\"annotations\"") && text.contains("\"images\"");
    if is_coco && !is_table && (is_whole || !is_lines) {
        return Ok(Some(("a COCO file of annotations", COCO)));
    }
    let named = ENDINGS
        .iter()
        .find(|(endings, ..)| endings.contains(&ending.as_str()));
    if let Some(&(_, format, advice)) = named {
        return Ok(Some((format, advice)));
    }
    // One object on one line is a row.
    let is_row = text.starts_with('{') && text.trim_end().lines().count() == 1;
    Ok((is_whole && !is_row).then_some(("one JSON document", JSON)))
}

/// Whether a file is exactly one JSON value. In a file of several rows only the first is read.
fn is_one_value(path: &Path) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(BOM) {
        file.consume(BOM.len());
    }
    Ok(serde_json::from_reader::<_, IgnoredAny>(file).is_ok())
}
