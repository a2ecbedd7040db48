//! Which files a path names, and the array in them.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::error::VectorFileError;

/// Endings of files of vectors, in lower case.
pub(super) const VECTOR_ENDINGS: &[&str] = &["npy", "npz", "safetensors", "parquet"];
/// Endings of files of metadata.
pub(super) const METADATA_ENDINGS: &[&str] = &["jsonl", "ndjson", "csv", "tsv", "parquet"];

/// A file, and the array in it where it has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArrayPath {
    pub(super) path: PathBuf,
    pub(super) array: Option<String>,
}

/// The files that `given` names: itself, or those of a folder in natural order, where `part_10` comes after
/// `part_2`. What stands after a `#` is the name of an array, unless there is a file of that name.
pub(super) fn files(given: &Path, endings: &[&str]) -> Result<Vec<ArrayPath>, VectorFileError> {
    let (path, array) = split(given);
    if !fs_err::metadata(&path)?.is_dir() {
        return Ok(vec![ArrayPath { path, array }]);
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(&path)? {
        let entry = entry?.path();
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let ending = entry
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase());
        if name.starts_with('.') || !endings.contains(&ending.as_deref().unwrap_or_default()) {
            continue;
        }
        found.push((name, ending, entry));
    }
    found.sort_by(|a, b| natural(&a.0, &b.0));
    let expected = || format!("a folder of files that end in .{}", endings.join(", ."));
    let Some((_, first, _)) = found.first() else {
        return Err(VectorFileError::unusable(&path, expected(), "none"));
    };
    // The same rows in two formats would be read twice.
    if let Some((_, other, _)) = found.iter().find(|(_, ending, _)| ending != first) {
        let both = [first, other].map(|e| format!(".{}", e.as_deref().unwrap_or_default()));
        let found = format!(
            "files of {}; name one file, or keep one kind",
            both.join(" and ")
        );
        return Err(VectorFileError::unusable(
            &path,
            "a folder of one kind of files",
            found,
        ));
    }
    let files = found.into_iter().map(|(.., path)| ArrayPath {
        path,
        array: array.clone(),
    });
    Ok(files.collect())
}

/// `a.npz#images` as a file and the name of an array.
fn split(given: &Path) -> (PathBuf, Option<String>) {
    if given.exists() {
        return (given.to_owned(), None);
    }
    match given.to_str().and_then(|text| text.rsplit_once('#')) {
        Some((file, name)) if !name.is_empty() && Path::new(file).exists() => {
            (file.into(), Some(name.to_owned()))
        }
        _ => (given.to_owned(), None),
    }
}

/// Compares names with the numbers in them as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (number(&mut left), number(&mut right));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
            x.cmp(&y)
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the digits at the beginning of a text, without zeros before them.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = [
            "e_10.npy",
            "e_2.npy",
            "e_1.npy",
            "e_02b.npy",
            "d_11.npy",
            "e.npy",
        ];
        names.sort_by(|a, b| natural(a, b));
        let expected = [
            "d_11.npy",
            "e.npy",
            "e_1.npy",
            "e_2.npy",
            "e_02b.npy",
            "e_10.npy",
        ];
        assert_eq!(names, expected);
    }
}
