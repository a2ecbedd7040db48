//! Clusters of texts with similar content: spherical k-means.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use crate::space::vector::normalize;
use asif_index::random::SplitMix64;

/// Lloyd iterations; clusters change little after a few.
const STEPS: usize = 8;
const BLOCK: usize = 512;

/// The cluster of each unit vector, `[n]`, and the centres' directions, `[clusters, dim]`.
///
/// A cluster may stay empty.
pub(crate) fn clusters(
    vectors: ArrayView2<f32>,
    count: usize,
    random: &mut SplitMix64,
) -> (Vec<u32>, Array2<f32>) {
    let (n, dim) = vectors.dim();
    let mut order: Vec<usize> = (0..n).collect();
    random.shuffle(&mut order);
    // Distinct rows of the set as the first centres.
    let mut centres = vectors.select(Axis(0), &order[..count.min(n)]);
    let mut of = Vec::new();
    for _ in 0..STEPS {
        of = nearest(vectors, &centres);
        let mut sums = Array2::zeros((centres.nrows(), dim));
        for (row, &cluster) in vectors.rows().into_iter().zip(&of) {
            let mut sum = sums.row_mut(cluster as usize);
            sum += &row;
        }
        // An empty cluster keeps its centre, for a mean of nothing has no direction.
        for (mut sum, mut centre) in sums.rows_mut().into_iter().zip(centres.rows_mut()) {
            if let Some(slice) = sum.as_slice_mut()
                && normalize(slice) > 0.0
            {
                centre.assign(&sum);
            }
        }
    }
    (of, centres)
}

fn nearest(vectors: ArrayView2<f32>, centres: &Array2<f32>) -> Vec<u32> {
    let starts: Vec<usize> = (0..vectors.nrows()).step_by(BLOCK).collect();
    let block = |&start: &usize| -> Vec<u32> {
        let end = (start + BLOCK).min(vectors.nrows());
        let rows = vectors.slice_axis(Axis(0), Slice::from(start..end));
        let cosines = rows.dot(&centres.t());
        let best = |row: ndarray::ArrayView1<f32>| {
            let numbered = (0u32..).zip(row.iter().copied());
            // The first of equal centres wins, so that the result does not depend on the threads.
            let best = numbered.fold((0, f32::NEG_INFINITY), |b, c| if c.1 > b.1 { c } else { b });
            best.0
        };
        cosines.rows().into_iter().map(best).collect()
    };
    starts.par_iter().flat_map_iter(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn directions_far_apart_are_clusters_whatever_the_seed() {
        let vectors = array![[1.0f32, 0.0], [0.0, 1.0], [0.998, 0.06], [0.06, 0.998]];
        let found = (0..8).filter(|&seed| {
            let (of, centres) = clusters(vectors.view(), 2, &mut SplitMix64::new(seed));
            assert_eq!(centres.dim(), (2, 2));
            of[0] == of[2] && of[1] == of[3] && of[0] != of[1]
        });
        // Seeds that draw two vectors of one cluster may find no better split.
        assert!(found.count() >= 5);
    }
}
