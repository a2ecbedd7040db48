//! Builds all nodes at once: partition, all pairs, pruning, reverse links, reachability.

use super::cosine::CodeCosines;
use super::layers::{GraphBuilder, GraphLayer, GraphLayers};
use super::near::near;
use super::partition::partition;
use super::prune::{PruneRule, link};
use super::reach::make_reachable;
use crate::error::{Error, Result};
use crate::random::mix;
use crate::vectors::VectorSet;

/// Link slots of layer 0 that pruning leaves free for [`make_reachable`].
const SPARE: usize = 2;
/// The difference up to which two distances count as equal. Measured on captions of which two in five are
/// duplicates: recall 0.921 at 0, 0.956 at 0.02, 0.954 at 0.05, 0.876 at 0.1.
const SAME: f32 = 0.02;
/// A layer of this size or less has no layer above: walking through it costs less than another layer.
const SMALLEST_LAYER: usize = 24;

/// Builds the whole graph at once, on the current rayon pool.
///
/// The graph is a function of the vectors and the options; it does not depend on the number of threads or
/// their timing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchBuilder {
    /// Links a node has in the upper layers; twice as many in layer 0. 4 to 128.
    pub m: usize,
    /// Parts that each row belongs to; more find more of the true neighbours and cost in
    /// proportion. 1 to 32.
    pub fan: usize,
    /// Neighbours taken from each part. 1 to 256.
    pub per_part: usize,
    /// Neighbours kept after merging, from which links are chosen. At least `2 m`.
    pub keep: usize,
    /// Seed of the layers and of the leaders of the parts.
    pub seed: u64,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self {
            m: 16,
            fan: 4,
            per_part: 32,
            keep: 40,
            seed: 1,
        }
    }
}

impl GraphBuilder for BatchBuilder {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn build(&self, set: &VectorSet) -> Result<GraphLayers> {
        self.check()?;
        let cosine = CodeCosines::new(set);
        let mut rows: Vec<u32> = (0..set.len() as u32).collect();
        let mut layers = Vec::new();
        let mut order = Vec::new();
        loop {
            let level = layers.len();
            let seed = mix(self.seed ^ level as u64);
            let partition = partition(&cosine, &rows, self.fan, seed);
            let near = near(
                &cosine,
                &rows,
                &partition,
                // A row whose true neighbours are all in one part must be able to get all its links there.
                self.per_part.max(2 * self.m),
                self.keep,
            );
            let width = if level == 0 { 2 * self.m } else { self.m };
            let most = width - SPARE;
            let rule = PruneRule {
                most,
                slack: 1.2,
                same: SAME,
                fill: if level == 0 { most } else { 0 },
            };
            let mut close: Vec<u32> = (0..rows.len() as u32).collect();
            // Rows of one leader come together: pruning finds their codes in the cache, and so do
            // searches, because this becomes the order of the nodes in the file.
            close.sort_by_key(|&at| (partition.home[at as usize], at));
            let links = link(&cosine, &rows, &close, &near, rule, width);
            if level == 0 {
                // Layer 0 holds every row, so its positions are the rows.
                order = close;
            }
            let above = self.above(&rows, level);
            layers.push(GraphLayer { rows, links, width });
            match above {
                Some(above) => rows = above,
                None => break,
            }
        }
        // The top layer's first node is the entry, and it is a node of every layer below. Each layer is made
        // reachable from it, although a descent may enter a layer at another node.
        let first = layers.last().and_then(|top| top.rows.first().copied());
        for layer in &mut layers {
            if let Some(first) = first
                && let Ok(entry) = layer.rows.binary_search(&first)
            {
                make_reachable(entry as u32, &mut layer.links, layer.width);
            }
        }
        Ok(GraphLayers {
            layers,
            entry: 0,
            order,
        })
    }
}

impl BatchBuilder {
    fn check(&self) -> Result<()> {
        let refuse = |what, expected: &str, found: usize| {
            Err(Error::Argument {
                what,
                expected: expected.to_owned(),
                found: found.to_string(),
                advice: "choose one in that range",
            })
        };
        if !(4..=128).contains(&self.m) {
            return refuse("m", "4 to 128", self.m);
        }
        if !(1..=32).contains(&self.fan) {
            return refuse("fan", "1 to 32", self.fan);
        }
        if !(1..=256).contains(&self.per_part) {
            return refuse("per_part", "1 to 256", self.per_part);
        }
        if !(2 * self.m..=1024).contains(&self.keep) {
            return refuse("keep", "2 m to 1024", self.keep);
        }
        Ok(())
    }

    /// The rows of the layer above: one in `m`, by the seed; `None` if that would be too few.
    fn above(&self, rows: &[u32], level: usize) -> Option<Vec<u32>> {
        let seed = mix(self.seed.wrapping_add(0x1A7E5).wrapping_add(level as u64));
        let above: Vec<u32> = rows
            .iter()
            .copied()
            // By a hash of the row, not by a generator whose numbers would depend on the order of the rows.
            .filter(|&row| mix(seed ^ mix(u64::from(row))).is_multiple_of(self.m as u64))
            .collect();
        (above.len() >= SMALLEST_LAYER).then_some(above)
    }
}
