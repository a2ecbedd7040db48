//! Is a set sound, and if not, what can be made good?

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::build::mean_text;
use super::embed::{Embedder, Watch};
use super::error::{AnchorsError, if_whole};
use super::manifest::{self, Manifest, SegmentEntry};
use super::plan::GraphPolicy;
use super::publish::{self, LOCK, WriteLock};
use super::records::Records;
use super::segment::{self, Segment, SegmentWriter};
use super::set::AnchorSet;
use super::swap::give_up;
use super::writer::{self, KEEP, WriteOptions};
use super::{aside, content, fs, log, recover, sound, witness};
use crate::modality::Sides;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The generation concerned, if it is one.
    pub generation: Option<u64>,
    /// What is wrong, naming the file.
    pub problem: String,
    /// The same without what to do about it, for whoever has just done that.
    #[serde(skip)]
    pub fact: String,
}

/// Looks at all that `CURRENT`, manifests and log say must be there: every kept generation with its
/// files, its space, and the log. `full` reads every byte and recomputes every sum and count; without
/// it a set is read whole up to 1 GiB.
///
/// # Errors
/// When the folder is no set at all, or the system refuses to let a file be read: then nothing can be said.
/// Damage is a finding.
pub fn verify(set: &Path, full: bool) -> Result<Vec<Finding>, AnchorsError> {
    let witness = witness::look(set)?;
    let mut findings = Vec::new();
    let mut find = |generation, error: AnchorsError| {
        let error = error.into_damage()?;
        findings.push(Finding {
            generation,
            problem: error.to_string(),
            fact: error.without_advice(),
        });
        Ok::<_, AnchorsError>(())
    };
    if let Err(error) = witness.current {
        find(None, error)?;
    }
    let lock = set.join(LOCK);
    if is_no_file(&lock)? {
        let what = "it is no file, so that nobody can write to the set".to_owned();
        find(
            None,
            AnchorsError::NeedsRepair {
                path: lock,
                set: set.to_owned(),
                what,
            },
        )?;
    }
    // The newest must be there, whether its manifest is or not.
    let mut numbers: BTreeSet<u64> = witness.published.into_iter().collect();
    numbers.insert(witness.newest);
    for generation in numbers.into_iter().filter(|n| *n > 0) {
        if let Err(error) = sound::generation(set, generation, full) {
            find(Some(generation), error)?;
        }
    }
    for error in log::verify(set, witness.newest)? {
        find(None, error)?;
    }
    Ok(findings)
}

/// Something stands under this name, and it is no file.
fn is_no_file(path: &Path) -> Result<bool, AnchorsError> {
    Ok(fs::found_itself(path)?.is_some() && !fs::has_file(path)?)
}

