//! What one answer stands on: a generation, or what is left of it without some pairs, with its space
//! and the label heads that were made of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::heads::{HEADS, HeadKey, OTHER_HEADS};
use super::kept::MadeOnce;
use asif::anchors::change::select;
use asif::anchors::search::searcher::SetSpace;
use asif::anchors::{AnchorId, AnchorSet, AnchorsError, Searcher, Snapshot};
use asif::classify::LabelHead;

/// A generation and all that was made of it. A request takes one and asks it everything, so that no
/// answer is mixed of two; what was made goes when the last request lets go of it.
#[derive(Debug)]
pub(super) struct Ground {
    pairs: Pairs,
    /// Class heads by what they were asked for, weighed in prompts.
    pub heads: MadeOnce<HeadKey, LabelHead>,
    /// Places of the anchors on a plane.
    pub map: MadeOnce<(), super::map::Map>,
}

#[derive(Debug)]
enum Pairs {
    Live(Arc<Snapshot>),
    Other {
        set: Box<AnchorSet>,
        space: SetSpace,
        /// What pairs were taken from.
        base: Option<Arc<Ground>>,
    },
}

impl Ground {
    /// A generation that is live.
    pub fn live(snapshot: Arc<Snapshot>) -> Self {
        Self::of(Pairs::Live(snapshot), HEADS)
    }

    /// Another one, whose space was fitted for it; `base` is what pairs were taken from.
    pub fn other(set: AnchorSet, space: SetSpace, base: Option<Arc<Self>>) -> Self {
        let set = Box::new(set);
        Self::of(Pairs::Other { set, space, base }, OTHER_HEADS)
    }

    fn of(pairs: Pairs, heads: usize) -> Self {
        Self {
            pairs,
            heads: MadeOnce::new(heads),
            map: MadeOnce::new(2),
        }
    }

    /// Whether it is this snapshot's.
    pub fn is(&self, snapshot: &Arc<Snapshot>) -> bool {
        matches!(&self.pairs, Pairs::Live(own) if Arc::ptr_eq(own, snapshot))
    }

    /// The pairs.
    pub fn set(&self) -> &AnchorSet {
        match &self.pairs {
            Pairs::Live(snapshot) => snapshot.set(),
            Pairs::Other { set, .. } => set,
        }
    }

    /// The generation's number.
    pub fn generation(&self) -> u64 {
        match &self.pairs {
            Pairs::Live(snapshot) => snapshot.generation(),
            // The next number, which no reader has seen, is what a removal would get.
            Pairs::Other {
                base: Some(base), ..
            } => base.generation(),
            Pairs::Other { set, .. } => set.manifest().generation,
        }
    }

    /// Gives these anchors the numbers that they have in the generation itself, where pairs are
    /// excluded and numbers have shifted. Looks through all pairs' ids then.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn renumber<'a>(
        &self,
        anchors: impl Iterator<Item = &'a mut AnchorId>,
    ) -> Result<(), AnchorsError> {
        let Pairs::Other {
            set,
            base: Some(base),
            ..
        } = &self.pairs
        else {
            return Ok(());
        };
        let mut of_pairs: HashMap<String, Vec<&mut AnchorId>> = HashMap::new();
        for anchor in anchors {
            let pair = set.pair_id(*anchor)?.to_owned();
            of_pairs.entry(pair).or_default().push(anchor);
        }
        let base = base.set();
        let (rows, _) = select::by_ids(base, &of_pairs.keys().cloned().collect())?;
        for row in rows {
            let number = base.live().number(row) as AnchorId;
            let anchors = of_pairs.get_mut(base.pair_id(number)?);
            for anchor in anchors.into_iter().flatten() {
                **anchor = number;
            }
        }
        Ok(())
    }

    /// A searcher of them; costs nothing.
    pub fn searcher(&self) -> Searcher<'_> {
        match &self.pairs {
            Pairs::Live(snapshot) => snapshot.searcher(),
            Pairs::Other { set, space, .. } => Searcher::of(set, space.clone()),
        }
    }
}
