//! What a generation must pass before a query sees it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hint::black_box;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::error::LiveError;
use super::handle::LiveOptions;
use super::snapshot::Snapshot;
use crate::anchors::manifest::{self, Manifest};
use crate::anchors::plan::SearchMode;
use crate::anchors::searcher::SpaceView;
use crate::anchors::segment;
use crate::anchors::{AnchorSet, AnchorsError, publish};
use crate::encode::{EncoderIdentity, Modality};

/// How often a moving `CURRENT` is followed before giving up.
const TRIES: u32 = 8;

/// The distance of the bytes that are touched: no page is smaller.
const PAGE: usize = 4096;

/// Seconds by phase of taking over a generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Phases {
    /// Reading the manifest and mapping the segments, or finding that they are mapped already.
    pub open: f64,
    /// Comparing the checksums of segments that this process has not verified yet.
    pub verify: f64,
    /// Reading each vector once, for its distance to the mean (centred spaces).
    pub center: f64,
    /// Touching the pages that searches read.
    pub warm: f64,
    /// The caller's own checks.
    pub canary: f64,
}

impl Phases {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.open + self.verify + self.center + self.warm + self.canary
    }
}

/// The checks of one live set, and what they remember.
#[derive(Debug)]
pub(super) struct Admission {
    path: PathBuf,
    options: LiveOptions,
    /// Its own thread: centring on the shared pool would stand in the way of every query that is
    /// searched there.
    pool: rayon::ThreadPool,
    verified: HashMap<String, Vec<FileStamp>>,
    /// What was live before: going back to it needs no work, and its last query does not have to
    /// unmap it.
    previous: Option<Arc<Snapshot>>,
}