/// What is wrong with the log of a set that opens, or with the manifest of an older generation: they were
/// damaged, or are older than the rest. Nothing that answers come from is concerned, but `verify`,
/// writers and whoever wants to go back are.
///
/// # Errors
/// When the folder is no set.
pub fn doubts(set: &Path) -> Result<Option<AnchorsError>, AnchorsError> {
    let look = || {
        let witness = witness::look(set)?;
        for &generation in witness.published.iter().rev() {
            if let Err(error) = Manifest::read(set, &manifest::name(generation)) {
                return Ok::<_, AnchorsError>(Some(error.into_damage()?));
            }
        }
        log::first_doubt(set, witness.newest)
    };
    // No lock is taken: a writer may have been met between two files.
    match look()? {
        None => Ok(None),
        Some(_) => look(),
    }
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
/// * the log from the manifests; a record that is in neither is replaced by one that says so;
/// * `CURRENT` from the newest generation that was published.
///
/// A rebuilt segment counts only if it has the name of the old one, which is a hash of all records
/// and vectors: it is the old one to the bit, or it is not taken. Records and manifests have no
/// second source; a generation that lost one, or whose space does not answer, is given up: a live one
/// for the newest that is sound. What is given up is not deleted: it is moved to `damaged/` in the set.
///
/// # Errors
/// When the folder is no set, somebody else writes, no generation is sound in the end, or the system
/// refuses something: a file that it does not let be read is not taken for damaged, so nothing is given
/// up for it.
pub fn repair<Error: From<AnchorsError>>(
    set: &Path,
    dry_run: bool,
    encoders: impl Fn(&Manifest) -> Result<Embedder, Error>,
    watch: Watch<'_>,
) -> Result<Repaired, Error> {
    let mut done = Repaired::default();
    let witness = witness::look(set)?;
    let newest = witness.newest;
    if newest == 0 {
        witness.current?;
        return Ok(done);
    }
    done.generation = newest;
    if dry_run {
        done.left = verify(set, true)?;
        return Ok(done);
    }
    let path = set.join(LOCK);
    if is_no_file(&path)? {
        aside::put(set, set, LOCK)?;
        done.mended.push(format!("{LOCK} is a file again"));
    }
    let lock = WriteLock::acquire(set)?;
    // A repair that was killed may have given names that are not durable.
    aside::sync(set)?;
    let given = recover::segments(set)?.into_iter();
    done.mended
        .extend(given.map(|id| {
            format!("segment {id}: a whole copy under a hidden name has its name again")
        }));
    let mut looked_at = HashSet::new();
    let mut damaged = HashSet::new();
    let mut unfinished = None;
    for &generation in &witness.published {
        let Some(manifest) = if_whole(Manifest::read(set, &manifest::name(generation)))? else {
            continue;
        };
        for entry in &manifest.segments {
            if !looked_at.insert(entry.id.clone()) {
                continue;
            }
            let opened = Segment::open(set, entry, &manifest);
            if let Err(damage) = opened.and_then(|s| content::is_own(&s, entry)) {
                let damage = damage.into_damage()?;
                let what = format!("segment {}: {}", entry.id, damage.without_advice());
                match rebuild(set, entry, &manifest, &encoders, watch) {
                    Ok(true) => done.mended.push(what),
                    Ok(false) => {
                        damaged.insert(entry.id.clone());
                        continue;
                    }
                    // It may be made good when that is mended (an encoder is missing, the disk is
                    // full): nothing is given up for it, and what needs no encoder goes on.
                    Err(error) => {
                        unfinished.get_or_insert(error);
                        continue;
                    }
                }
            }
            let segment = Segment::open(set, entry, &manifest)?;
            if let Err(damage) = content::skipped_sound(&segment, entry) {
                let damage = damage.into_damage()?.without_advice();
                content::mend_skipped(set, segment.path())?;
                done.mended
                    .push(format!("{damage}: what can be read of it is kept"));
            } else {
                // A repair that was killed may have written it, and not made that durable.
                fs::sync_folder(segment.path()).map_err(AnchorsError::from)?;
            }
        }
    }
    // What damaged segments were completed from is not needed any more.
    recover::segments(set)?;
    let flaw = |n: u64| flaw(set, n, &damaged);
    let mut good = None;
    let mut lost = BTreeSet::new();
    for &n in &witness.published {
        match (flaw(n)?, good) {
            (None, None) => good = Some(n),
            // One that is newer than the good one is given up when that is live.
            (Some(what), Some(_)) if unfinished.is_none() => {
                done.mended.push(format!(
                    "generation {n} is given up, its files are in damaged/: {what}"
                ));
                lost.insert(n);
            }
            _ => {}
        }
    }
    let is_lost = good != Some(newest) || !lost.is_empty() || log::lacks_manifest(set)?;
    if unfinished.is_none() && is_lost {
        // While the log says that a manifest is missing, nothing collects the segments it named.
        give_up_generations(set, &lost)?;
    }
    done.mended.extend(log::repair(set, newest)?);
    // What comes next is counted against it.
    done.mended.extend(log::note_lost(set, newest)?);
    if let Err(error) = witness.current {
        done.mended.push(format!(
            "{}; now it names generation {newest}",
            error.without_advice()
        ));
        let manifest = if_whole(Manifest::read(set, &manifest::name(newest)))?;
        let checksum = manifest.map(|manifest| manifest.checksum);
        let line = witness::line(&manifest::name(newest), checksum.as_deref());
        let path = set.join(publish::CURRENT);
        if fs::has_folder(&path).map_err(AnchorsError::from)? {
            aside::put(set, set, publish::CURRENT)?;
        }
        fs::write_atomically(&path, line.as_bytes()).map_err(AnchorsError::from)?;
    }
    drop(lock);
    // A repair collects no generation: the next change does.
    let keep = KEEP.max(witness.published.len() + 1);
    if let Some(good) = good.filter(|&good| good != newest && unfinished.is_none()) {
        // Numbers only grow: going back is one more generation.
        done.mended
            .push(format!("generation {newest} is given up for {good}"));
        let options = WriteOptions {
            keep,
            ..WriteOptions::default()
        };
        done.generation = give_up(set, good, &options)?.change.generation;
    }
    // A repair that went back may have been interrupted here.
    if let Some(good) = restored_by_repair(set, done.generation)?.filter(|_| unfinished.is_none()) {
        let mut given_up = BTreeSet::new();
        for n in good + 1..done.generation {
            if flaw(n)?.is_some() {
                given_up.insert(n);
            }
        }
        if !given_up.is_empty() {
            let _lock = WriteLock::acquire(set)?;
            give_up_generations(set, &given_up)?;
            writer::collect(set, keep)?;
        }
    }
    done.left = verify(set, true)?;
    if let Some(error) = unfinished {
        return Err(error);
    }
    if let Err(error) = AnchorSet::open(set) {
        let what = error.into_damage()?.without_advice();
        let set = set.to_owned();
        return Err(AnchorsError::BeyondRepair { set, what }.into());
    }
    Ok(done)
}

/// Why a generation is not sound, if it is not.
///
/// # Errors
/// When the system refuses to let it be read.
fn flaw(
    set: &Path,
    generation: u64,
    damaged: &HashSet<String>,
) -> Result<Option<String>, AnchorsError> {
    let look = || {
        let manifest = Manifest::read(set, &manifest::name(generation))?;
        if let Some(entry) = manifest.segments.iter().find(|s| damaged.contains(&s.id)) {
            return Err(AnchorsError::Damaged {
                path: segment::folder(set).join(&entry.id),
                what: "it cannot be made again".to_owned(),
            });
        }
        sound::generation(set, generation, false)
    };
    match look() {
        Ok(()) => Ok(None),
        Err(error) => Ok(Some(error.into_damage()?.without_advice())),
    }
}

/// The generation whose content this one repeats, if a repair made it.
fn restored_by_repair(set: &Path, generation: u64) -> Result<Option<u64>, AnchorsError> {
    let Some(manifest) = if_whole(Manifest::read(set, &manifest::name(generation)))? else {
        return Ok(None);
    };
    let by_repair = manifest.change.is_some_and(|c| c.command == "repair");
    Ok(manifest.restored.filter(|_| by_repair))
}

/// Takes generations that are not sound from those that are kept: a rollback could not come back to
/// them, and while there is a manifest that cannot be read no file is ever collected. Their files, and
/// the segments that no other manifest names, are moved, so that what is intact is not lost.
fn give_up_generations(set: &Path, given_up: &BTreeSet<u64>) -> Result<(), AnchorsError> {
    let generations = manifest::folder(set);
    let mut used = HashSet::new();
    let mut all_read = true;
    let there = manifest::list(set)?;
    for &n in &there {
        if given_up.contains(&n) {
            continue;
        }
        match if_whole(Manifest::read(set, &manifest::name(n)))? {
            Some(manifest) => {
                used.extend(manifest.segments.into_iter().map(|s| s.id));
                used.extend(manifest.tombstones.map(|t| t.file));
            }
            None => all_read = false,
        }
    }
    // Segments first: while a manifest that cannot be read is there, nobody collects them.
    let segments = segment::folder(set);
    for name in fs::names(&segments)? {
        if all_read && !used.contains(&name) && segment::is_name(&name) {
            aside::put(set, &segments, &name)?;
        }
    }
    for name in fs::names(&generations)? {
        let (stem, ending) = name.split_at(name.find('.').unwrap_or(name.len()));
        let number = manifest::number(stem);
        // One of a generation whose manifest is gone would be deleted by the next change.
        let lone = |n| all_read && !there.contains(&n);
        let of = number.is_some_and(|n| given_up.contains(&n) || lone(n));
        if of && !used.contains(&name) && [".json", manifest::TOMBSTONES].contains(&ending) {
            aside::put(set, &generations, &name)?;
        }
    }
    Ok(())
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
    let mut records = Vec::new();
    for folder in &sources {
        let opened = Records::open(&folder.join(segment::PAIRS));
        let sound = opened.and_then(|records| records.verify().map(|()| records));
        records.extend(if_whole(sound)?.filter(|r| r.len() as u64 == entry.pairs));
    }
    let dims = manifest.dims();
    for records in &records {
        for image in &sources {
            for text in &sources {
                if let Some(vectors) = stored(Sides { image, text }, records.len(), dims)?
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

/// The vectors of both sides, `[n, dim]` each.
fn stored(
    folders: Sides<&Path>,
    pairs: usize,
    dims: Sides<usize>,
) -> Result<Option<Sides<Vec<f32>>>, AnchorsError> {
    let read = |folder: &Path, name: &str, dim: usize| {
        let opened = asif_index::VectorSet::open(folder.join(name)).map_err(AnchorsError::from);
        let fits = if_whole(opened)?.filter(|set| set.len() == pairs && set.dim() == dim);
        Ok::<_, AnchorsError>(fits.map(|set| set.vectors().to_vec()))
    };
    let image = read(folders.image, segment::IMAGE, dims.image)?;
    let text = read(folders.text, segment::TEXT, dims.text)?;
    Ok(image.zip(text).map(|(image, text)| Sides { image, text }))
}

/// Vectors of pictures; none where one of them is no picture any more.
///
/// # Errors
/// When the encoder fails, or the system refuses to let a picture be read.
fn of_pictures(
    paths: &[&Path],
    embedder: &Embedder,
    watch: Watch<'_>,
) -> Result<Option<Vec<Vec<f32>>>, AnchorsError> {
    let vectors = embedder.images(paths, watch)?;
    let rejected = paths.iter().zip(&vectors).filter(|(_, v)| v.is_err());
    let mut is_whole = true;
    for (path, _) in rejected {
        is_whole = false;
        let read = fs_err::File::open(*path).and_then(|mut file| file.read(&mut [0]));
        if_whole(read.map_err(AnchorsError::from))?;
    }
    // What can be opened now may not have been before.
    let vectors = match is_whole {
        true => vectors,
        false => embedder.images(paths, watch)?,
    };
    Ok(vectors.into_iter().collect::<Result<_, _>>().ok())
}

fn embedded(
    records: &Records,
    embedder: &Embedder,
    watch: Watch<'_>,
) -> Result<Option<Sides<Vec<f32>>>, AnchorsError> {
    let all: Vec<_> = (0..records.len())
        .map(|i| records.get(i))
        .collect::<Result<_, _>>()?;
    let paths: Vec<&Path> = all.iter().map(|r| Path::new(&r.image)).collect();
    let images = of_pictures(&paths, embedder, watch)?;
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
    let sides = images.zip(of_pairs.ok());
    Ok(sides.map(|(images, texts)| Sides {
        image: images.concat(),
        text: texts.concat(),
    }))
}

fn write_same(
    set: &Path,
    entry: &SegmentEntry,
    manifest: &Manifest,
    records: &Records,
    vectors: &Sides<Vec<f32>>,
) -> Result<bool, AnchorsError> {
    let dims = manifest.dims();
    let mut new = SegmentWriter::create(set, dims)?;
    let images = vectors.image.chunks(dims.image);
    let sides = images.zip(vectors.text.chunks(dims.text));
    for (i, (image, text)) in sides.enumerate() {
        // Damaged vectors need not be finite; then they are not the old ones either.
        if if_whole(new.push(&records.get(i)?, image, text))?.is_none() {
            return Ok(false);
        }
    }
    let same = new.id() == entry.id;
    if same {
        // What was there is made again: which graphs pay was decided when the segment was written.
        let old = segment::folder(set).join(&entry.id);
        let had_graphs = segment::has_graphs(&old)? || content::has_graphs(entry);
        let graphs = match had_graphs {
            true => GraphPolicy::Always,
            false => GraphPolicy::Never,
        };
        let rows = content::readable_rows(&old.join(segment::SKIPPED))?;
        if rows.contains(&content::lost_row()) {
            aside::keep(set, &old, segment::SKIPPED)?;
        }
        new.finish(graphs, manifest.space.k())?;
    }
    Ok(same)
}
