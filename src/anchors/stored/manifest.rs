//! The manifest of a generation: its segments, encoders, space and counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::change_record::ChangeRecord;
use super::layout;
use super::plan::SearchPlan;
use super::unknown_fields::unknown_fields;
use crate::anchors::error::AnchorsError;
use crate::encode::EncoderEntry;
use crate::modality::PerModality;
use crate::space::Recipe;

/// The manifest format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// A generation of an anchor set, as JSON under `generations/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// BLAKE3 of the file, in hex, with this value's digits read as zeros; empty in a manifest
    /// that was not written yet. A file without it is damaged.
    pub checksum: String,
    /// 1 for the first generation of an anchor set, then one more each time.
    pub generation: u64,
    /// When it was made, RFC 3339 in UTC.
    pub created: String,
    /// The program version that made it.
    pub made_by: String,
    /// The segments, in anchor order.
    pub segments: Vec<SegmentEntry>,
    /// The encoder of the images.
    pub image_encoder: EncoderEntry,
    /// The encoder of the captions.
    pub text_encoder: EncoderEntry,
    /// The space, unless a query says otherwise.
    pub space: Recipe,
    /// The counts.
    pub counts: ManifestCounts,
    /// Pairs by the value of their `source`.
    pub sources: BTreeMap<String, u64>,
    /// Pairs by the value of their `licence` (or `license`).
    pub licences: BTreeMap<String, u64>,
    /// Which pairs of the segments are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstones: Option<TombstonesEntry>,
    /// The generation whose content this one's was made from: where a rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// The generation whose content this one repeats, after a rollback or swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
    /// The change that made this generation, as in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeRecord>,
}

/// The fields that a manifest of any format has.
#[derive(Deserialize)]
struct ManifestHeader {
    format: u32,
    checksum: String,
    #[serde(default = "unknown_program")]
    made_by: String,
}

fn unknown_program() -> String {
    "a newer asif".to_owned()
}

/// The file of removed pairs, which generations with the same content share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TombstonesEntry {
    /// The file's name under `generations/`.
    pub file: String,
    /// How many pairs are removed.
    pub removed: u64,
    /// The checksum in the header of that file, 16 hex digits; nothing in sets of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// One segment of a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// The folder's name under `segments/`.
    pub id: String,
    /// How many pairs it holds.
    pub pairs: u64,
    /// How its image vectors are searched; the scan of codes where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_search: Option<SearchPlan>,
    /// How its text vectors are searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_search: Option<SearchPlan>,
    /// The files that its folder must have, with the checksum in the header of each, 16 hex digits
    /// (it covers the checksums of all sections); empty in sets of older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// The counts of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ManifestCounts {
    /// Anchor pairs.
    pub pairs: u64,
    /// Captions over all pairs.
    pub captions: u64,
    /// Skipped rows of the sources, listed in the segment's `skipped.jsonl`.
    pub skipped: u64,
}

impl Manifest {
    /// Reads the manifest of the generation called `name` in `set`.
    ///
    /// # Errors
    /// When the file cannot be read, is not a manifest, or has a newer format.
    pub fn read(set: &Path, name: &str) -> Result<Self, AnchorsError> {
        Ok(Self::read_bytes(set, name)?.0)
    }

