//! The map: the image vectors of the anchors, projected onto their first two principal components.

pub(crate) mod thumbs;

use rayon::prelude::*;

use asif::anchors::{AnchorId, AnchorSet, AnchorsError};
use asif::modality::Modality;
use ndarray::Array2;

/// The largest coordinate, finer than screen pixels.
const STEPS: f64 = 4095.0;
/// Steps of the orthogonal iteration. Each reduces the error by the ratio of the eigenvalues.
const TURNS: usize = 60;

/// The position of each anchor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnchorMap {
    /// The points in the order of the anchors: x and y in 0..=4095, and the index of the source in
    /// [`sources`](Self::sources).
    pub points: Vec<[u16; 3]>,
    /// The sources of the anchors, the most frequent first; the last entry stands for rare and missing ones.
    pub sources: Vec<String>,
    /// The share of the variance that the two components explain.
    pub explained: f64,
}

impl AnchorMap {
    /// The map of an anchor set.
    ///
    /// # Errors
    /// When a record or a file of second moments is damaged.
    pub fn of(set: &AnchorSet) -> Result<Self, AnchorsError> {
        let moments = set.moments()?;
        let covariance = moments.covariances().own.image;
        let mean = moments.means().image;
        let (directions, explained) = principal(&covariance);
        let places = (0..set.len() as AnchorId)
            .into_par_iter()
            .map(|anchor| {
                let vector = set.vector(anchor, Modality::Image)?;
                let along = |direction: &[f64]| -> f64 {
                    let centred = vector.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m);
                    centred.zip(direction).map(|(v, d)| v * d).sum()
                };
                Ok([along(&directions[0]), along(&directions[1])])
            })
            .collect::<Result<Vec<[f64; 2]>, AnchorsError>>()?;
        let (sources, of_anchor) = sources(set)?;
        let spread = places
            .iter()
            .flatten()
            .fold(1e-12, |m: f64, v| m.max(v.abs()));
        // One scale for both axes, so that distances keep their proportions.
        let step = |v: f64| ((v / spread + 1.0) / 2.0 * STEPS).round() as u16;
        let points = places.iter().zip(of_anchor);
        Ok(Self {
            points: points
                .map(|(&[x, y], source)| [step(x), step(y), source])
                .collect(),
            sources,
            explained,
        })
    }
}

/// The sources by frequency, and the source of each anchor.
fn sources(set: &AnchorSet) -> Result<(Vec<String>, Vec<u16>), AnchorsError> {
    /// More colours cannot be distinguished.
    const SHOWN: usize = 24;
    let mut by_count: Vec<(&String, &u64)> = set.manifest().sources.iter().collect();
    by_count.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    by_count.truncate(SHOWN);
    let mut names: Vec<String> = by_count.iter().map(|(name, _)| (*name).clone()).collect();
    let other = names.len() as u16;
    let of_anchor = (0..set.len() as AnchorId)
        .into_par_iter()
        .map(|anchor| {
            let source = set.record(anchor)?.meta_text("source");
            let at = source.and_then(|source| names.iter().position(|name| *name == source));
            Ok(at.map_or(other, |at| at as u16))
        })
        .collect::<Result<Vec<u16>, AnchorsError>>()?;
    if of_anchor.contains(&other) {
        names.push("other".to_owned());
    }
    Ok((names, of_anchor))
}

/// The two leading eigenvectors of a covariance matrix, `[2][dim]`, and their share of its trace; by
/// orthogonal iteration from fixed start vectors, so that an anchor set always has the same map.
fn principal(covariance: &Array2<f64>) -> ([Vec<f64>; 2], f64) {
    let dim = covariance.nrows();
    let start = |phase: f64| -> Vec<f64> {
        (0..dim)
            .map(|i| (i as f64 * 0.7 + phase).sin() + 0.01)
            .collect()
    };
    let mut pair = [start(0.0), start(1.6)];
    let mut values = [0.0; 2];
    for _ in 0..TURNS {
        for (at, value) in values.iter_mut().enumerate() {
            let mut next = times(covariance, &pair[at]);
            if at == 1 {
                let overlap = dot(&next, &pair[0]);
                next.iter_mut()
                    .zip(&pair[0])
                    .for_each(|(n, p)| *n -= overlap * p);
            }
            *value = dot(&next, &next).sqrt();
            let scale = if *value > 0.0 { value.recip() } else { 0.0 };
            next.iter_mut().for_each(|n| *n *= scale);
            pair[at] = next;
        }
    }
    // The sign of an eigenvector is arbitrary; fix it so that the map does not flip.
    for direction in &mut pair {
        if direction.iter().map(|d| d.powi(3)).sum::<f64>() < 0.0 {
            direction.iter_mut().for_each(|d| *d = -*d);
        }
    }
    let trace: f64 = covariance.diag().sum();
    let explained = if trace > 0.0 {
        values.iter().sum::<f64>() / trace
    } else {
        0.0
    };
    (pair, explained.clamp(0.0, 1.0))
}

fn times(matrix: &Array2<f64>, vector: &[f64]) -> Vec<f64> {
    let rows: Vec<_> = matrix.rows().into_iter().collect();
    rows.par_iter()
        .with_min_len(64)
        .map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directions_of_most_variance_are_found() {
        let mut covariance = Array2::zeros((5, 5));
        for (i, v) in [0.5, 4.0, 0.25, 2.0, 0.25].into_iter().enumerate() {
            covariance[[i, i]] = v;
        }
        let (directions, explained) = principal(&covariance);
        assert!(
            directions[0][1] > 0.999 && directions[1][3] > 0.999,
            "{directions:?}"
        );
        assert!((explained - 6.0 / 7.0).abs() < 1e-6, "{explained}");
        let (_, none) = principal(&Array2::zeros((3, 3)));
        assert_eq!(none, 0.0);
    }
}
