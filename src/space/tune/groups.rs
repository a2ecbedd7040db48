//! Groups of pairs that must stay on the same side of a split: near-duplicate images or equal captions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

/// Images with a higher cosine than this are near-duplicates.
pub(crate) const SAME_IMAGE: f32 = 0.98;
/// Rows compared at once.
const BLOCK: usize = 512;

/// The group of each pair, `[n]`: the lowest number of a pair in it.
///
/// `images` is `[n, dim]` of unit norm. Captions are compared ignoring case and surrounding whitespace.
/// Groups are transitive: a chain of near-duplicates is one group.
pub(crate) fn groups(images: ArrayView2<f32>, captions: &[Vec<String>]) -> Vec<u32> {
    let n = images.nrows();
    let mut parents: Vec<u32> = (0..n as u32).collect();
    let mut first: HashMap<String, u32> = HashMap::new();
    // `take`: a list of captions that is too long must not name pairs without an image vector.
    for (pair, captions) in (0u32..).zip(captions).take(n) {
        for caption in captions {
            match first.entry(caption.trim().to_lowercase()) {
                Entry::Occupied(other) => join(&mut parents, *other.get(), pair),
                Entry::Vacant(place) => {
                    place.insert(pair);
                }
            }
        }
    }
    let starts: Vec<usize> = (0..n).step_by(BLOCK).collect();
    let blocks: Vec<(usize, usize)> = starts
        .iter()
        .flat_map(|&i| {
            starts
                .iter()
                // The comparison is symmetric, so half of the blocks are enough.
                .filter(move |&&j| j >= i)
                .map(move |&j| (i, j))
        })
        .collect();
    let rows = |start: usize| Slice::from(start..(start + BLOCK).min(n));
    let same: Vec<Vec<(u32, u32)>> = blocks
        .par_iter()
        .map(|&(i, j)| {
            let left = images.slice_axis(Axis(0), rows(i));
            let right = images.slice_axis(Axis(0), rows(j));
            let cosines = left.dot(&right.t());
            let above = cosines.indexed_iter().filter(|(_, c)| **c > SAME_IMAGE);
            let pairs = above.map(|((a, b), _)| ((i + a) as u32, (j + b) as u32));
            // Within a block on the diagonal each pair appears twice, and once with itself.
            pairs.filter(|(a, b)| a < b).collect()
        })
        .collect();
    // Joined on one thread: a join changes parents that others would be reading.
    for (a, b) in same.into_iter().flatten() {
        join(&mut parents, a, b);
    }
    (0..n as u32).map(|pair| root(&mut parents, pair)).collect()
}

fn root(parents: &mut [u32], mut pair: u32) -> u32 {
    while parents[pair as usize] != pair {
        // Each step halves the path to the root, which keeps chains of duplicates from being walked in full.
        let above = parents[parents[pair as usize] as usize];
        parents[pair as usize] = above;
        pair = above;
    }
    pair
}

fn join(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    // The lower number becomes the root, so that a group's name does not depend on the order of joins.
    parents[a.max(b) as usize] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn near_images_and_equal_captions_are_one_group_through_chains() {
        let images = array![
            [1.0, 0.0],
            [0.0, 1.0],
            [0.995, 0.0999],
            [0.6, 0.8],
            [-1.0, 0.0]
        ];
        let captions = ["a", "b", "c", " B ", "A cat"].map(|c| vec![c.to_owned()]);
        assert_eq!(groups(images.view(), &captions), [0, 1, 0, 1, 4]);
        let chained = ["a", "b", "b", "d", "d"].map(|c| vec![c.to_owned()]);
        assert_eq!(groups(images.view(), &chained), [0, 0, 0, 3, 3]);
    }
}
