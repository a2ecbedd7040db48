//! One served anchor set: its live generation, and a cache of other requested generations.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::{Refusal, ServeError, repair_command};
use crate::inputs::encoders::SharedEncoders;
use crate::map::thumbs::{PictureFile, Thumbnail};
use crate::middleware::metrics::Metrics;
use crate::options::NamedAnchorSet;
use crate::sets::cache::{OnceCache, WeightedCache};
use crate::sets::generation::ServedGeneration;
use crate::workers::compute::ComputePool;
use asif::anchors::change::select;
use asif::anchors::live::{
    GenerationSwap, LiveError, LiveOptions, LiveSet, LiveStatus, RefreshOutcome, Watcher,
};
use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorSet, Snapshot};
use asif::filter::PairFilter;

/// The number of cached generations apart from the live one: each takes some megabytes, and a second to fit.
const OTHERS: usize = 8;
/// The size of the thumbnail cache in bytes.
const THUMBNAILS: usize = 48 << 20;

/// A served anchor set.
#[derive(Debug)]
pub(crate) struct ServedSet {
    name: String,
    live: Arc<LiveSet>,
    encoders: Arc<SharedEncoders>,
    served: ArcSwap<ServedGeneration>,
    others: OnceCache<GenerationKey, ServedGeneration>,
    metrics: Arc<Metrics>,
    changing: Arc<Mutex<()>>,
    /// Thumbnails of anchors by file; the weight is their size in bytes.
    pub thumbnails: WeightedCache<PictureFile, Thumbnail>,
    /// Stops its thread when dropped.
    _watcher: Watcher,
}

/// The excluded pairs: all that match a filter or an id.
#[derive(Debug, Clone)]
pub(crate) struct PairExclusion {
    /// Metadata filters, such as `source=shop`.
    pub filters: BTreeSet<String>,
    /// Ids of pairs.
    pub ids: BTreeSet<String>,
}

/// The cache key of a generation that is not the live one, of bounded size for any request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct GenerationKey {
    /// The number of the base generation. Its folder may have been replaced by another one with the same
    /// number, so the checksum of the manifest is part of the key.
    generation: u64,
    checksum: String,
    /// A hash of the excluded pairs.
    without: Option<[u8; 32]>,
}

impl ServedSet {
    /// Opens an anchor set and follows its `CURRENT`.
    ///
    /// # Errors
    /// When no generation of it can be served.
    pub fn open(
        named: &NamedAnchorSet,
        encoders: Arc<SharedEncoders>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let options = LiveOptions {
            canary: Some(encoders.canary()?),
            // Weights may differ, for what an encoder hands out is brought to those of a generation.
            any_weights: true,
            ..LiveOptions::default()
        };
        let live = Arc::new(LiveSet::open(&named.path, options)?);
        let name = named.name.clone();
        // Said at the start too: the watcher reports changes only.
        if let Some(degraded) = &live.status().degraded {
            log_degraded(&name, &degraded.reason, degraded.damaged, &named.path);
        }
        let (figures, path) = (Arc::clone(&metrics), named.path.clone());
        let watcher = Watcher::spawn(
            Arc::clone(&live),
            Watcher::INTERVAL,
            move |news| match news {
                Ok(RefreshOutcome::Swapped(swap)) => tell(&figures, &name, &swap),
                Ok(RefreshOutcome::Unchanged) => tracing::info!(set = name, "recovered"),
                Err(error) => {
                    figures.swap_failed(&name);
                    log_degraded(&name, &error.to_string(), error.is_damage(), &path);
                }
            },
        )?;
        Ok(Self {
            name: named.name.clone(),
            served: ArcSwap::from_pointee(ServedGeneration::live(live.load())),
            live,
            encoders,
            others: OnceCache::new(OTHERS),
            metrics,
            changing: Arc::default(),
            thumbnails: WeightedCache::new(THUMBNAILS),
            _watcher: watcher,
        })
    }

