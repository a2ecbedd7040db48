//! Finds the pairs of an older generation that are no longer live.
//!
//! A repair that goes back to an older generation must not make pairs live again that were removed after
//! it. Removals are reconstructed from three sources, for each later generation in turn:
//!
//! | source | what it shows |
//! |---|---|
//! | manifest and file of removed pairs of that generation | exactly which rows of a segment that both share are live |
//! | records of its segments, where they are others | which pairs are live, by all that is known of them |
//! | its record in the log, with its list of ids | which pairs a removal took, or whose content it took over |
//!
//! A pair that was removed and added again in a change that is given up stays removed: what was added is
//! lost, and the older generation has only the pair that was removed. After a purge the log names pairs by
//! hashes, which are compared too.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::purge::{alias, record_hash};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::change_record::{self, ChangeRecord, IdLine};
use crate::anchors::stored::manifest::{Manifest, SegmentEntry};
use crate::anchors::stored::records::PairRecords;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::{content, history, layout};
use crate::disk as fs;

/// Commands that replace the content of an anchor set and name no ids.
const REPLACING: [&str; 3] = ["build", "swap", super::log_repair::LOST];

/// The pairs removed between a generation and a later one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RemovedSince {
    /// Their rows in the older generation, ascending.
    pub rows: Vec<usize>,
    /// Their ids.
    pub ids: Vec<String>,
    /// Later generations whose removals are unknown.
    pub unknown: Vec<u64>,
}

impl RemovedSince {
    /// The suffix for the record of a repair, after the generation that it went back to.
    pub(crate) fn detail(&self) -> String {
        let mut said = String::new();
        if !self.ids.is_empty() {
            said = format!(" without {} pairs that were removed later", self.ids.len());
        }
        if !self.unknown.is_empty() {
            let unknown = numbers(&self.unknown);
            said += &format!("; the removals of generations {unknown} are unknown");
        }
        said
    }
}

/// Formats numbers for a message.
pub(crate) fn numbers(of: &[u64]) -> String {
    let words: Vec<String> = of.iter().map(u64::to_string).collect();
    words.join(", ")
}

#[derive(Debug, Clone, Default)]
struct RemovedRows {
    rows: BTreeSet<usize>,
    unknown: BTreeSet<u64>,
}

/// The pairs of `good` that are not live in the generation `newest` of its anchor set, which may be damaged.
///
/// # Errors
/// When the operating system denies reading a file, or a record of `good` is damaged.
pub(crate) fn since(good: &AnchorSet, newest: u64) -> Result<RemovedSince, AnchorsError> {
    let changes = changes(good.path())?;
    let mut rows_by_id: HashMap<String, usize> = HashMap::with_capacity(good.len());
    let mut ids = HashMap::with_capacity(good.len());
    for row in good.live().rows() {
        if let Some((segment, local)) = good.place(row) {
            let id = good.segments()[segment].pair_id(local)?;
            rows_by_id.insert(id.to_owned(), row);
            // Its alias after a purge.
            rows_by_id.insert(alias(id), row);
            ids.insert(row, id);
        }
    }
    let first = good.manifest().generation;
    // Each later generation is derived from the one before, so they are looked at in order.
    let mut at = BTreeMap::from([(first, RemovedRows::default())]);
    for n in first + 1..=newest {
        // Files say exactly what is live; a record only names ids, and only where it can be read.
        let gone = match by_files(good, n)? {
            Some(rows) => RemovedRows {
                rows,
                unknown: BTreeSet::new(),
            },
            None => by_record(good, n, changes.get(&n), &at, &rows_by_id)?,
        };
        at.insert(n, gone);
    }
    // Nothing is later than the newest: a set whose newest generation is older has lost nothing since.
    let gone = at
        .remove(&newest.max(first))
        .expect("the loop has made the rows of every generation from the first to the newest");
    let named = gone.rows.iter().filter_map(|row| ids.get(row));
    Ok(RemovedSince {
        ids: named.map(|id| (*id).to_owned()).collect(),
        rows: gone.rows.into_iter().collect(),
        unknown: gone.unknown.into_iter().collect(),
    })
}

