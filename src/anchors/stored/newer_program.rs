//! Anchor sets that a newer program has changed can be read, but every writer rejects them.
//!
//! The next manifest is derived from the parsed last one, so a field that this program does not
//! know would be lost with any change.

use std::path::Path;

use super::layout;
use super::manifest::{self, Manifest};
use crate::anchors::error::AnchorsError;

/// Rejects a change of an anchor set with a kept generation of a newer program, by its format or by a field.
/// Damaged and unreadable manifests are reported elsewhere.
///
/// # Errors
/// [`AnchorsError::UnknownField`], [`AnchorsError::UnknownContent`], [`AnchorsError::Format`].
pub(crate) fn refuse(set: &Path, live: u64) -> Result<(), AnchorsError> {
    for generation in manifest::list(set)?.into_iter().filter(|n| *n <= live) {
        let name = layout::generation_name(generation);
        match Manifest::read_with_unknown(set, &name) {
            Ok((manifest, unknown)) => {
                if let Some(field) = unknown.into_iter().next() {
                    return Err(AnchorsError::UnknownField {
                        path: layout::generations_folder(set).join(format!("{name}.json")),
                        field,
                        made_by: manifest.made_by,
                    });
                }
            }
            Err(error) if error.is_of_newer() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}