    /// Its name in requests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.live.path()
    }

    /// The encoders of its queries.
    pub fn encoders(&self) -> &Arc<SharedEncoders> {
        &self.encoders
    }

    /// The live generation, and whether the set is degraded.
    pub fn status(&self) -> LiveStatus {
        self.live.status()
    }

    /// Makes the generation that `CURRENT` names live, without waiting for the watcher.
    ///
    /// # Errors
    /// Why the live generation stays; the watcher finds and logs the same.
    pub fn refresh(&self) -> Result<(), LiveError> {
        let refreshed = self.live.refresh()?;
        if let RefreshOutcome::Swapped(swap) = refreshed {
            tell(&self.metrics, &self.name, &swap);
        }
        Ok(())
    }

    /// The lock for changes: one change at a time, until it is complete, so that no change undoes what another
    /// one builds on.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.changing).lock_owned().await
    }

    /// A message with the path of the anchor set replaced by its name; clients must not see paths.
    pub fn without_path(&self, message: &str) -> String {
        let path = self.path();
        let inner = path.parent().is_some_and(|above| above != Path::new(""));
        match (path.to_str(), inner && path.file_name().is_some()) {
            (Some(path), true) => message.replace(path, &self.name),
            _ => message.to_owned(),
        }
    }

    /// The live generation with its caches.
    pub fn served(&self) -> Arc<ServedGeneration> {
        let snapshot = self.live.load();
        let served = self.served.load_full();
        // The usual case takes no lock and makes nothing.
        if served.is(&snapshot) {
            return served;
        }
        let new = Arc::new(ServedGeneration::live(snapshot));
        // If another request was faster, use its value, so that all share one cache.
        let before = self.served.compare_and_swap(&served, Arc::clone(&new));
        match Arc::ptr_eq(&before, &served) {
            true => new,
            false => self.served(),
        }
    }

    /// A generation, the live one by default, without the excluded pairs.
    ///
    /// # Errors
    /// When the generation is not kept, or no pair or all pairs would be excluded.
    pub async fn other(
        &self,
        compute: &ComputePool,
        generation: Option<u64>,
        without: Option<PairExclusion>,
    ) -> Result<Arc<ServedGeneration>, Refusal> {
        let live = self.served();
        let is_live = |n: u64| n == live.set().manifest().generation;
        let base = match generation {
            // The live one has caches that a copy of it would have to fill again.
            Some(n) if !is_live(n) => self.base(compute, n).await?,
            _ => live,
        };
        let Some(without) = without else {
            return Ok(base);
        };
        // By hash, so that the key stays small whatever a request lists.
        let key = other(base.set(), Some(without.hash()));
        let space = base.set().manifest().space.clone();
        let make = || {
            compute.run_long(move || {
                let rows = without.rows(base.set())?;
                let rest = base.set().without(&rows)?;
                let fitted = Snapshot::fit(rest, &space, SearchMode::Auto)?;
                Ok(ServedGeneration::other(fitted, Some(base)))
            })
        };
        Ok(self.others.get(&key, 1, make).await?.0)
    }

    /// A kept generation that is not live, with the same checks as one that goes live.
    async fn base(
        &self,
        compute: &ComputePool,
        generation: u64,
    ) -> Result<Arc<ServedGeneration>, Refusal> {
        let path = self.path().to_owned();
        // Opened for each request: only its manifest tells whether the cached one is still of this folder.
        let set = compute
            .run_long(move || Ok(AnchorSet::open_generation(&path, generation)?))
            .await?;
        let (key, encoders) = (other(&set, None), Arc::clone(&self.encoders));
        let make = || {
            compute.run_long(move || {
                encoders.check(&set)?;
                set.verify()?;
                let space = set.manifest().space.clone();
                let fitted = Snapshot::fit(set, &space, SearchMode::Auto)?;
                Ok(ServedGeneration::other(fitted, None))
            })
        };
        Ok(self.others.get(&key, 1, make).await?.0)
    }
}

/// Logs for the operator why the newest generation does not answer, and the command that mends it; clients see
/// neither the path nor the command.
fn log_degraded(set: &str, reason: &str, damaged: bool, path: &Path) {
    match damaged {
        true => tracing::error!(set, reason, advice = repair_command(path), "degraded"),
        false => tracing::error!(set, reason, "degraded"),
    }
}

/// Counts and logs a swap; called once per swap.
fn tell(metrics: &Metrics, set: &str, swap: &GenerationSwap) {
    metrics.swapped(set);
    let (from, to, seconds) = (swap.from, swap.to, swap.seconds.total());
    tracing::info!(set, from, to, seconds, "swapped");
}

fn other(set: &AnchorSet, without: Option<[u8; 32]>) -> GenerationKey {
    let manifest = set.manifest();
    GenerationKey {
        generation: manifest.generation,
        checksum: manifest.checksum.clone(),
        without,
    }
}

impl PairExclusion {
    fn hash(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        // Lengths are hashed too, so that different lists cannot run together to the same bytes.
        for list in [&self.filters, &self.ids] {
            hash.update(&(list.len() as u64).to_le_bytes());
            for text in list {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        *hash.finalize().as_bytes()
    }

    /// The rows of the excluded pairs, sorted and distinct; at least one.
    fn rows(&self, set: &AnchorSet) -> Result<Vec<usize>, Refusal> {
        let mut all = BTreeSet::new();
        for filter in &self.filters {
            let filter = PairFilter::parse(filter).map_err(asif::anchors::AnchorsError::from)?;
            let rows = select::by_filter(set, &filter)?;
            if rows.is_empty() {
                return Err(select::no_match(set, &filter)?.into());
            }
            all.extend(rows);
        }
        let wanted: HashSet<String> = self.ids.iter().cloned().collect();
        // An unknown id is an error, since an answer "without" it would look like one that it changed nothing in.
        let (rows, missing) = select::by_ids(set, &wanted)?;
        if let Some(first) = missing.first() {
            let n = missing.len();
            return Err(Refusal::invalid(
                "no_such_pair",
                format!("{n} of the ids belong to no live pair, the first is {first:?}"),
            )
            .of_request());
        }
        all.extend(rows);
        match all.is_empty() {
            true => Err(Refusal::invalid(
                "empty",
                "`without` names no pair; give `where`, `ids` or both, or omit it",
            )),
            false => Ok(all.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exclusion_has_its_own_hash() {
        let without = |filters: &[&str], ids: &[&str]| {
            let set = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
            let (filters, ids) = (set(filters), set(ids));
            PairExclusion { filters, ids }.hash()
        };
        let all = [
            without(&["a", "b"], &[]),
            without(&["a"], &["b"]),
            without(&[], &["a", "b"]),
            without(&["ab"], &[]),
            without(&[], &[]),
        ];
        for (i, hash) in all.iter().enumerate() {
            assert!(!all[..i].contains(hash), "{i}");
        }
        assert_eq!(without(&["b", "a"], &[]), all[0]);
    }
}
