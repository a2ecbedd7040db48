//! Detects files in unsupported formats, and says what to convert them to.

use std::io::{self, BufRead as _, Read as _};
use std::path::Path;

use serde::de::IgnoredAny;

use super::endings::{ending_of, unpacked_ending};
use super::formats::{COCO, IMAGE, PairFormat, UNREAD_BEGINNINGS, UNREAD_ENDINGS};
use super::input;
use super::json::LIST_ADVICE;
use super::lines::BOM;
use crate::stand_in::stand_in;

/// The format of an unsupported file that was given as pairs, and the advice, in which `{formats}` stands for
/// the supported extensions; `None` for a file that may be read. Reads its first 4 KiB, unpacked.
/// A file whose name is that of a format that is not text is left to that format.
pub(super) fn other_format(
    path: &Path,
    by_name: Option<&PairFormat>,
) -> io::Result<Option<(&'static str, &'static str)>> {
    let mut head = Vec::new();
    let read = input::open(path)?.take(4096).read_to_end(&mut head);
    // What is left of a damaged file is read.
    match read {
        Err(error) if input::is_damage(&error) && !head.is_empty() => {}
        read => drop(read?),
    }
    if let Some(found) = stand_in(&head) {
        return Ok(Some(found));
    }
    if by_name.is_some_and(|format| !format.is_text) {
        return Ok(None);
    }
    let begun = UNREAD_BEGINNINGS
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
    let unpacked = unpacked_ending(path);
    let is_lines = ["jsonl", "ndjson"].contains(&unpacked.as_str());
    let is_table = ["csv", "tsv"].contains(&unpacked.as_str());
    if unpacked == "json" {
        return Ok(None);
    }
    // Rows of a .jsonl file may have such keys too.
    let is_whole = !is_table && text.starts_with(['[', '{']) && is_one_value(path)?;
    let is_coco = text.contains("\"annotations\"") && text.contains("\"images\"");
    if is_coco && !is_table && (is_whole || !is_lines) {
        return Ok(Some(("a COCO file of annotations", COCO)));
    }
    let named = UNREAD_ENDINGS
        .iter()
        .find(|(endings, ..)| endings.contains(&ending.as_str()));
    if let Some(&(_, format, advice)) = named {
        return Ok(Some((format, advice)));
    }
    // One object on one line is a row.
    let is_row = text.starts_with('{') && text.trim_end().lines().count() == 1;
    Ok((is_whole && !is_row).then_some(("one JSON document", LIST_ADVICE)))
}

/// Whether a file is exactly one JSON value. In a file of several rows only the first is read.
fn is_one_value(path: &Path) -> io::Result<bool> {
    let mut file = input::open(path)?;
    if file.fill_buf()?.starts_with(BOM) {
        file.consume(BOM.len());
    }
    Ok(serde_json::from_reader::<_, IgnoredAny>(file).is_ok())
}
