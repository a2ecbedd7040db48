//! Files that the command line names: small texts to read, and files to write.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use asif::disk;

use super::exit::BadInput;

/// The text of a file, which is to hold `what`.
///
/// # Errors
/// [`BadInput`]: it is not there, is a folder, is not UTF-8 or cannot be read.
pub fn read_text(path: &Path, what: &str) -> Result<String, BadInput> {
    let said = |why: &str| {
        let path = path.display();
        BadInput(format!("{path}: {why}; give a file with {what}"))
    };
    if path.is_dir() {
        return Err(said("expected a file, found a folder"));
    }
    fs_err::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => said("there is no such file"),
        ErrorKind::InvalidData => said("not UTF-8 text"),
        _ => BadInput(format!("{error}; give a file with {what}")),
    })
}

/// Refuses files that could not be written, before the work whose outcome they are to hold.
///
/// # Errors
/// The first that is a folder, or lies in none.
pub fn check_outputs<'a>(
    files: impl IntoIterator<Item = &'a Option<PathBuf>>,
) -> anyhow::Result<()> {
    for file in files.into_iter().flatten() {
        disk::check_output(file)?;
    }
    Ok(())
}
