//! Another recipe for the same pairs.

use std::path::Path;

use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::space::Recipe;

/// Publishes a generation with the live pairs and another recipe; `command` and `detail` are recorded in
/// the log. A rollback restores the old recipe.
///
/// # Errors
/// When the recipe is invalid, another process is writing, or on an I/O error.
pub fn respace(
    set: &Path,
    recipe: &Recipe,
    (command, detail): (&'static str, String),
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    recipe.validate()?;
    let mut writer = SetWriter::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    if live.manifest().space == *recipe {
        return writer.unchanged(command, "the anchor set already has this recipe");
    }
    let mut manifest = live.manifest().clone();
    manifest.space = recipe.clone();
    manifest.parent = Some(manifest.generation);
    manifest.restored = None;
    writer.publish(NextGeneration {
        manifest,
        tombstones: None,
        command,
        detail,
        source: None,
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    })
}