/// The records that can be read, by generation. Of a generation without one, [`since`] says that what it
/// removed is not known.
fn changes(set: &Path) -> Result<BTreeMap<u64, ChangeRecord>, AnchorsError> {
    let readable = if_whole(history::readable(set))?;
    let changes = readable.into_iter().flatten();
    Ok(changes.map(|c| (c.generation, c)).collect())
}

/// The rows removed by a change, according to its record.
fn by_record(
    good: &AnchorSet,
    n: u64,
    change: Option<&ChangeRecord>,
    at: &BTreeMap<u64, RemovedRows>,
    rows_by_id: &HashMap<String, usize>,
) -> Result<RemovedRows, AnchorsError> {
    // What a change does not mention stays as it was before it.
    let before = at.get(&(n - 1));
    let mut gone = before
        .expect("generations are looked at in order, from the one that is gone back to")
        .clone();
    let Some(change) = change else {
        gone.unknown.insert(n);
        return Ok(gone);
    };
    // A repair keeps removed pairs removed, whatever generation it restores.
    if change.command == "repair" {
        return Ok(gone);
    }
    if let Some(source) = change.taken_from() {
        // Content that was taken over has the removals of its source, known or read from its files.
        if let Some(gone) = at.get(&source) {
            return Ok(gone.clone());
        }
        if let Some(rows) = by_files(good, source)? {
            let unknown = BTreeSet::new();
            return Ok(RemovedRows { rows, unknown });
        }
    } else if !REPLACING.contains(&change.command.as_str()) {
        let (lines, all) = id_lines(good.path(), change)?;
        for line in lines {
            if let IdLine::Removed(id) = line {
                // After a purge this is a hash; both forms are keys of the map.
                gone.rows.extend(rows_by_id.get(&id));
            }
        }
        if all {
            return Ok(gone);
        }
    }
    gone.unknown.insert(n);
    Ok(gone)
}

/// The readable ids of a change, and whether they are all that it removed.
fn id_lines(set: &Path, change: &ChangeRecord) -> Result<(Vec<IdLine>, bool), AnchorsError> {
    let named = change.removed_ids.iter().cloned().map(IdLine::Removed);
    let added = change.added_ids.iter().cloned().map(IdLine::Added);
    let mut lines: Vec<IdLine> = named.chain(added).collect();
    if change.ids_file.is_some() {
        // A damaged list gives none here, and its sound lines below.
        let listed = if_whole(change_record::read_ids(set, change.generation))?;
        lines.extend(listed.into_iter().flatten());
    }
    // A list that is cut short has fewer lines than the record counts.
    let is_removed = |line: &&IdLine| matches!(line, IdLine::Removed(_));
    let all = lines.iter().filter(is_removed).count() as u64 == change.removed;
    if !all {
        let name = layout::id_list_name(change.generation);
        let aside = set.join(layout::DAMAGED);
        // A repair that was killed may have moved the list aside already.
        let mut places = vec![layout::log_folder(set).join(&name)];
        if fs::has_folder(&aside)? {
            let there = fs::names(&aside)?.into_iter();
            places.extend(
                there
                    .filter(|there| layout::old_name(there) == name)
                    .map(|there| aside.join(there)),
            );
        }
        for place in places {
            lines.extend(change_record::sound_ids(change.generation, &place)?);
        }
    }
    Ok((lines, all))
}

/// The rows of `good` that are not live in a generation, from its manifest, its file of removed pairs and,
/// where it has other segments, their records; `None` where these cannot be read.
fn by_files(good: &AnchorSet, generation: u64) -> Result<Option<BTreeSet<usize>>, AnchorsError> {
    let set = good.path();
    let name = layout::generation_name(generation);
    let Some(manifest) = if_whole(Manifest::read(set, &name))? else {
        return Ok(None);
    };
    let Some(removed) = if_whole(AnchorSet::removed_of(set, &manifest))? else {
        return Ok(None);
    };
    let stored: Vec<usize> = manifest.segments.iter().map(|s| s.pairs as usize).collect();
    let live = removed.live(&stored);
    // A count that disagrees means that the two files are not of one generation.
    if live.len() as u64 != manifest.counts.pairs {
        return Ok(None);
    }
    let mut places = HashSet::new();
    let mut first = 0;
    for (entry, stored) in manifest.segments.iter().zip(&stored) {
        let local = (0..*stored).filter(|local| live.contains(first + local));
        places.extend(local.map(|local| (entry.id.as_str(), local)));
        first += stored;
    }
    // Segments with the same name have the same rows, so positions can be compared.
    let shared: HashSet<&str> = manifest.segments.iter().map(|s| s.id.as_str()).collect();
    let mut others = None;
    let mut gone = BTreeSet::new();
    for row in good.live().rows() {
        let Some((segment, local)) = good.place(row) else {
            continue;
        };
        let id = good.manifest().segments[segment].id.as_str();
        let is_live = if shared.contains(id) {
            places.contains(&(id, local))
        } else {
            // Read only when a segment is not shared, for it takes reading all records of the others.
            if others.is_none() {
                others = hashes_of_others(good, &manifest, &places)?;
            }
            let Some(others) = &others else {
                return Ok(None);
            };
            // Other segments were merged or rebuilt, so a pair is recognised by its whole record.
            others.contains(&record_hash(&good.segments()[segment].record(local)?))
        };
        if !is_live {
            gone.insert(row);
        }
    }
    Ok(Some(gone))
}

