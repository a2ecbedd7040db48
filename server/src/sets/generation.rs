//! A served generation, possibly with excluded pairs, together with its fitted space and cached label heads.

use std::collections::HashMap;
use std::sync::Arc;

use crate::sets::cache::OnceCache;
use asif::anchors::change::select;
use asif::anchors::{AnchorId, AnchorSet, AnchorsError, Searcher, Snapshot};
use asif::classify::LabelHead;

/// The capacity for label heads of the live generation, in prompts; a mean prompt counts as one. The rows and
/// coordinates of a prompt take about ten kilobytes.
const HEADS: usize = 10_000;
/// The capacity of each other generation, of which eight are cached.
const OTHER_HEADS: usize = HEADS / 8;

/// A hash of labels, templates and aggregate.
pub(crate) type HeadKey = [u8; 32];

/// A generation with everything that is derived from it. Each request uses exactly one, so that no answer
/// mixes two generations; everything is freed with the last reference.
#[derive(Debug)]
pub(crate) struct ServedGeneration {
    pairs: GenerationSource,
    /// Label heads by key; the weight is the number of prompts.
    pub heads: OnceCache<HeadKey, LabelHead>,
    /// The projection of the anchors onto a plane.
    pub map: OnceCache<(), crate::map::AnchorMap>,
}

#[derive(Debug)]
enum GenerationSource {
    Live(Arc<Snapshot>),
    Other {
        snapshot: Box<Snapshot>,
        /// The generation that pairs were excluded from.
        base: Option<Arc<ServedGeneration>>,
    },
}

impl ServedGeneration {
    /// The live generation.
    pub fn live(snapshot: Arc<Snapshot>) -> Self {
        Self::of(GenerationSource::Live(snapshot), HEADS)
    }

    /// Another generation; `base` is the one that pairs were excluded from.
    pub fn other(snapshot: Snapshot, base: Option<Arc<Self>>) -> Self {
        let snapshot = Box::new(snapshot);
        Self::of(GenerationSource::Other { snapshot, base }, OTHER_HEADS)
    }

    fn of(pairs: GenerationSource, heads: usize) -> Self {
        Self {
            pairs,
            heads: OnceCache::new(heads),
            map: OnceCache::new(2),
        }
    }

    /// Whether it belongs to this snapshot.
    pub fn is(&self, snapshot: &Arc<Snapshot>) -> bool {
        matches!(&self.pairs, GenerationSource::Live(own) if Arc::ptr_eq(own, snapshot))
    }

    fn snapshot(&self) -> &Snapshot {
        match &self.pairs {
            GenerationSource::Live(snapshot) => snapshot,
            GenerationSource::Other { snapshot, .. } => snapshot,
        }
    }

    /// The anchor set, without excluded pairs.
    pub fn set(&self) -> &AnchorSet {
        self.snapshot().set()
    }

    /// The generation's number.
    pub fn generation(&self) -> u64 {
        match &self.pairs {
            // The set has the number that a removal would get; clients know that of the base.
            GenerationSource::Other {
                base: Some(base), ..
            } => base.generation(),
            GenerationSource::Live(_) | GenerationSource::Other { base: None, .. } => {
                self.snapshot().generation()
            }
        }
    }

    /// Gives these anchors their numbers in the base generation: numbers shift when pairs are excluded. Searches
    /// all ids of the base in that case.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn renumber<'a>(
        &self,
        anchors: impl Iterator<Item = &'a mut AnchorId>,
    ) -> Result<(), AnchorsError> {
        let GenerationSource::Other {
            snapshot,
            base: Some(base),
        } = &self.pairs
        else {
            return Ok(());
        };
        let mut of_pairs: HashMap<String, Vec<&mut AnchorId>> = HashMap::new();
        for anchor in anchors {
            let pair = snapshot.set().pair_id(*anchor)?.to_owned();
            of_pairs.entry(pair).or_default().push(anchor);
        }
        let base = base.set();
        let (rows, missing) = select::by_ids(base, &of_pairs.keys().cloned().collect())?;
        debug_assert!(missing.is_empty(), "exclusion adds no pairs");
        for row in rows {
            let number = base.live().number(row) as AnchorId;
            let anchors = of_pairs.get_mut(base.pair_id(number)?);
            for anchor in anchors.expect("the rows belong to these ids") {
                **anchor = number;
            }
        }
        Ok(())
    }

    /// A searcher over the pairs; cheap.
    pub fn searcher(&self) -> Searcher<'_> {
        self.snapshot().searcher()
    }
}
