//! Determines the live generation from three witnesses: `CURRENT`, the log and the manifests.
//!
//! `CURRENT` alone is not trusted: a flipped bit or a copy from a backup would name another
//! generation that opens as well. Writers leave the witnesses in few possible states, because they write the
//! manifest first, then `CURRENT`, then the log, and delete an unpublished manifest before they use
//! its number:
//!
//! | manifests above `CURRENT`'s number | newest record of the log | meaning |
//! |---|---|---|
//! | none | `CURRENT`'s number, or any below | published; the log may lack records after a crash |
//! | the next one alone | not above `CURRENT`'s number | a writer was killed before it moved `CURRENT` |
//! | anything else | | `CURRENT` is damaged or was restored: every manifest counts as published |
//!
//! The last case is an error for callers that need the live generation. Readers that may fall back take the
//! newest of `LiveGeneration::published` that opens; writers refuse, so that nothing that was published
//! is deleted and no number is given twice; `asif repair` puts `CURRENT` right.

use std::path::Path;

use super::change_record;
use super::layout;
use super::log;
use super::manifest::{self, Manifest};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;

/// The combined result of the witnesses.
#[derive(Debug)]
pub(crate) struct LiveGeneration {
    /// The live generation, or why `CURRENT` is not trusted.
    pub current: Result<u64, AnchorsError>,
    /// Published generations with an existing manifest, newest first.
    pub published: Vec<u64>,
    /// The highest number of a published generation; 0 when none is known.
    pub newest: u64,
}

/// Hex digits of each of the two parts of the checksum in `CURRENT`.
const DIGITS: usize = 16;
/// How often a changing `CURRENT` is read again.
const TRIES: usize = 8;

/// The content of `CURRENT` that names a generation. `manifest` is the manifest's checksum, if it
/// can be read.
///
/// Behind the name stand the first 16 hex digits of the manifest's checksum (zeros where it cannot
/// be read) and the first 16 of the BLAKE3 hash of what stands before them.
pub fn line(name: &str, manifest: Option<&str>) -> String {
    // A manifest that cannot be read must not keep `CURRENT` from being written: the name still counts.
    let of_manifest = manifest.and_then(|m| m.get(..DIGITS));
    let zeros = "0".repeat(DIGITS);
    let said = format!("{name} {}", of_manifest.unwrap_or(&zeros));
    format!("{said}{}\n", check(&said))
}

fn check(said: &str) -> String {
    blake3::hash(said.as_bytes()).to_hex()[..DIGITS].to_owned()
}

/// Consults all witnesses. A reader takes no lock, so a writer may change `CURRENT` between two reads:
/// if they disagree, they are read again.
///
/// # Errors
/// [`AnchorsError::NotASet`] when the folder is not an anchor set; when a witness cannot be read, whose state
/// is then unknown.
pub(crate) fn look(set: &Path) -> Result<LiveGeneration, AnchorsError> {
    let read = || fs_err::read(set.join(layout::CURRENT)).ok();
    // Read before the witnesses, so that a change in between shows as a difference afterwards.
    let mut before = read();
    let mut witness = look_once(set)?;
    for _ in 0..TRIES {
        let now = read();
        // Trusted, or unchanged while the witnesses were read: the verdict is final either way.
        if witness.current.is_ok() || now == before {
            break;
        }
        before = now;
        witness = look_once(set)?;
    }
    Ok(witness)
}

/// The kept generations: those in `manifest::list` up to the live one. Later ones were
/// never published.
///
/// # Errors
/// When the folder is not an anchor set or cannot be read.
pub fn kept(set: &Path) -> Result<Vec<u64>, AnchorsError> {
    let live = look(set)?.current?;
    let mut kept = manifest::list(set)?;
    // A manifest above the live one is the leftover of a killed writer.
    kept.retain(|&n| n <= live);
    Ok(kept)
}

/// As [`kept`], for callers that only read: where `CURRENT` is not trusted, all published generations count,
/// and the error says why.
///
/// # Errors
/// As [`kept`], but not because of `CURRENT`.
pub fn kept_or_published(set: &Path) -> Result<(Vec<u64>, Option<AnchorsError>), AnchorsError> {
    let LiveGeneration {
        current, published, ..
    } = look(set)?;
    let kept = published.into_iter().rev().collect();
    match current {
        Ok(_) => Ok((kept, None)),
        Err(error) => Ok((kept, Some(error.into_damage()?))),
    }
}

