//! The `hnsw_rs` crate as an alternative builder, and as a reference for benchmarks.
//!
//! Its graph is converted to our format; its own files are never loaded (a damaged one loads silently or
//! ends the process). Its parallel insertion depends on timing, so builds are not reproducible, and it may
//! leave nodes unreachable, which are linked here.

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::Hnsw as Theirs;

use super::layers::{Build, Layer, Layers};
use super::reach::make_reachable;
use super::{MAX_UPPER, NIL};
use crate::error::{Error, Result};
use crate::search::Hit;
use crate::simd::Kernels;
use crate::vectors::VectorSet;

/// Link slots of layer 0 left free for [`make_reachable`].
const SPARE: usize = 2;

/// Builds with `hnsw_rs`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HnswRsBuilder {
    /// Links a node has in the upper layers; twice as many in layer 0. 4 to 128.
    pub m: usize,
    /// The beam of an insertion, 1 to 10000.
    pub ef_construction: usize,
}

impl Default for HnswRsBuilder {
    fn default() -> Self {
        Self {
            m: 16,
            ef_construction: 200,
        }
    }
}

impl Build for HnswRsBuilder {
    fn name(&self) -> &'static str {
        "hnsw_rs"
    }

    fn build(&self, set: &VectorSet) -> Result<Layers> {
        if !(4..=128).contains(&self.m) || !(1..=10_000).contains(&self.ef_construction) {
            return Err(Error::Argument {
                what: "m and ef_construction",
                expected: "4 to 128 and 1 to 10000".to_owned(),
                found: format!("{} and {}", self.m, self.ef_construction),
                advice: "choose others",
            });
        }
        // Without rows there is no entry point and nothing to convert.
        if set.is_empty() {
            let width = 2 * self.m + SPARE;
            return Ok(Layers {
                layers: vec![Layer {
                    width,
                    ..Layer::default()
                }],
                ..Default::default()
            });
        }
        Ok(HnswRs::build(set, self.m, self.ef_construction).layers(set.len(), self.m))
    }
}

/// A graph of `hnsw_rs` with that crate's own search, for benchmarks.
pub struct HnswRs {
    theirs: Theirs<'static, f32, CosineDistance>,
    center: Vec<f32>,
}

/// One minus the dot product, which for unit vectors is the cosine distance; clamped at 0 because `hnsw_rs`
/// rejects negative distances.
#[derive(Clone, Copy, Default)]
struct CosineDistance;

impl Distance<f32> for CosineDistance {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        // Rounding can bring the product of two equal unit vectors above 1.
        (1.0 - Kernels::detect().f32_dot(a, b)).max(0.0)
    }
}

impl HnswRs {
    /// Inserts all rows of `set`, minus its centre and normalised, on the current rayon pool.
    pub fn build(set: &VectorSet, m: usize, ef_construction: usize) -> Self {
        let center = set.center().map(<[f32]>::to_vec).unwrap_or_default();
        let rows: Vec<Vec<f32>> = (0..set.len())
            .map(|row| unit(set.vector(row), &center))
            .collect();
        let theirs = Theirs::new(
            m,
            set.len().max(1),
            MAX_UPPER,
            ef_construction,
            CosineDistance,
        );
        let numbered: Vec<(&Vec<f32>, usize)> = rows.iter().zip(0..).collect();
        theirs.parallel_insert(&numbered);
        Self { theirs, center }
    }

    /// Searches with the crate's own search; the scores are cosines.
    pub fn search(&self, vector: &[f32], k: usize, ef: usize) -> Vec<Hit> {
        let found = self.theirs.search(&unit(vector, &self.center), k, ef);
        found
            .iter()
            .map(|n| Hit {
                id: n.d_id as u32,
                score: 1.0 - n.distance,
            })
            .collect()
    }

