//! One served set: its live generation, and other grounds that were asked for.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::compute::Compute;
use super::encoders::Encoders;
use super::error::{Refusal, ServeError};
use super::ground::Ground;
use super::kept::{Kept, MadeOnce};
use super::metrics::Metrics;
use super::options::NamedSet;
use super::thumbs::{Source, Thumbnail};
use asif::anchors::AnchorSet;
use asif::anchors::change::select::{self, Filter};
use asif::anchors::live::{LiveError, LiveOptions, LiveSet, Refreshed, Status, Swap, Watcher};
use asif::anchors::search::searcher::SetSpace;
use asif::anchors::stored::plan::SearchMode;

/// Grounds besides the live one that are kept: each is some megabytes, and a second to make.
const OTHERS: usize = 8;
/// Bytes of pictures that are kept ready.
const THUMBNAILS: usize = 48 << 20;

/// A set that is served.
#[derive(Debug)]
pub(super) struct Served {
    name: String,
    live: Arc<LiveSet>,
    encoders: Arc<Encoders>,
    ground: ArcSwap<Ground>,
    others: MadeOnce<Other, Ground>,
    metrics: Arc<Metrics>,
    changing: Arc<Mutex<()>>,
    /// Small pictures of anchors by file, weighed in bytes.
    pub thumbnails: Kept<Source, Thumbnail>,
    /// Ends before the rest goes.
    _watcher: Watcher,
}

/// Which pairs are excluded: all that one of these names.
#[derive(Debug, Clone)]
pub(super) struct Without {
    /// Values of pairs, as `source=shop`.
    pub filters: BTreeSet<String>,
    /// Ids of pairs.
    pub ids: BTreeSet<String>,
}

/// Names a ground that is not the live one, in few bytes whatever the request named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Other {
    /// The generation that it is made of; what is live may have the number of another folder, so
    /// the manifest's checksum is part of it.
    generation: u64,
    checksum: String,
    /// A hash of what is excluded.
    without: Option<[u8; 32]>,
}

impl Served {
    /// Opens a set and follows its `CURRENT`.
    ///
    /// # Errors
    /// Why no generation of it can be served.
    pub fn open(
        named: &NamedSet,
        encoders: Arc<Encoders>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let options = LiveOptions {
            canary: Some(encoders.canary()?),
            any_weights: true,
            ..LiveOptions::default()
        };
        let live = Arc::new(LiveSet::open(&named.path, options)?);
        let name = named.name.clone();
        if let Some(degraded) = &live.status().degraded {
            tracing::error!(set = name, reason = degraded.reason, "degraded");
        }
        let figures = Arc::clone(&metrics);
        let watcher = Watcher::spawn(
            Arc::clone(&live),
            Watcher::INTERVAL,
            move |news| match news {
                Ok(Refreshed::Swapped(swap)) => tell(&figures, &name, &swap),
                Ok(Refreshed::Unchanged) => tracing::info!(set = name, "recovered"),
                Err(error) => {
                    figures.swap_failed(&name);
                    tracing::error!(set = name, reason = %error, "degraded");
                }
            },
        )?;
        Ok(Self {
            name: named.name.clone(),
            ground: ArcSwap::from_pointee(Ground::live(live.load())),
            live,
            encoders,
            others: MadeOnce::new(OTHERS),
            metrics,
            changing: Arc::default(),
            thumbnails: Kept::new(THUMBNAILS),
            _watcher: watcher,
        })
    }