    /// The same with the names of fields that this program does not know, as `segments[0].colour`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_with_unknown(
        set: &Path,
        name: &str,
    ) -> Result<(Self, Vec<String>), AnchorsError> {
        let (manifest, bytes) = Self::read_bytes(set, name)?;
        let fields = || {
            let mut read: serde_json::Value = serde_json::from_slice(&bytes)?;
            // Older programs wrote a space of relative rows alone as its parameters.
            if let Some(old) = read
                .get_mut("space")
                .filter(|space| space.get("parts").is_none())
            {
                *old = serde_json::to_value(&manifest.space)?;
            }
            let known = serde_json::to_value(&manifest)?;
            Ok(unknown_fields(&read, &known))
        };
        let unknown = fields().map_err(|reason| AnchorsError::Manifest {
            path: layout::generations_folder(set).join(format!("{name}.json")),
            reason,
        })?;
        Ok((manifest, unknown))
    }

    fn read_bytes(set: &Path, name: &str) -> Result<(Self, Vec<u8>), AnchorsError> {
        let path = layout::generations_folder(set).join(format!("{name}.json"));
        let bytes = fs_err::read(&path).map_err(|e| AnchorsError::of_file(&path, e))?;
        let read: Result<Self, _> = serde_json::from_slice(&bytes);
        let head = serde_json::from_slice::<ManifestHeader>(&bytes);
        let sum = checksum(bytes.clone());
        // A flipped digit of the format is damage; another format may have other fields.
        if let Ok(head) = head
            && head.checksum == sum
        {
            if head.format != FORMAT {
                return Err(AnchorsError::Format {
                    path,
                    found: head.format,
                    made_by: head.made_by,
                    known: FORMAT,
                });
            }
            // The file is bit for bit what its writer wrote.
            if let Err(reason) = read {
                return Err(AnchorsError::UnknownContent {
                    path,
                    reason,
                    made_by: head.made_by,
                });
            }
        }
        let manifest = read.map_err(|reason| AnchorsError::Manifest {
            path: path.clone(),
            reason,
        })?;
        let what = match (manifest.checksum == sum, layout::generation_number(name)) {
            (false, _) => "its checksum does not match".to_owned(),
            (true, n) if n != Some(manifest.generation) => {
                format!("it says that it is generation {}", manifest.generation)
            }
            _ => return Ok((manifest, bytes)),
        };
        Err(AnchorsError::Damaged { path, what })
    }

    /// The manifest as its file has it, with its checksum.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let zeros = Self {
            checksum: "0".repeat(CHECKSUM_DIGITS),
            ..self.clone()
        };
        // Zeros have the length of the digits, so that writing them in moves no byte.
        let mut bytes = serde_json::to_vec_pretty(&zeros)?;
        bytes.push(b'\n');
        let sum = checksum(bytes.clone());
        if let Some(digits) = checksum_digits(&mut bytes) {
            digits.copy_from_slice(sum.as_bytes());
        }
        Ok(bytes)
    }

    /// The vector dimensions of both modalities.
    pub(crate) fn dims(&self) -> PerModality<usize> {
        PerModality {
            image: self.image_encoder.identity.dim,
            text: self.text_encoder.identity.dim,
        }
    }

    /// Where the file of removed pairs lies, if anything is removed.
    ///
    /// # Errors
    /// When the manifest names something other than such a file.
    pub(crate) fn tombstones_path(&self, set: &Path) -> Result<Option<PathBuf>, AnchorsError> {
        let Some(entry) = &self.tombstones else {
            return Ok(None);
        };
        let named = entry
            .file
            .strip_suffix(layout::TOMBSTONES)
            .and_then(layout::generation_number);
        match named {
            Some(_) => Ok(Some(layout::generations_folder(set).join(&entry.file))),
            None => Err(AnchorsError::Damaged {
                path: layout::generations_folder(set)
                    .join(format!("{}.json", layout::generation_name(self.generation))),
                what: format!(
                    "{:?} is not the name of a file of removed pairs",
                    entry.file
                ),
            }),
        }
    }
}

const CHECKSUM_DIGITS: usize = 64;

/// The digits of the checksum in a manifest's file.
fn checksum_digits(bytes: &mut [u8]) -> Option<&mut [u8]> {
    const KEY: &[u8] = b"\"checksum\": \"";
    // The first one: keys in user data stand further behind.
    let at = bytes.windows(KEY.len()).position(|w| w == KEY)? + KEY.len();
    bytes.get_mut(at..at + CHECKSUM_DIGITS)
}

/// The checksum that the bytes of a manifest carry.
pub(crate) fn checksum_in(bytes: &[u8]) -> Option<String> {
    let digits = checksum_digits(&mut bytes.to_vec())?.to_vec();
    String::from_utf8(digits).ok()
}

fn checksum(mut bytes: Vec<u8>) -> String {
    if let Some(digits) = checksum_digits(&mut bytes) {
        digits.fill(b'0');
    }
    blake3::hash(&bytes).to_hex().to_string()
}

/// The generations whose manifests lie in `set`, ascending.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn list(set: &Path) -> Result<Vec<u64>, AnchorsError> {
    let names = crate::disk::names(&layout::generations_folder(set))?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|n| layout::generation_number(n.strip_suffix(".json")?))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}