    /// Converts the graph to layers of this crate.
    fn layers(&self, n: usize, m: usize) -> Layers {
        // Levels and links are collected by row first, for its iterator has no fixed order.
        let mut level_of = vec![0u8; n];
        let mut links_of: Vec<Vec<Vec<u32>>> = vec![Vec::new(); n];
        for point in self.theirs.get_point_indexation() {
            let (row, level) = (point.get_origin_id(), point.get_point_id().0);
            let neighbours = point.get_neighborhood_id();
            level_of[row] = level;
            links_of[row] = (0..=level)
                .map(|l| {
                    let of_layer = neighbours.get(usize::from(l)).map_or(&[][..], |n| n);
                    // Its lists may contain points that are not in the layer.
                    of_layer
                        .iter()
                        .filter(|n| n.p_id.0 >= l)
                        .map(|n| n.d_id as u32)
                        .collect()
                })
                .collect();
        }
        let top = level_of.iter().copied().max().unwrap_or(0);
        let mut layers = Vec::new();
        for level in 0..=top {
            let rows: Vec<u32> = (0..n as u32)
                // A point of a level is in all levels below it as well.
                .filter(|&row| level_of[row as usize] >= level)
                .collect();
            let most = if level == 0 { 2 * m } else { m };
            // Slots are kept free for the links that make every node reachable.
            let width = most + SPARE;
            let mut links = vec![NIL; rows.len() * width];
            for (position, &row) in rows.iter().enumerate() {
                let of_row = &links_of[row as usize][usize::from(level)];
                // A node may stand in its own list there; in our format that is damage.
                let inside = of_row.iter().filter(|&&to| to != row).take(most);
                for (slot, to) in links[position * width..][..width].iter_mut().zip(inside) {
                    // A neighbour that is not in the layer has no position; its slot stays empty.
                    *slot = rows.binary_search(to).map_or(NIL, |at| at as u32);
                }
            }
            layers.push(Layer { rows, links, width });
        }
        // The entry of the top layer is followed down, so all layers are made reachable from the same row.
        let first = layers.last().and_then(|layer| layer.rows.first().copied());
        for layer in &mut layers {
            if let Some(Ok(entry)) = first.map(|first| layer.rows.binary_search(&first)) {
                make_reachable(entry as u32, &mut layer.links, layer.width);
            }
        }
        Layers {
            layers,
            entry: 0,
            order: Vec::new(),
        }
    }
}

impl std::fmt::Debug for HnswRs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HnswRs({} points)", self.theirs.get_nb_point())
    }
}

/// `vector` minus `center`, which is empty for none, normalised.
fn unit(vector: &[f32], center: &[f32]) -> Vec<f32> {
    let mut out = vector.to_vec();
    if !center.is_empty() {
        assert_eq!(center.len(), out.len(), "a number of the centre a column");
        out.iter_mut().zip(center).for_each(|(v, c)| *v -= c);
    }
    let norm = out.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        out.iter_mut().for_each(|v| *v /= norm);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{BatchBuilder, Graph, Hnsw, write_graph};
    use crate::search::{Query, Search};
    use crate::test_vectors::{clustered, set_with};
    use crate::vectors::VectorOptions;

    #[test]
    fn our_graph_finds_as_much_as_theirs() {
        let (n, dim, k) = (6000, 48, 200);
        let set = set_with(&clustered(n, dim, 31), dim, VectorOptions::default());
        let folder = tempfile::tempdir().unwrap();
        let vectors = clustered(30, dim, 32);
        let mean_recall = |builder: &dyn Build| {
            let path = folder.path().join(builder.name());
            write_graph(&path, &set, builder).unwrap();
            let graph = Graph::open(&path, &set).unwrap();
            assert_eq!(graph.verify().unwrap().reachable, n, "{}", builder.name());
            let mut found = 0;
            for vector in vectors.chunks(dim) {
                let query = Query::new(vector);
                let exact = set.search(&query, k).unwrap();
                let hits = Hnsw::new(&set, &graph).search(&query, k).unwrap();
                found += hits.iter().filter(|h| exact.contains(h)).count();
            }
            found as f64 / (vectors.len() / dim * k) as f64
        };
        let (ours, theirs) = (
            mean_recall(&BatchBuilder::default()),
            mean_recall(&HnswRsBuilder::default()),
        );
        assert!(ours >= theirs - 0.005, "ours {ours}, theirs {theirs}");
        assert!(theirs > 0.9, "theirs {theirs}");
    }

    #[test]
    fn small_sets_are_built() {
        for n in [0, 1, 2, 40] {
            let set = set_with(&clustered(n, 8, 33), 8, VectorOptions::default());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("graph");
            write_graph(&path, &set, &HnswRsBuilder::default()).unwrap();
            let report = Graph::open(&path, &set).unwrap().verify().unwrap();
            assert_eq!(report.reachable, n);
        }
    }
}
