//! Is a set sound, and if not, what can be made good?

use std::path::Path;

use serde::Serialize;

use super::build::mean_text;
use super::embed::{Embedder, Watch};
use super::error::AnchorsError;
use super::manifest::{self, Manifest, SegmentEntry};
use super::plan::GraphPolicy;
use super::publish::{self, WriteLock};
use super::records::Records;
use super::segment::{self, Segment, SegmentWriter};
use super::set::AnchorSet;
use super::swap::give_up;
use super::writer::{self, KEEP, WriteOptions};
use super::{fs, history, recover};
use crate::encode::Modality;
use crate::space::vector::VectorSum;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The generation concerned, if it is one.
    pub generation: Option<u64>,
    /// What is wrong, naming the file.
    pub problem: String,
}

/// Looks at every kept generation and the log; `full` reads every byte and recomputes every sum.
///
/// # Errors
/// When the folder is no set at all. Damage is a finding.
pub fn verify(set: &Path, full: bool) -> Result<Vec<Finding>, AnchorsError> {
    let mut findings = Vec::new();
    let mut find = |generation, error: AnchorsError| {
        findings.push(Finding {
            generation,
            problem: error.to_string(),
        });
    };
    if let Err(error) = publish::current(set) {
        if !manifest::folder(set).is_dir() {
            return Err(error);
        }
        find(None, error);
    }
    for generation in manifest::kept(set).or_else(|_| manifest::list(set))? {
        let name = manifest::name(generation);
        let opened = Manifest::read(set, &name).and_then(|m| AnchorSet::from_manifest(set, m));
        let sound = opened.and_then(|opened| match full {
            true => opened.verify().and_then(|()| sums_agree(&opened)),
            false => Ok(()),
        });
        if let Err(error) = sound {
            find(Some(generation), error);
        }
    }
    if publish::current(set).is_ok()
        && let Err(error) = history::read(set)
    {
        find(None, error);
    }
    Ok(findings)
}

