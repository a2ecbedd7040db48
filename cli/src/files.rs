//! Small text files that are named on the command line.

use std::io::ErrorKind;
use std::path::Path;

use super::exit::BadInput;
use asif::stand_in;

/// The text of a file that must contain `what`.
///
/// # Errors
/// [`BadInput`] if it does not exist, is a folder, is not UTF-8 or cannot be read.
pub fn read_text(path: &Path, what: &str) -> Result<String, BadInput> {
    let said = |why: &str| {
        let path = path.display();
        BadInput(format!("{path}: {why}; give a file with {what}"))
    };
    if path.is_dir() {
        return Err(said("expected a file, found a folder"));
    }
    let text = fs_err::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => said("there is no such file"),
        ErrorKind::InvalidData => said("not UTF-8 text"),
        _ => BadInput(format!("{error}; give a file with {what}")),
    })?;
    match stand_in::said_of(text.as_bytes()) {
        Some(said) => Err(BadInput(format!("{}: {said}", path.display()))),
        None => Ok(text),
    }
}
