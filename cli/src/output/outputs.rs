//! Output files, and what they must not overwrite.
//!
//! A wildcard or a typing error can name a photo, a list of labels or a file of an anchor set as an output.
//! So the location, whether the command reads the file, and its present content are checked before any
//! work. Only a file that the same option may have written before is overwritten.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::care::purge::{self, PurgeRequest};
use asif::anchors::stored::history;
use asif::anchors::stored::place::refuse_inside_set;
use asif::disk;

pub use super::kinds::OutputKind;
use super::kinds::{HEAD, SHOWN, what_it_is, whole_lines};
use crate::errors::exit::BadInput;

/// An output, with the option that names it.
#[derive(Debug, Clone, Copy)]
pub struct OutputFile<'a> {
    option: &'static str,
    file: &'a Path,
    kind: OutputKind<'a>,
}

/// An output, if the option was given.
pub fn output<'a>(
    option: &'static str,
    file: &'a Option<PathBuf>,
    kind: OutputKind<'a>,
) -> Option<OutputFile<'a>> {
    let file = file.as_deref()?;
    Some(OutputFile { option, file, kind })
}

/// Refuses outputs that could not be written or would overwrite something else, before the work starts.
/// `inputs` are the files that the command reads.
///
/// # Errors
/// The first output that is a folder, is not in an existing folder, is inside an anchor set, is an input
/// or another output, or holds content that its option does not write.
pub fn check_outputs<'a>(
    outputs: impl IntoIterator<Item = Option<OutputFile<'a>>>,
    inputs: &[&Path],
) -> anyhow::Result<()> {
    let mut checked: Vec<OutputFile<'_>> = Vec::new();
    for output in outputs.into_iter().flatten() {
        let (file, option) = (output.file, output.option);
        refuse_dash(option, file, OutputPlace::File)?;
        disk::check_output(file)?;
        refuse_inside_set(file)?;
        let shown = file.display();
        let mut is_read = false;
        for input in inputs {
            is_read |= is_same(input, file)?;
        }
        if is_read {
            let said = format!(
                "{shown}: {option} would overwrite it, but this command reads it; name another file after \
                 {option}"
            );
            return Err(BadInput(said).into());
        }
        for other in &checked {
            if is_same(other.file, file)? {
                let said = format!(
                    "{shown}: both {} and {option} would write it; name two different files",
                    other.option
                );
                return Err(BadInput(said).into());
            }
        }
        let held = held_by(file, output.kind)?;
        if let Some(held) = held.filter(|held| !output.kind.writes(file, held)) {
            let found = format!(
                "it holds {}, not {}",
                what_it_is(&held),
                output.kind.wanted()
            );
            return Err(would_replace(option, file, &found));
        }
        checked.push(output);
    }
    Ok(())
}

/// Refuses to overwrite anything but a list of ids that this anchor set, or another known one, has or had.
/// Called once the anchor set is open, before the work.
///
/// # Errors
/// The first output that holds something else; when the log of the anchor set cannot be read.
pub fn check_ids<'a>(
    outputs: impl IntoIterator<Item = Option<OutputFile<'a>>>,
    set: &AnchorSet,
) -> anyhow::Result<()> {
    for OutputFile { option, file, .. } in outputs.into_iter().flatten() {
        let Some(held) = held_by(file, OutputKind::Ids)? else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(whole_lines(&held)) else {
            let found = format!("it holds {}, not a list of ids", what_it_is(&held));
            return Err(would_replace(option, file, &found));
        };
        let lines: Vec<&str> = text
            .strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .collect();
        if let Some(line) = purge::unknown_id(set, &lines)? {
            let line: String = line.chars().take(SHOWN).collect();
            let found = format!(
                "it holds {}, not a list of ids of this anchor set, which never had {line:?} as far as is known",
                what_it_is(&held)
            );
            let said = format!(
                "{}: {option} would overwrite it, but {found}; delete it if it is an old list, such as one of an \
                 earlier build, or name another file after {option}",
                file.display()
            );
            return Err(BadInput(said).into());
        }
    }
    Ok(())
}