/// The stored sums are those of the vectors, tombstones taken off.
fn sums_agree(set: &AnchorSet) -> Result<(), AnchorsError> {
    for modality in [Modality::Image, Modality::Text] {
        let mut sum = VectorSum::new(set.dim(modality));
        for row in set.live().rows() {
            if let Some((segment, local)) = set.place(row) {
                sum.add(set.segments()[segment].vectors(modality).vector(local));
            }
        }
        if sum.sums() != set.sum(modality).sums() {
            return Err(AnchorsError::Damaged {
                path: set.path().to_owned(),
                what: format!("the stored sum of {modality} vectors is not their sum"),
            });
        }
    }
    Ok(())
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Repaired {
    /// What was made good.
    pub mended: Vec<String>,
    /// What could not be.
    pub left: Vec<Finding>,
    /// The generation that is live now.
    pub generation: u64,
}

/// Rebuilds what can be rebuilt from what is intact.
///
/// * a segment that a killed writer left whole under a hidden name gets its name again;
/// * graphs, codes and sums of a segment from its records and vectors;
/// * vectors from the images and captions that the records name, through `encoders`, which is
///   called only then;
/// * `CURRENT` from the newest generation that opens.
///
/// A rebuilt segment counts only if it has the name of the old one, which is a hash of all records
/// and vectors: it is the old one to the bit, or it is not taken. Records and manifests have no
/// second source; a generation that lost one is given up for the newest that opens, and is not kept
/// any more.
///
/// # Errors
/// When the folder is no set, somebody else writes, nothing opens in the end, or the disk refuses.
pub fn repair<Error: From<AnchorsError>>(
    set: &Path,
    dry_run: bool,
    encoders: impl Fn(&Manifest) -> Result<Embedder, Error>,
    watch: Watch<'_>,
) -> Result<Repaired, Error> {
    let mut done = Repaired::default();
    let numbers = match set.is_dir() {
        true => manifest::list(set)?,
        false => Vec::new(),
    };
    if numbers.is_empty() {
        publish::current(set)?;
    }
    let lock = (!dry_run).then(|| WriteLock::acquire(set)).transpose()?;
    if !dry_run {
        // A repair that was killed may have made `CURRENT`, and not its name durable.
        fs::sync_folder(set).map_err(AnchorsError::from)?;
        let given = recover::segments(set)?.into_iter();
        done.mended.extend(given.map(|id| {
            format!("segment {id}: a whole copy under a hidden name has its name again")
        }));
    }
    let live = publish::current(set).ok();
    let mut looked_at = std::collections::HashSet::new();
    for &generation in numbers.iter().rev() {
        let Ok(manifest) = Manifest::read(set, &manifest::name(generation)) else {
            continue;
        };
        for entry in &manifest.segments {
            if !looked_at.insert(entry.id.clone()) {
                continue;
            }
            let Err(damage) = Segment::open(set, entry, &manifest).and_then(|s| sound(&s, entry))
            else {
                continue;
            };
            let what = format!("segment {}: {damage}", entry.id);
            if dry_run {
                done.left.push(Finding {
                    generation: Some(generation),
                    problem: what,
                });
            } else if rebuild(set, entry, &manifest, &encoders, watch)? {
                done.mended.push(what);
            }
        }
    }
    let wanted = live.as_deref().and_then(manifest::number);
    let newest = numbers.iter().rev().copied();
    let good = newest
        .filter(|&n| wanted.is_none_or(|w| n <= w))
        .find(|&n| opens(set, n));
    if !dry_run {
        // What damaged segments were completed from is not needed any more.
        recover::segments(set)?;
    }
    drop(lock);
    if let Some(good) = good {
        done.generation = good;
        match wanted {
            Some(live) if live == good => {
                // A repair that went back may have been interrupted before it was done.
                if let Some(restored) = restored_by_repair(set, live).filter(|_| !dry_run) {
                    drop_given_up(set, restored, live)?;
                }
            }
            // Numbers only grow: going back is one more generation.
            Some(live) => {
                done.mended
                    .push(format!("generation {live} is given up for {good}"));
                if !dry_run {
                    let receipt = give_up(set, good, &WriteOptions::default())?;
                    done.generation = receipt.change.generation;
                    drop_given_up(set, good, live)?;
                }
            }
            None => {
                done.mended.push(format!(
                    "CURRENT names generation {good}, the newest that opens"
                ));
                if !dry_run {
                    let name = format!("{}\n", manifest::name(good));
                    fs::write_atomically(&set.join(publish::CURRENT), name.as_bytes())
                        .map_err(AnchorsError::from)?;
                }
            }
        }
    }
    if !dry_run {
        done.left = verify(set, true)?;
        AnchorSet::open(set)?;
    }
    Ok(done)
}

fn opens(set: &Path, generation: u64) -> bool {
    let read = Manifest::read(set, &manifest::name(generation));
    read.and_then(|m| AnchorSet::from_manifest(set, m)).is_ok()
}

/// The generation whose content this one repeats, if a repair made it.
fn restored_by_repair(set: &Path, generation: u64) -> Option<u64> {
    let manifest = Manifest::read(set, &manifest::name(generation)).ok()?;
    let by_repair = manifest.change.is_some_and(|c| c.command == "repair");
    manifest.restored.filter(|_| by_repair)
}

/// Takes the generations after the restored one up to the one that was live, as far as they do not
/// open, from those that are kept: a rollback could not come back to them, and while there is a
/// manifest that cannot be read no file is ever collected.
fn drop_given_up(set: &Path, good: u64, live: u64) -> Result<(), AnchorsError> {
    let _lock = WriteLock::acquire(set)?;
    for generation in manifest::list(set)? {
        if (good + 1..=live).contains(&generation) && !opens(set, generation) {
            let name = format!("{}.json", manifest::name(generation));
            fs::remove_file(&manifest::folder(set).join(name))?;
        }
    }
    fs::sync_folder(&manifest::folder(set))?;
    writer::collect(set, KEEP)
}

/// Reads a segment to the last byte and compares its content with its name.
fn sound(segment: &Segment, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    segment.verify()?;
    match segment.content_name()? {
        name if name == entry.id => Ok(()),
        name => Err(AnchorsError::Damaged {
            path: segment.path().to_owned(),
            what: format!("its records and vectors are those of {name}"),
        }),
    }
}

/// Writes a damaged segment again from its records; false when nothing gives the same content.
fn rebuild<Error: From<AnchorsError>>(
    set: &Path,
    entry: &SegmentEntry,
    manifest: &Manifest,
    encoders: &impl Fn(&Manifest) -> Result<Embedder, Error>,
    watch: Watch<'_>,
) -> Result<bool, Error> {
    // What killed writers left may have what the segment's own folder lacks.
    let mut sources = vec![segment::folder(set).join(&entry.id)];
    sources.extend(recover::hidden_folders(set)?);
    let records: Vec<Records> = sources
        .iter()
        .filter_map(|folder| Records::open(&folder.join(segment::PAIRS)).ok())
        .filter(|records| records.len() as u64 == entry.pairs && records.verify().is_ok())
        .collect();
    let dims = manifest.dims();
    for records in &records {
        for image in &sources {
            for text in &sources {
                if let Some(vectors) = stored([image, text], records.len(), dims)
                    && write_same(set, entry, manifest, records, &vectors)?
                {
                    return Ok(true);
                }
            }
        }
    }
    if records.is_empty() {
        return Ok(false);
    }
    let embedder = encoders(manifest)?;
    for records in &records {
        if let Some(vectors) = embedded(records, &embedder, watch)?
            && write_same(set, entry, manifest, records, &vectors)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Both sides' vectors, `[n, dim]` each.
type Sides = [Vec<f32>; 2];

fn stored(folders: [&Path; 2], pairs: usize, dims: [usize; 2]) -> Option<Sides> {
    let read = |folder: &Path, name: &str, dim: usize| {
        let set = asif_index::VectorSet::open(folder.join(name)).ok()?;
        (set.len() == pairs && set.dim() == dim).then(|| set.vectors().to_vec())
    };
    Some([
        read(folders[0], segment::IMAGE, dims[0])?,
        read(folders[1], segment::TEXT, dims[1])?,
    ])
}

fn embedded(
    records: &Records,
    embedder: &Embedder,
    watch: Watch<'_>,
) -> Result<Option<Sides>, AnchorsError> {
    let all: Vec<_> = (0..records.len())
        .map(|i| records.get(i))
        .collect::<Result<_, _>>()?;
    let paths: Vec<&Path> = all.iter().map(|r| Path::new(&r.image)).collect();
    let images: Result<Vec<_>, _> = embedder.images(&paths, watch)?.into_iter().collect();
    let captions: Vec<&str> = all
        .iter()
        .flat_map(|r| r.captions.iter().map(String::as_str))
        .collect();
    let mut texts = embedder.texts(&captions, watch)?.into_iter();
    let of_pairs: Result<Vec<Vec<f32>>, _> = all
        .iter()
        .map(|r| {
            let of_pair = texts.by_ref().take(r.captions.len()).collect();
            mean_text(of_pair, embedder.text())
        })
        .collect();
    let sides = images.ok().zip(of_pairs.ok());
    Ok(sides.map(|(images, texts)| [images.concat(), texts.concat()]))
}

fn write_same(
    set: &Path,
    entry: &SegmentEntry,
    manifest: &Manifest,
    records: &Records,
    vectors: &Sides,
) -> Result<bool, AnchorsError> {
    let [image, text] = manifest.dims();
    let mut new = SegmentWriter::create(set, image, text)?;
    let sides = vectors[0].chunks(image).zip(vectors[1].chunks(text));
    for (i, (image, text)) in sides.enumerate() {
        // Damaged vectors need not be finite; then they are not the old ones either.
        if new.push(&records.get(i)?, image, text).is_err() {
            return Ok(false);
        }
    }
    let same = new.id() == entry.id;
    if same {
        // What was there is made again: which graphs pay was decided when the segment was written.
        let old = segment::folder(set).join(&entry.id);
        let graphs = match segment::has_graphs(&old) {
            true => GraphPolicy::Always,
            false => GraphPolicy::Never,
        };
        segment::carry_over(&old, new.path())?;
        new.finish(graphs, manifest.space.k())?;
    }
    Ok(same)
}
