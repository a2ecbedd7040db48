//! The checks that a generation must pass before it is used for queries.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::error::LiveError;
use super::options::LiveOptions;
use super::snapshot::Snapshot;
use super::stamp::{VerifiedFileStamp, stamp};
use super::warm::warm;
use crate::anchors::care::sound;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::{publish, witness};
use crate::anchors::{AnchorSet, AnchorsError};
use crate::encode::EncoderIdentity;
use crate::modality::Modality;

/// How often opening is retried while `CURRENT` keeps changing.
const TRIES: u32 = 8;

/// Seconds by phase of switching to a generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AdmissionSeconds {
    /// Reading the manifest and mapping the segments, or finding that they are mapped already.
    pub open: f64,
    /// Comparing the checksums of segments that this process has not verified yet.
    pub verify: f64,
    /// Reading each vector once, for its distance to the mean (centred spaces).
    pub center: f64,
    /// Touching the pages that searches read (warming).
    pub warm: f64,
    /// The caller's own checks.
    pub canary: f64,
}

impl AdmissionSeconds {
    /// The total.
    pub fn total(&self) -> f64 {
        self.open + self.verify + self.center + self.warm + self.canary
    }
}

/// The checks of one live anchor set, and their state.
#[derive(Debug)]
pub(super) struct AdmissionChecks {
    path: PathBuf,
    options: LiveOptions,
    /// A separate thread: centring on the shared pool would delay every query that is
    /// searched there.
    pool: rayon::ThreadPool,
    verified: HashMap<String, Vec<VerifiedFileStamp>>,
    /// The previous generation, kept so that its last query does not have to unmap it.
    previous: Option<Arc<Snapshot>>,
}

impl AdmissionChecks {
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

    /// The generation that `CURRENT` names, usable or not.
    pub(super) fn wanted(&self) -> Result<Manifest, LiveError> {
        self.follow_current(|name| Manifest::read(&self.path, name))
    }

    /// The live generation on disk, after all checks; `live` is the one it would replace.
    pub(super) fn admit(
        &mut self,
        live: Option<&Manifest>,
    ) -> Result<(Arc<Snapshot>, AdmissionSeconds), LiveError> {
        let mut phases = AdmissionSeconds::default();
        // First, so that a removed generation frees its memory before a new one takes some.
        self.forget_removed();
        let set = timed(&mut phases.open, || {
            self.follow_current(|name| {
                let set = AnchorSet::open(&self.path)?;
                let opened = layout::generation_name(set.manifest().generation);
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
            // Before the costly checks: vectors of another encoder cannot be compared with those of questions.
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
            // Damage may be answered with an older generation; anything else would hide a failing machine.
            Err(LiveError::Anchors(error)) => error.into_damage()?.into(),
            Err(error) => error,
        };
        let tried = publish::current(&self.path).ok();
        for generation in witness::look(&self.path)?.published {
            let name = layout::generation_name(generation);
            // It was refused just now.
            if tried.as_ref() == Some(&name) {
                continue;
            }
            let opened = Manifest::read(&self.path, &name)
                .and_then(|manifest| AnchorSet::from_manifest(&self.path, manifest))
                .map_err(LiveError::from);
            let mut phases = AdmissionSeconds::default();
            match opened.and_then(|set| self.prepare(set, &mut phases)) {
                Ok(snapshot) => return Ok((snapshot, Some(refused))),
                // This one is damaged too, so the next older one is tried.
                Err(LiveError::Anchors(error)) => drop(error.into_damage()?),
                Err(_) => {}
            }
        }
        Err(refused)
    }

    /// The checks after opening, and the preparation for searches.
    fn prepare(
        &mut self,
        set: AnchorSet,
        phases: &mut AdmissionSeconds,
    ) -> Result<Arc<Snapshot>, LiveError> {
        timed(&mut phases.verify, || self.verify(&set))?;
        let LiveOptions { space, search, .. } = &self.options;
        let space = space.as_ref().unwrap_or(&set.manifest().space).clone();
        let snapshot = timed(&mut phases.center, || {
            self.pool.install(|| Snapshot::fit(set, &space, *search))
        })?;
        // Before warming, which would fill memory with pages that nobody may use.
        sound::answers(&snapshot.searcher())?;
        let set = snapshot.set();
        timed(&mut phases.warm, || {
            warm(set, *search, self.options.warm_bytes)
        });
        // Last, for the caller's check may search and needs a warm set.
        timed(&mut phases.canary, || self.canary(set))?;
        Ok(Arc::new(snapshot))
    }

    /// Keeps the generation that was live until now as the previous one.
    pub(super) fn retire(&mut self, snapshot: Arc<Snapshot>) {
        self.previous = Some(snapshot);
    }

    /// Drops the previous generation once a writer has removed its files: only then can the
    /// disk space be freed.
    pub(super) fn forget_removed(&mut self) {
        let folder = layout::segments_folder(&self.path);
        let exists = |snapshot: &Arc<Snapshot>| {
            let segments = &snapshot.set().manifest().segments;
            segments.iter().all(|entry| folder.join(&entry.id).is_dir())
        };
        if !self.previous.as_ref().is_none_or(exists) {
            self.previous = None;
        }
    }

    /// Calls `work` with the name in `CURRENT`, and retries if a writer changed `CURRENT` meanwhile: the
    /// writer may have removed that generation.
    fn follow_current<T>(
        &self,
        mut attempt: impl FnMut(&str) -> Result<T, AnchorsError>,
    ) -> Result<T, LiveError> {
        for _ in 0..TRIES {
            let name = publish::current(&self.path)?;
            match attempt(&name) {
                Ok(done) => return Ok(done),
                // `CURRENT` still names it, so the error is of the set and not of the moment.
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
            // Empty where they are identical, weights included.
            let factors = live.factors_to(found);
            if !factors.is_some_and(|f| self.options.any_weights || f.is_empty()) {
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
        let folder = layout::segments_folder(&self.path);
        for (entry, segment) in set.manifest().segments.iter().zip(set.segments()) {
            // Before the checksums are compared: a file that changes meanwhile gets another stamp.
            let stamp = stamp(&folder.join(&entry.id))?;
            if self.verified.get(&entry.id) != Some(&stamp) {
                segment.verify()?;
                // Without checksums in the manifest only the content shows that these are the right files.
                if entry.files.is_empty() {
                    segment.is_own(entry)?;
                }
                self.verified.insert(entry.id.clone(), stamp);
            }
        }
        // Files that a writer removed do not reappear unchanged.
        self.verified.retain(|id, _| folder.join(id).is_dir());
        Ok(())
    }

    fn canary(&self, set: &AnchorSet) -> Result<(), LiveError> {
        let Some(canary) = &self.options.canary else {
            return Ok(());
        };
        // The caller's code must not end the thread that keeps the set up to date.
        let said = catch_unwind(AssertUnwindSafe(|| canary(set)))
            .unwrap_or_else(|_| Err("the check panicked".to_owned()));
        said.map_err(|reason| LiveError::Canary {
            path: self.path.clone(),
            generation: set.manifest().generation,
            reason,
        })
    }
}

fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += begun.elapsed().as_secs_f64();
    result
}