fn look_once(set: &Path) -> Result<LiveGeneration, AnchorsError> {
    // `CURRENT` is read first: a writer that publishes meanwhile makes the others newer, and `look` reads again.
    let named = named(set)?;
    let last = log::last(set)?;
    let logged = last.map_or(0, |(generation, _)| generation);
    let manifests = manifest::list(set)?;
    let highest = manifests.last().copied().unwrap_or(0);
    let wrong = |what: String| {
        Err(AnchorsError::NeedsRepair {
            path: set.join(layout::CURRENT),
            set: set.to_owned(),
            what,
        })
    };
    let current = match named {
        Err(error) => Err(error),
        Ok(named) => {
            let n = named.generation;
            let above = manifests.iter().filter(|&&m| m > n).count();
            let name = layout::generation_name(n);
            if logged > n {
                // The log is written last, so it can never be ahead of a sound `CURRENT`.
                wrong(format!(
                    "it names {name}, but the log says that generation {logged} followed"
                ))
            } else if above > 1 || above == 1 && !is_leftover(set, n, highest)? {
                // Exactly one unpublished manifest can exist, because writers delete it before using its number.
                wrong(format!(
                    "it names {name}, but generations up to {highest} were published"
                ))
            } else if n > highest && n > logged + 1 {
                // Its manifest is gone, and the log lags by one record at most, so nothing vouches for the number.
                wrong(format!(
                    "it names {name}, which neither the log nor a manifest knows"
                ))
            } else if named.check.is_none() && last.is_some_and(|(_, sealed)| sealed) {
                // A record with a checksum is of a program that gives `CURRENT` one too, so this is an old copy.
                wrong(format!("it names {name} without the checksum that it had"))
            } else if named.is_of_another_manifest(set)? {
                wrong(format!(
                    "it names {name}, but not the manifest that has this name"
                ))
            } else {
                Ok(n)
            }
        }
    };
    // In doubt the highest number counts as given out, so that no writer uses it again.
    let newest = match &current {
        Ok(n) => *n,
        Err(_) => highest.max(logged),
    };
    let mut published = manifests;
    published.retain(|&n| n <= newest);
    published.reverse();
    Ok(LiveGeneration {
        current,
        published,
        newest,
    })
}

/// Whether the manifest `above` is the leftover of a killed writer that continued from `n`.
fn is_leftover(set: &Path, n: u64, above: u64) -> Result<bool, AnchorsError> {
    let read = |n| if_whole(Manifest::read(set, &layout::generation_name(n)));
    // Where one of the two is unreadable only the number can decide.
    let (Some(before), Some(after)) = (read(n)?, read(above)?) else {
        return Ok(above == n + 1);
    };
    let follows = |change: &change_record::ChangeRecord| change.pairs_before == before.counts.pairs;
    Ok(above == n + 1 && after.change.as_ref().is_none_or(follows))
}

/// The content of `CURRENT`.
struct CurrentPointer {
    generation: u64,
    /// The digits of the manifest's checksum; `None` in an anchor set of an older program.
    check: Option<String>,
}

impl CurrentPointer {
    /// Whether the manifest of that name is sound but not the referenced one.
    fn is_of_another_manifest(&self, set: &Path) -> Result<bool, AnchorsError> {
        let Some(check) = &self.check else {
            // Programs before the checksum wrote none; there is nothing to compare with.
            return Ok(false);
        };
        let manifest = if_whole(Manifest::read(
            set,
            &layout::generation_name(self.generation),
        ))?;
        // An unreadable manifest is another damage, reported by whoever opens the generation.
        Ok(manifest.is_some_and(|manifest| !manifest.checksum.starts_with(check.as_str())))
    }
}

/// The outer error means that there is no anchor set, the inner one that `CURRENT` cannot be trusted.
fn named(set: &Path) -> Result<Result<CurrentPointer, AnchorsError>, AnchorsError> {
    let not_a_set = |why| AnchorsError::NotASet {
        path: set.to_owned(),
        why,
    };
    match fs::found(set)? {
        None => return Err(not_a_set("there is no such folder")),
        Some(found) if !found.is_dir() => return Err(not_a_set("it is a file")),
        Some(_) => {}
    }
    let path = set.join(layout::CURRENT);
    let wrong = |what: &str| {
        Ok(Err(AnchorsError::NeedsRepair {
            path: path.clone(),
            set: set.to_owned(),
            what: what.to_owned(),
        }))
    };
    if !fs::has_file(&path)? {
        // A folder with generations was a set: its missing `CURRENT` is damage and can be repaired.
        if !fs::has_folder(&layout::generations_folder(set))? {
            return Err(not_a_set("it has no file CURRENT"));
        }
        return wrong("it has no file CURRENT");
    }
    let text = match fs_err::read(&path) {
        // Bytes that are not UTF-8 become an empty text, which fails the checks below as any damage does.
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) => return Ok(Err(AnchorsError::of_file(&path, error).into_damage()?)),
    };
    let mut words = text.split_ascii_whitespace();
    let (name, check_word) = (words.next().unwrap_or_default(), words.next());
    let Some(generation) = layout::generation_number(name).filter(|_| words.next().is_none())
    else {
        return wrong("it does not name a generation (g000001)");
    };
    let check_word = match check_word {
        // Must equal what older programs wrote, so that a truncated current format is not accepted.
        None if text == format!("{}\n", layout::generation_name(generation)) => None,
        None => return wrong("it is cut short or damaged"),
        // Compared as a whole, so that other white space or a lost line end counts as damage too.
        Some(word) if text != format!("{name} {word}\n") => {
            return wrong("it is cut short or damaged");
        }
        Some(word) => {
            let of_manifest = word.get(..DIGITS).unwrap_or_default();
            if word.get(DIGITS..) != Some(&check(&format!("{name} {of_manifest}"))) {
                return wrong("its checksum does not match");
            }
            Some(of_manifest.to_owned())
        }
    };
    Ok(Ok(CurrentPointer {
        generation,
        check: check_word,
    }))
}
