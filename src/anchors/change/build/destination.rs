//! Whether a place may be built to.

use std::path::Path;

use super::options::BuildOptions;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::place;
use crate::anchors::stored::publish;
use crate::disk as fs;

/// Checks the space, and that nothing is at the destination or what is there may be replaced.
///
/// # Errors
/// When it may not be built to.
pub(super) fn check_place(options: &BuildOptions) -> Result<(), AnchorsError> {
    options.space.validate()?;
    place::refuse_inside_set(&options.out)?;
    // A dangling link counts as existing too.
    if fs::found_itself(&options.out)?.is_some() {
        let is_set = match publish::current(&options.out) {
            Ok(_) => true,
            Err(AnchorsError::NotASet { .. }) => false,
            Err(AnchorsError::Io(error)) if fs::is_link_loop(&error) => false,
            // It is an anchor set, though a damaged one.
            Err(error) => return Err(error),
        };
        let path = options.out.clone();
        match (is_set, options.overwrite) {
            (false, _) => return Err(AnchorsError::InTheWay { path }),
            (true, false) => return Err(AnchorsError::Exists { path }),
            (true, true) => {}
        }
    }
    // The parent may be a file.
    let above = options.out.ancestors().skip(1).find(|path| path.exists());
    if let Some(path) = above.filter(|path| !path.is_dir()) {
        let path = path.to_owned();
        return Err(AnchorsError::InTheWay { path });
    }
    Ok(())
}

/// The error of a build whose destination was created by another process while it ran.
pub(super) fn made_meanwhile(error: AnchorsError, out: &Path) -> AnchorsError {
    let is_taken = match &error {
        AnchorsError::Exists { .. } => true,
        AnchorsError::Io(error) => {
            use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
            [AlreadyExists, DirectoryNotEmpty, NotADirectory].contains(&error.kind())
        }
        _ => false,
    };
    let path = out.to_owned();
    match is_taken && out.symlink_metadata().is_ok() {
        true => AnchorsError::MadeMeanwhile { path },
        false => error,
    }
}