/// Refuses to overwrite a receipt with statements that the new one will not have: a receipt is the proof
/// of a deletion. Returns the text of a receipt that may be overwritten.
///
/// # Errors
/// When the file holds such a receipt; when the log of the anchor set cannot be read.
pub fn check_receipt(
    file: &Option<PathBuf>,
    reference: Option<&str>,
    set: &Path,
    request: &PurgeRequest<'_>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let Some(held) = held_by(file, OutputKind::Receipt)? else {
        return Ok(None);
    };
    match purge::why_kept(&held, set, request, reference)? {
        None => Ok(Some(held)),
        Some(why) => {
            let found = format!("the receipt that it holds {why}");
            Err(would_replace("--receipt", file, &found))
        }
    }
}

/// Refuses to overwrite a file that the log of an anchor set names as a source of its pairs.
///
/// # Errors
/// When it is one, or cannot be compared because the system denies access.
pub fn refuse_source(option: &str, file: &Path, set: &Path) -> anyhow::Result<()> {
    let Some(held) = disk::found(file)?.filter(std::fs::Metadata::is_file) else {
        return Ok(());
    };
    // A damaged log must not prevent an export.
    let changes = history::readable(set)?;
    let named = changes
        .iter()
        .flat_map(|change| change.detail.split(", ").chain([change.detail.as_str()]));
    for source in named.filter(|name| !name.is_empty()) {
        let found = match of_name(Path::new(source)) {
            Ok(found) => found,
            Err(error) => {
                let found =
                    format!("it may be a source of this anchor set, which its log names: {error}");
                return Err(would_replace(option, file, &found));
            }
        };
        if found.is_some_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino())) {
            let found = "pairs of this anchor set come from it, according to its log";
            return Err(would_replace(option, file, found));
        }
    }
    Ok(())
}

/// The file at a path; none if the text is too long for a path, because the log's details may be other
/// text than paths.
fn of_name(path: &Path) -> std::io::Result<Option<std::fs::Metadata>> {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput};
    match disk::found(path) {
        Err(error) if [InvalidFilename, InvalidInput].contains(&error.kind()) => Ok(None),
        found => found,
    }
}

/// Whether an option names a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputPlace {
    File,
    Folder,
}

/// Refuses `-`, which other programs take for standard output, as the name of an output.
///
/// # Errors
/// When it is that.
pub fn refuse_dash(option: &str, path: &Path, place: OutputPlace) -> anyhow::Result<()> {
    if path != Path::new("-") {
        return Ok(());
    }
    Err(BadInput(match place {
        OutputPlace::File => format!(
            "-: {option} takes the name of a file, and - is not one here; give ./- for a file of that name, \
             or /dev/stdout for standard output"
        ),
        OutputPlace::Folder => format!(
            "-: {option} takes the name of a folder, and - is not one here; give ./- for a folder of that name"
        ),
    })
    .into())
}

/// The error for an output that would overwrite something else.
fn would_replace(option: &str, file: &Path, found: &str) -> anyhow::Error {
    let said = format!(
        "{}: {option} would overwrite it, but {found}; name another file after {option}, or move this one away",
        file.display()
    );
    BadInput(said).into()
}

/// The beginning of a regular file that is not empty, or the whole of a receipt. None for other files, such
/// as devices, which are written to instead of replaced.
fn held_by(file: &Path, kind: OutputKind<'_>) -> anyhow::Result<Option<Vec<u8>>> {
    if !disk::has_file(file)? {
        return Ok(None);
    }
    let mut held = Vec::new();
    let mut rest = fs_err::File::open(file)?;
    rest.by_ref().take(HEAD).read_to_end(&mut held)?;
    if kind == OutputKind::Receipt && held.first() == Some(&b'{') {
        rest.read_to_end(&mut held)?;
    }
    Ok((!held.is_empty()).then_some(held))
}

/// Whether two paths name the same file, or would once it is created.
///
/// # Errors
/// When the system denies access.
fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (found, wanted) = (of_name(one)?, of_name(other)?);
    let is_device = found.as_ref().is_some_and(|found| !found.is_file());
    let file = |found: Option<std::fs::Metadata>| found.filter(std::fs::Metadata::is_file);
    Ok(match (file(found), file(wanted)) {
        (Some(one), Some(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (None, None) => {
            let folder = |path: &Path| fs_err::canonicalize(disk::parent(path)).ok();
            !is_device && one.file_name() == other.file_name() && folder(one) == folder(other)
        }
        _ => false,
    })
}
