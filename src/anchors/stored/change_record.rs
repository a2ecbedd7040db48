//! The record of one change, and the list of ids where they are many.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout;
use super::sealed_lines;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;

/// How many ids a record holds inline; more are in a separate file.
pub(crate) const INLINE_IDS: usize = 20;

/// One change of an anchor set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The generation that it made.
    pub generation: u64,
    /// When, RFC 3339 in UTC.
    pub when: String,
    /// The command.
    pub command: String,
    /// Its arguments: a filter, a source, the generation that was restored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Live pairs before.
    pub pairs_before: u64,
    /// Live pairs after.
    pub pairs_after: u64,
    /// The number of added pairs. After a build, a swap or a rollback, `asif diff` lists them.
    pub added: u64,
    /// The number of removed pairs.
    pub removed: u64,
    /// The ids of added pairs, if they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_ids: Vec<String>,
    /// The ids of removed pairs, if they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_ids: Vec<String>,
    /// The file in the anchor set that lists the ids, if they are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids_file: Option<String>,
    /// The generation whose content it took: of this anchor set, or of `source_set`. Records of older
    /// programs say so in `detail` alone ([`ChangeRecord::taken_from`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_generation: Option<u64>,
    /// The anchor set that a swap took its content from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_set: Option<String>,
    /// Live pairs by licence before.
    pub licences_before: BTreeMap<String, u64>,
    /// Live pairs by licence after.
    pub licences_after: BTreeMap<String, u64>,
}

/// One line of an id list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdLine {
    /// An added pair.
    Added(String),
    /// A removed pair.
    Removed(String),
}

/// The source of a change's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeSource {
    /// The generation.
    pub generation: u64,
    /// The anchor set of that generation, if it is another one.
    pub set: Option<String>,
}

/// Prefix of the detail of a change that took the content of a generation of the same set.
const CONTENT_OF: &str = "content of generation ";

/// Separates generation and set in the detail of a swap with another anchor set.
const OF: &str = " of ";

impl ChangeRecord {
    /// The generation of the same set whose content it took, if it did: a rollback, a swap, a repair that
    /// went back.
    pub fn taken_from(&self) -> Option<u64> {
        match (self.source_generation, &self.source_set) {
            (Some(generation), None) => Some(generation),
            (None, None) if ["rollback", "swap", "repair"].contains(&self.command.as_str()) => {
                // A note on lost data may follow.
                let rest = self.detail.strip_prefix(CONTENT_OF)?;
                rest.split(' ').next()?.parse().ok()
            }
            _ => None,
        }
    }

    /// The anchor set that a swap took its content from, if it is another one.
    pub(crate) fn taken_from_set(&self) -> Option<&Path> {
        let old = || {
            let of_a_set = self.command == "swap" && self.source_generation.is_none();
            // Records of older programs say it in `detail` alone.
            let (generation, set) = self.detail.split_once(OF).filter(|_| of_a_set)?;
            (!generation.contains("content")).then_some(set)
        };
        self.source_set.as_deref().or_else(old).map(Path::new)
    }

    /// The detail of a change that took its content from there.
    pub(crate) fn detail_of(source: &ChangeSource) -> String {
        let generation = source.generation;
        match &source.set {
            Some(set) => format!("generation {generation}{OF}{set}"),
            None => format!("{CONTENT_OF}{generation}"),
        }
    }

    /// Renames the source set of a swap.
    pub(crate) fn rename_source(&mut self, name: impl Fn(&str) -> String) {
        let Some(set) = self.taken_from_set().and_then(Path::to_str) else {
            return;
        };
        let renamed = name(set);
        if let Some((generation, _)) = self.detail.split_once(OF) {
            self.detail = format!("{generation}{OF}{renamed}");
        }
        if self.source_set.is_some() {
            self.source_set = Some(renamed);
        }
    }

    /// Records the ids: inline if they are few, else in a file that is durable
    /// when this returns. The generation must be set.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn note_ids(
        &mut self,
        set: &Path,
        added: &[String],
        removed: &[String],
    ) -> Result<(), AnchorsError> {
        if added.len() + removed.len() <= INLINE_IDS {
            self.added_ids = added.to_vec();
            self.removed_ids = removed.to_vec();
            return Ok(());
        }
        let gone = removed.iter().map(|id| IdLine::Removed(id.clone()));
        let came = added.iter().map(|id| IdLine::Added(id.clone()));
        fs::create_dir_all(&layout::log_folder(set))?;
        write_ids(set, self.generation, gone.chain(came))?;
        self.ids_file = Some(format!("log/{}", layout::id_list_name(self.generation)));
        Ok(())
    }
}

/// Writes a generation's list of ids. Each line has a checksum, its number and the number of lines.
///
/// # Errors
/// On an I/O error.
pub(crate) fn write_ids(
    set: &Path,
    generation: u64,
    lines: impl Iterator<Item = IdLine>,
) -> Result<(), AnchorsError> {
    let name = layout::id_list_name(generation);
    let rows: Vec<String> = lines.map(|l| serde_json::json!(l).to_string()).collect();
    let text = sealed_lines::sealed_rows(&name, &rows);
    Ok(fs::write_atomically(
        &layout::log_folder(set).join(name),
        text.as_bytes(),
    )?)
}

/// Reads a generation's list of ids. One of an older program has no checksums.
///
/// # Errors
/// When it cannot be read, a line is something else or is missing, or a checksum does not match.
pub(crate) fn read_ids(set: &Path, generation: u64) -> Result<Vec<IdLine>, AnchorsError> {
    let name = layout::id_list_name(generation);
    let path = layout::log_folder(set).join(&name);
    let damaged = |what: String| AnchorsError::Damaged {
        path: path.clone(),
        what,
    };
    let text = fs_err::read_to_string(&path)?;
    sealed_lines::rows_sound(&name, &text).map_err(damaged)?;
    let parse = |line: &str| {
        serde_json::from_str(&format!("{}}}", sealed_lines::unsealed(line)))
            .map_err(|error| damaged(format!("{line:?} is not an id of a change: {error}")))
    };
    text.lines().map(parse).collect()
}

/// The lines of a damaged list of ids, under any name in any folder, whose own checksums are right.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn sound_ids(generation: u64, path: &Path) -> Result<Vec<IdLine>, AnchorsError> {
    let name = layout::id_list_name(generation);
    let read = fs_err::read(path).map_err(|error| AnchorsError::of_file(path, error));
    // A file that is not there, or that the disk cannot read, has no sound lines.
    let bytes = if_whole(read)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let sound = text
        .lines()
        .filter(|line| sealed_lines::sealed_place(&name, line).is_some())
        .filter_map(|line| {
            serde_json::from_str(&format!("{}}}", sealed_lines::unsealed(line))).ok()
        });
    Ok(sound.collect())
}
