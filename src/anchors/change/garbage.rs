//! What no generation needs any more: leftovers of killed writers, and the files of old generations.
//!
//! Nothing is removed that a generation may need which cannot be read: a file too many costs room, a file too
//! few the pairs.

use std::collections::BTreeSet;
use std::path::Path;

use super::recover;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::{history, layout, log, place, publish, witness};
use crate::disk as fs;

/// Removes leftovers of killed writers: hidden files that nothing needs, and files of
/// generations after the live one. A missing segment that is found under a hidden name is restored.
pub(super) fn sweep(set: &Path) -> Result<(), AnchorsError> {
    // `CURRENT` may be from a writer that was killed before syncing its rename.
    fs::sync_folder(set)?;
    // Before any manifest is removed.
    recover::segments(set)?;
    let live = publish::live_number(set)?;
    let generations = layout::generations_folder(set);
    fs::sweep_hidden(set, |name| name == layout::CURRENT)?;
    fs::sweep_hidden(&generations, layout::in_generations)?;
    // Left by a purge.
    // It was renamed before its content was removed, so that it is never seen half removed.
    fs::remove_hidden(&set.join(format!("{}{}", fs::REMOVING, layout::DAMAGED)))?;
    for name in fs::names(&generations)? {
        if layout::generation_of(&name).is_some_and(|n| n > live) {
            fs::remove_file(&generations.join(name))?;
        }
    }
    history::sweep(set)
}

/// Removes all but the newest `keep` generations (and the target of a rollback), then
/// the files that no remaining one uses. Readers that have them mapped keep them. Removed files
/// do not reappear after a power failure.
///
/// # Errors
/// On an I/O error; nothing that a kept generation uses is removed then.
pub(crate) fn collect(set: &Path, keep: usize) -> Result<(), AnchorsError> {
    let kept = witness::kept(set)?;
    let newest = kept.len().saturating_sub(keep.max(1));
    let live = Manifest::read(set, &publish::current(set)?)?;
    // The parent is what a rollback goes back to, however old it is.
    let wanted = |n: &u64| kept[newest..].contains(n) || (keep > 1 && live.parent == Some(*n));
    let (stay, go): (Vec<u64>, Vec<u64>) = kept.iter().partition(|n| wanted(n));
    let mut files = BTreeSet::new();
    let mut segments = BTreeSet::new();
    // The files of a missing or damaged manifest are unknown, so none may be removed.
    let mut all_read = !log::lacks_manifest(set)?;
    for generation in stay {
        let name = layout::generation_name(generation);
        match Manifest::read(set, &name) {
            Ok(manifest) => {
                files.insert(format!("{name}.json"));
                files.extend(manifest.tombstones.map(|t| t.file));
                segments.extend(manifest.segments.into_iter().map(|s| s.id));
            }
            Err(_) => all_read = false,
        }
    }
    let folder = layout::generations_folder(set);
    let manifest = |name: &String| {
        name.strip_suffix(".json")
            .and_then(layout::generation_number)
    };
    // Manifests first: one that reappears after a power failure must not lack its files.
    let (manifests, others): (Vec<String>, Vec<String>) = fs::names(&folder)?
        .into_iter()
        .partition(|name| manifest(name).is_some());
    let manifests = manifests
        .into_iter()
        .filter(|name| manifest(name).is_some_and(|n| go.contains(&n)));
    let others = others
        .into_iter()
        .filter(|name| all_read && !files.contains(name) && layout::in_generations(name));
    let remove_file = |path: &Path| Ok(fs::remove_file(path)?);
    // Each group is synced before the next is removed: the order must hold on the disk, too.
    remove_all(&folder, manifests.collect(), remove_file)?;
    remove_all(&folder, others.collect(), remove_file)?;
    let folder = layout::segments_folder(set);
    // Hidden names that remain are needed or in use by another process; other unknown names
    // were not created by asif.
    let gone =
        |name: &String| all_read && !segments.contains(name) && layout::is_segment_name(name);
    let names = fs::names(&folder)?.into_iter().filter(gone);
    remove_all(&folder, names.collect(), place::remove_segment)
}

/// Removes these from a folder, durably.
fn remove_all(
    folder: &Path,
    names: Vec<String>,
    remove: impl Fn(&Path) -> Result<(), AnchorsError>,
) -> Result<(), AnchorsError> {
    for name in &names {
        remove(&folder.join(name))?;
    }
    if !names.is_empty() {
        fs::sync_folder(folder)?;
    }
    Ok(())
}