impl Admission {
    pub(super) fn new(path: PathBuf, options: LiveOptions) -> Result<Self, LiveError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "asif-refresh".to_owned())
            .build()
            .map_err(|e| LiveError::Thread {
                what: "preparing generations",
                source: std::io::Error::other(e),
            })?;
        Ok(Self {
            path,
            options,
            pool,
            verified: HashMap::new(),
            previous: None,
        })
    }

    /// What `CURRENT` names, whether or not it can be used.
    pub(super) fn wanted(&self) -> Result<Manifest, LiveError> {
        self.follow_current(|name| Manifest::read(&self.path, name))
    }

    /// The live generation on disk, after all checks; `live` is what it would replace.
    pub(super) fn admit(
        &mut self,
        live: Option<&Manifest>,
    ) -> Result<(Arc<Snapshot>, Phases), LiveError> {
        let mut phases = Phases::default();
        self.forget_removed();
        if let Some(previous) = timed(&mut phases.open, || self.previous_is_wanted())? {
            timed(&mut phases.canary, || self.canary(previous.set()))?;
            return Ok((previous, phases));
        }
        let set = timed(&mut phases.open, || {
            self.follow_current(|name| {
                let set = AnchorSet::open(&self.path)?;
                let opened = manifest::name(set.manifest().generation);
                if opened == name {
                    return Ok(set);
                }
                let what = format!("CURRENT names {name}, but {opened} was opened");
                Err(AnchorsError::Damaged {
                    path: self.path.clone(),
                    what,
                })
            })
        })?;
        if let Some(live) = live {
            self.check_encoders(live, set.manifest())?;
        }
        let snapshot = self.prepare(set, &mut phases)?;
        Ok((snapshot, phases))
    }

    /// The live generation, or, when that fails a check, the newest kept one that passes all of
    /// them, with the reason.
    pub(super) fn admit_last_good(
        &mut self,
    ) -> Result<(Arc<Snapshot>, Option<LiveError>), LiveError> {
        let refused = match self.admit(None) {
            Ok((snapshot, _)) => return Ok((snapshot, None)),
            Err(error) => error,
        };
        let tried = publish::current(&self.path).ok();
        let kept = manifest::kept(&self.path).or_else(|_| manifest::list(&self.path));
        for generation in kept.unwrap_or_default().into_iter().rev() {
            let name = manifest::name(generation);
            if tried.as_ref() == Some(&name) {
                continue;
            }
            let opened = Manifest::read(&self.path, &name)
                .and_then(|manifest| AnchorSet::from_manifest(&self.path, manifest))
                .map_err(LiveError::from);
            let mut phases = Phases::default();
            if let Ok(snapshot) = opened.and_then(|set| self.prepare(set, &mut phases)) {
                return Ok((snapshot, Some(refused)));
            }
        }
        Err(refused)
    }

    /// The checks that follow the opening, and what searching needs.
    fn prepare(&mut self, set: AnchorSet, phases: &mut Phases) -> Result<Arc<Snapshot>, LiveError> {
        timed(&mut phases.verify, || self.verify(&set))?;
        let LiveOptions { space, search, .. } = &self.options;
        let (space, search) = (space.as_ref().unwrap_or(&set.manifest().space), *search);
        let view = timed(&mut phases.center, || {
            self.pool.install(|| SpaceView::new(&set, space, search))
        })?;
        timed(&mut phases.warm, || {
            warm(&set, search, self.options.warm_bytes)
        });
        timed(&mut phases.canary, || self.canary(&set))?;
        Ok(Arc::new(Snapshot::new(set, view)))
    }

    /// Keeps what was live until now, instead of what was before.
    pub(super) fn retire(&mut self, snapshot: Arc<Snapshot>) {
        self.previous = Some(snapshot);
    }

    /// Lets go of the previous generation once a writer has removed its files: only then does the
    /// disk get its space back.
    pub(super) fn forget_removed(&mut self) {
        let folder = segment::folder(&self.path);
        let exists = |snapshot: &Arc<Snapshot>| {
            let segments = &snapshot.set().manifest().segments;
            segments.iter().all(|entry| folder.join(&entry.id).is_dir())
        };
        if !self.previous.as_ref().is_none_or(exists) {
            self.previous = None;
        }
    }

    /// The previous generation, if `CURRENT` names it again and its files are what they were.
    fn previous_is_wanted(&self) -> Result<Option<Arc<Snapshot>>, LiveError> {
        let Some(previous) = &self.previous else {
            return Ok(None);
        };
        let manifest = previous.set().manifest();
        if self.wanted()? != *manifest {
            return Ok(None);
        }
        let folder = segment::folder(&self.path);
        for entry in &manifest.segments {
            if self.verified.get(&entry.id) != Some(&stamp(&folder.join(&entry.id))?) {
                return Ok(None);
            }
        }
        Ok(Some(Arc::clone(previous)))
    }

    /// Does something with the name in `CURRENT`, again if a writer moved `CURRENT` meanwhile: the
    /// writer may have cleared away what the name stood for.
    fn follow_current<T>(
        &self,
        mut attempt: impl FnMut(&str) -> Result<T, AnchorsError>,
    ) -> Result<T, LiveError> {
        for _ in 0..TRIES {
            let name = publish::current(&self.path)?;
            match attempt(&name) {
                Ok(done) => return Ok(done),
                Err(error) if publish::current(&self.path)? == name => return Err(error.into()),
                Err(_) => {}
            }
        }
        Err(LiveError::Restless {
            path: self.path.clone(),
            tries: TRIES,
        })
    }

    fn check_encoders(&self, live: &Manifest, new: &Manifest) -> Result<(), LiveError> {
        for (modality, live, found) in [
            (Modality::Image, &live.image_encoder, &new.image_encoder),
            (Modality::Text, &live.text_encoder, &new.text_encoder),
        ] {
            let (live, found) = (&live.identity, &found.identity);
            if live.fingerprint != found.fingerprint || live.dim != found.dim {
                let name = |e: &EncoderIdentity| {
                    let short: String = e.fingerprint.chars().take(12).collect();
                    format!("{} (fingerprint {short}, {} numbers)", e.name, e.dim)
                };
                return Err(LiveError::OtherEncoder {
                    path: self.path.clone(),
                    generation: new.generation,
                    modality,
                    found: name(found),
                    live: name(live),
                });
            }
        }
        Ok(())
    }

    fn verify(&mut self, set: &AnchorSet) -> Result<(), AnchorsError> {
        let folder = segment::folder(&self.path);
        for (entry, segment) in set.manifest().segments.iter().zip(set.segments()) {
            let stamp = stamp(&folder.join(&entry.id))?;
            if self.verified.get(&entry.id) != Some(&stamp) {
                segment.verify()?;
                self.verified.insert(entry.id.clone(), stamp);
            }
        }
        // What a writer has cleared away does not come back unchanged.
        self.verified.retain(|id, _| folder.join(id).is_dir());
        Ok(())
    }

    fn canary(&self, set: &AnchorSet) -> Result<(), LiveError> {
        let Some(canary) = &self.options.canary else {
            return Ok(());
        };
        let said = catch_unwind(AssertUnwindSafe(|| canary(set)))
            .unwrap_or_else(|_| Err("the check panicked".to_owned()));
        said.map_err(|reason| LiveError::Canary {
            path: self.path.clone(),
            generation: set.manifest().generation,
            reason,
        })
    }
}