/// The hashes of the live records of those segments that `good` does not have; none where one cannot be read.
fn hashes_of_others(
    good: &AnchorSet,
    manifest: &Manifest,
    live: &HashSet<(&str, usize)>,
) -> Result<Option<HashSet<[u8; 32]>>, AnchorsError> {
    let own: HashSet<&str> = good
        .manifest()
        .segments
        .iter()
        .map(|s| s.id.as_str())
        .collect();
    let mut hashes = HashSet::new();
    let others = manifest
        .segments
        .iter()
        .filter(|s| !own.contains(s.id.as_str()));
    for entry in others {
        let Some(records) = if_whole(own_records(good.path(), entry))? else {
            return Ok(None);
        };
        for local in 0..records.len() {
            if live.contains(&(entry.id.as_str(), local)) {
                let Some(record) = if_whole(records.get(local))? else {
                    return Ok(None);
                };
                hashes.insert(record_hash(&record));
            }
        }
    }
    Ok(Some(hashes))
}

/// The records of a segment, whose other files may be damaged.
fn own_records(set: &Path, entry: &SegmentEntry) -> Result<PairRecords, AnchorsError> {
    let path = layout::segments_folder(set)
        .join(&entry.id)
        .join(layout::PAIRS);
    let records = PairRecords::open(&path)?;
    records.verify()?;
    let sum = entry.files.get(layout::PAIRS);
    // A sound file of another segment would give the wrong pairs.
    let other = match sum {
        Some(sum) => content::header(&path)? != *sum,
        None => false,
    };
    if other || records.len() as u64 != entry.pairs {
        let what = "it is not the file of records that the manifest names".to_owned();
        return Err(AnchorsError::Damaged { path, what });
    }
    Ok(records)
}

/// The ids, or hashes of ids, that the log calls removed in a generation and not added again since, as far
/// as it can be read: a guess, to be proved by other means.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn logged(set: &Path, generation: u64) -> Result<HashSet<String>, AnchorsError> {
    let changes = changes(set)?;
    let sources: HashSet<u64> = changes
        .values()
        .filter_map(ChangeRecord::taken_from)
        .collect();
    let mut kept: HashMap<u64, HashSet<String>> = HashMap::new();
    let mut removed = HashSet::new();
    // In ascending order, so that a source is known before what was taken from it.
    for (&n, change) in changes.range(..=generation) {
        match change.taken_from() {
            Some(source) => {
                // A source that the log does not tell of: nothing is known to be removed in it. The
                // caller compares a checksum, so that a wrong guess rebuilds nothing.
                let of_source = kept.get(&source).cloned().unwrap_or_default();
                match change.command.as_str() {
                    "repair" => removed.extend(of_source),
                    _ => removed = of_source,
                }
            }
            None if REPLACING.contains(&change.command.as_str()) => removed.clear(),
            None => {
                for line in id_lines(set, change)?.0 {
                    match line {
                        IdLine::Added(id) => removed.remove(&id),
                        IdLine::Removed(id) => removed.insert(id),
                    };
                }
            }
        }
        // Only sources are kept: a copy for each generation would grow with the whole history.
        if sources.contains(&n) {
            kept.insert(n, removed.clone());
        }
    }
    Ok(removed)
}
