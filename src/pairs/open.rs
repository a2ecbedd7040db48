//! Opens the source for a path.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::expand::expanded;
use super::folder::FolderTest;
use super::formats::{self, LISTS};
use super::other::other_format;
use super::source::{NamedSource, PairSource};
use super::{PairOptions, PairReader, PairsError, RowRejection, folder};

/// Opens sources of pairs, to be read in the order given.
///
/// Each path is a file of one of the [`FORMATS`](super::FORMATS), or a folder of images. A folder that holds
/// a list of its own (`pairs.jsonl`, `pairs.csv`, `pairs.tsv`, `pairs.json`,
/// `pairs.parquet`, `metadata.jsonl`, `metadata.csv` or `metadata.parquet`, the first
/// of these that exists) is read through that list; its images that the list does not name are rows that are
/// skipped.
///
/// A folder of archives or Parquet files without an image stands for these files, in the order of their names, and
/// a path with a range, `shards/{00000..00150}.tar`, for those of the range.
///
/// Every file is read once here, to count its rows and check its header; no row is kept.
///
/// # Errors
/// [`PairsError`]: a path is missing, of an unknown kind, damaged before its first row, cannot be read or is given
/// twice, a header lacks a column, or there is no row at all.
pub fn open(paths: &[PathBuf]) -> Result<PairReader, PairsError> {
    open_with(paths, &PairOptions::default())
}

/// As [`open`], with options.
///
/// # Errors
/// As [`open`].
pub fn open_with(paths: &[PathBuf], options: &PairOptions) -> Result<PairReader, PairsError> {
    open_without(paths, options, |_| false)
}

/// As [`open_with`], without the folders below a given one for which `is_apart` holds: neither they nor their
/// files are rows.
pub(crate) fn open_without(
    paths: &[PathBuf],
    options: &PairOptions,
    is_apart: FolderTest,
) -> Result<PairReader, PairsError> {
    let mut sources = Vec::with_capacity(paths.len());
    let mut given = HashSet::new();
    let paths = paths
        .iter()
        .flat_map(|path| expanded(path).unwrap_or_else(|| vec![path.clone()]));
    let paths: Vec<PathBuf> = paths.collect();
    for path in &paths {
        let canonical = fs_err::canonicalize(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                PairsError::Missing {
                    path: path.clone(),
                    formats: formats::either(".", formats::usual_endings()),
                }
            }
            _ => PairsError::Read { source },
        })?;
        if !given.insert(canonical) {
            return Err(PairsError::GivenTwice { path: path.clone() });
        }
        sources.extend(survey(path, options, is_apart)?);
    }
    if sources.iter().all(|named| named.source.rows() == 0) {
        return Err(PairsError::NoPairs { paths });
    }
    Ok(PairReader::new(sources, options, is_apart))
}

/// The sources that a path stands for: one, or those of a folder of archives or tables.
fn survey(
    path: &Path,
    options: &PairOptions,
    is_apart: FolderTest,
) -> Result<Vec<NamedSource>, PairsError> {
    let source = |path: &Path, source| NamedSource {
        path: path.to_owned(),
        source,
        listed: None,
    };
    let by_name = formats::named(path);
    let metadata = fs_err::metadata(path)?;
    if metadata.is_dir() {
        if by_name.is_some() {
            return Err(PairsError::FolderForFile {
                path: path.to_owned(),
            });
        }
        if let Some(name) = LISTS.into_iter().find(|name| path.join(name).is_file()) {
            let mut lists = survey(&path.join(name), options, is_apart)?;
            for list in &mut lists {
                list.listed = Some((path.to_owned(), name));
            }
            return Ok(lists);
        }
        let shards = folder::shards_of(path);
        if shards.is_empty() {
            return Ok(vec![source(path, folder::open(path, is_apart, options))]);
        }
        let mut sources = Vec::with_capacity(shards.len() + 1);
        for shard in &shards {
            sources.extend(survey(shard, options, is_apart)?);
        }
        let others = folder::others(path, is_apart, shards.into_iter().collect());
        sources.push(source(path, others));
        return Ok(sources);
    }
    if !metadata.is_file() {
        return Err(PairsError::DeviceForFile {
            path: path.to_owned(),
        });
    }
    if let Some((format, advice)) = other_format(path, by_name)? {
        let usual = formats::either(".", formats::usual_endings());
        return Err(PairsError::OtherFormat {
            path: path.to_owned(),
            format,
            advice: advice.replace("{formats}", &usual),
        });
    }
    let format = by_name.ok_or_else(|| PairsError::UnknownFormat {
        path: path.to_owned(),
        formats: formats::either(".", formats::all_endings()),
    })?;
    let mut opened = (format.open)(path, options)?;
    refuse_unreadable(path, opened.as_mut())?;
    Ok(vec![source(path, opened)])
}

/// Refuses a file in which reading breaks off before its first row. Of one that is damaged further on, the rows
/// before are read, whatever its format, and the damage is a row that is skipped.
fn refuse_unreadable(path: &Path, source: &mut dyn PairSource) -> Result<(), PairsError> {
    let Some(Err(first)) = source.drafts()?.next() else {
        return Ok(());
    };
    let (kind, message) = match first.of_row()?.reason {
        RowRejection::Malformed { message } => (std::io::ErrorKind::InvalidData, message),
        RowRejection::Broken { message } => (std::io::ErrorKind::Other, message),
        _ => return Ok(()),
    };
    // A message of the system has the path already.
    let name = path.display().to_string();
    let said = match message.contains(&name) {
        true => message,
        false => format!("{name}: {message}"),
    };
    Err(std::io::Error::new(kind, said).into())
}