    /// The name that requests call it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.live.path()
    }

    /// What encodes its queries.
    pub fn encoders(&self) -> &Arc<Encoders> {
        &self.encoders
    }

    /// What is live, and whether it is what should be.
    pub fn status(&self) -> Status {
        self.live.status()
    }

    /// Moves to what `CURRENT` names without waiting for the watcher's next look.
    ///
    /// # Errors
    /// Why it stays with what is live; the watcher finds the same, and tells it.
    pub fn refresh(&self) -> Result<(), LiveError> {
        let refreshed = self.live.refresh()?;
        if let Refreshed::Swapped(swap) = refreshed {
            tell(&self.metrics, &self.name, &swap);
        }
        Ok(())
    }

    /// The turn to change it: one change at a time, to its very end, so that none undoes what another
    /// builds on.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.changing).lock_owned().await
    }

    /// A message with the set's name in the place of where it lies, which is nobody's to know who
    /// asks.
    pub fn without_path(&self, message: &str) -> String {
        let path = self.path();
        let inner = path.parent().is_some_and(|above| above != Path::new(""));
        match (path.to_str(), inner && path.file_name().is_some()) {
            (Some(path), true) => {
                // The served name is no folder, so a command with it would find nothing.
                let by_name = format!(
                    "`asif repair` on the folder that is served as `{}`",
                    self.name
                );
                let told = message.replace(&format!("`asif repair {path}`"), &by_name);
                told.replace(path, &self.name)
            }
            _ => message.to_owned(),
        }
    }

    /// The live generation, with what was made of it.
    pub fn ground(&self) -> Arc<Ground> {
        let snapshot = self.live.load();
        let ground = self.ground.load_full();
        if ground.is(&snapshot) {
            return ground;
        }
        let new = Arc::new(Ground::live(snapshot));
        // Another request may have been faster; then its ground is the one that fills.
        let before = self.ground.compare_and_swap(&ground, Arc::clone(&new));
        match Arc::ptr_eq(&before, &ground) {
            true => new,
            false => self.ground(),
        }
    }

    /// The ground of a generation, the live one if none is named, without some pairs.
    ///
    /// # Errors
    /// When the generation is not kept, or no pair or all pairs are to be excluded.
    pub async fn other(
        &self,
        compute: &Compute,
        generation: Option<u64>,
        without: Option<Without>,
    ) -> Result<Arc<Ground>, Refusal> {
        let live = self.ground();
        let is_live = |n: u64| n == live.set().manifest().generation;
        let base = match generation {
            Some(n) if !is_live(n) => self.base(compute, n).await?,
            _ => live,
        };
        let Some(without) = without else {
            return Ok(base);
        };
        let key = other(base.set(), Some(without.hash()));
        let (space, path) = (base.set().manifest().space.clone(), self.path().to_owned());
        let make = || {
            compute.run_long(move || {
                let rows = without.rows(base.set(), &path)?;
                let rest = base.set().without(&rows)?;
                let fitted = SetSpace::fit(&rest, &space, SearchMode::Auto)?;
                Ok(Ground::other(rest, fitted, Some(base)))
            })
        };
        Ok(self.others.get(&key, 1, make).await?.0)
    }

    /// A kept generation that is not live, checked as one that goes live is.
    async fn base(&self, compute: &Compute, generation: u64) -> Result<Arc<Ground>, Refusal> {
        let path = self.path().to_owned();
        let set = compute
            .run_long(move || Ok(AnchorSet::open_generation(&path, generation)?))
            .await?;
        let (key, encoders) = (other(&set, None), Arc::clone(&self.encoders));
        let make = || {
            compute.run_long(move || {
                encoders.check(&set)?;
                set.verify()?;
                let fitted = SetSpace::fit(&set, &set.manifest().space, SearchMode::Auto)?;
                Ok(Ground::other(set, fitted, None))
            })
        };
        Ok(self.others.get(&key, 1, make).await?.0)
    }
}

/// Counts and logs a swap; whoever made it calls this, once.
fn tell(metrics: &Metrics, set: &str, swap: &Swap) {
    metrics.swapped(set);
    let (from, to, seconds) = (swap.from, swap.to, swap.seconds.total());
    tracing::info!(set, from, to, seconds, "swapped");
}

fn other(set: &AnchorSet, without: Option<[u8; 32]>) -> Other {
    let manifest = set.manifest();
    Other {
        generation: manifest.generation,
        checksum: manifest.checksum.clone(),
        without,
    }
}

impl Without {
    fn hash(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        for list in [&self.filters, &self.ids] {
            hash.update(&(list.len() as u64).to_le_bytes());
            for text in list {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        *hash.finalize().as_bytes()
    }

    /// The rows of these pairs, each once, in order; at least one.
    fn rows(&self, set: &AnchorSet, path: &Path) -> Result<Vec<usize>, Refusal> {
        let mut all = BTreeSet::new();
        for filter in &self.filters {
            let rows = select::by_filter(set, &Filter::parse(filter)?)?;
            if rows.is_empty() {
                return Err(asif::anchors::AnchorsError::NoMatch {
                    path: path.to_owned(),
                    filter: filter.clone(),
                }
                .into());
            }
            all.extend(rows);
        }
        let wanted: HashSet<String> = self.ids.iter().cloned().collect();
        let (rows, missing) = select::by_ids(set, &wanted)?;
        if let Some(first) = missing.first() {
            let n = missing.len();
            return Err(Refusal::invalid(
                "no_such_pair",
                format!("{n} of the ids are not of live pairs, the first is {first:?}"),
            )
            .of_request());
        }
        all.extend(rows);
        match all.is_empty() {
            true => Err(Refusal::invalid(
                "empty",
                "`without` names no pair; give `where`, `ids` or both, or leave it out",
            )),
            false => Ok(all.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thought_away_has_its_own_hash() {
        let without = |filters: &[&str], ids: &[&str]| {
            let set = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
            let (filters, ids) = (set(filters), set(ids));
            Without { filters, ids }.hash()
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