/// What a file had when it was verified; a file that was replaced or edited has another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FileStamp {
    name: OsString,
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

fn stamp(folder: &Path) -> Result<Vec<FileStamp>, AnchorsError> {
    let mut stamps = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let metadata = fs_err::metadata(entry.path())?;
        stamps.push(FileStamp {
            name: entry.file_name(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        });
    }
    stamps.sort();
    Ok(stamps)
}

/// Touches every page of codes, then of graphs, then of vectors, until `limit` bytes are mapped;
/// returns how many. Codes first: whatever the search, it begins with them. Graphs, where they
/// may be searched, before vectors: a walk reads them at random, and of the vectors few.
fn warm(set: &AnchorSet, search: SearchMode, limit: u64) -> u64 {
    let sides = || {
        let sides = [Modality::Image, Modality::Text];
        let segments = set.segments().iter();
        segments.flat_map(move |s| sides.map(|modality| (s, modality)))
    };
    let mut left = limit;
    for (segment, modality) in sides() {
        let v = segment.vectors(modality);
        left -= touch(v.codes(), left);
        left -= touch(v.scales(), left);
    }
    if matches!(search, SearchMode::Auto | SearchMode::Hnsw) {
        for graph in sides().filter_map(|(segment, modality)| segment.graph(modality)) {
            left -= touch(graph.bytes(), left);
        }
    }
    for (segment, modality) in sides() {
        left -= touch(segment.vectors(modality).vectors(), left);
    }
    limit - left
}

/// Reads an item in each page of at most `limit` bytes; returns the bytes of the pages.
fn touch<T: Copy>(items: &[T], limit: u64) -> u64 {
    let size = size_of::<T>();
    let bytes = (size_of_val(items) as u64).min(limit);
    let items = &items[..bytes as usize / size];
    for item in items.iter().step_by(PAGE / size) {
        black_box(*item);
    }
    bytes
}

fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += begun.elapsed().as_secs_f64();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::manifest::EncoderEntry;
    use crate::anchors::plan::GraphPolicy;
    use crate::anchors::records::Record;
    use crate::anchors::vectors::{Making, PairVectors, create};
    use crate::space::SpaceParams;

    #[test]
    fn no_more_is_touched_than_allowed() {
        let numbers = vec![1.0f32; 5000];
        assert_eq!(touch(&numbers, u64::MAX), 20_000);
        assert_eq!(touch(&numbers, 4097), 4097);
        assert_eq!(touch(&numbers, 0), 0);
        assert_eq!(touch::<u8>(&[], 10), 0);
    }

    #[test]
    fn graphs_are_touched_where_they_may_be_searched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.asif");
        let encoder = |modality| {
            let nothing = serde_json::json!({});
            EncoderEntry {
                identity: EncoderIdentity::new(
                    "invented".into(),
                    modality,
                    2,
                    "00".into(),
                    None,
                    nothing,
                ),
                canary: vec![1.0, 0.0],
            }
        };
        let making = Making {
            image_encoder: encoder(Modality::Image),
            text_encoder: encoder(Modality::Text),
            space: SpaceParams::default().into(),
            graphs: GraphPolicy::Always,
        };
        let pair = |n: u32| PairVectors {
            record: Record {
                id: n.to_string(),
                image: String::new(),
                captions: Vec::new(),
                meta: "{}".to_owned(),
            },
            image: vec![f32::sin(n as f32), f32::cos(n as f32)],
            text: vec![f32::cos(n as f32), f32::sin(n as f32)],
        };
        create(&path, &making, (0..50).map(pair)).unwrap();
        let set = AnchorSet::open(&path).unwrap();
        let graphs: u64 = [Modality::Image, Modality::Text]
            .map(|modality| set.segments()[0].graph(modality).unwrap().file_bytes())
            .iter()
            .sum();
        let all = |mode| warm(&set, mode, u64::MAX);
        assert_eq!(all(SearchMode::Auto), all(SearchMode::Exact) + graphs);
        assert_eq!(all(SearchMode::Hnsw), all(SearchMode::Auto));
        assert_eq!(warm(&set, SearchMode::Auto, graphs), graphs);
    }

    #[test]
    fn a_file_that_was_replaced_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, b"one").unwrap();
        let before = stamp(folder.path()).unwrap();
        assert_eq!(stamp(folder.path()).unwrap(), before);
        // Both exist at once, so that they cannot have the same inode.
        fs_err::write(folder.path().join("b"), b"two").unwrap();
        fs_err::rename(folder.path().join("b"), &path).unwrap();
        assert_ne!(stamp(folder.path()).unwrap(), before);
    }
}
