//! Canonical correlation analysis, ridge regression, Procrustes and whitening, from second moments.
//!
//! Symmetric inverse roots are not needed: with Cholesky factors `S_x = L L'` and `S_y = K K'`, the product
//! `L^-1 C K'^-1` has the same singular values as `S_x^-1/2 C S_y^-1/2`, and `L'^-1 U` are the same canonical
//! directions. So a fit is two Cholesky factorizations, two triangular solves and one SVD of the shorter
//! side, whatever the number of pairs. It runs on one thread, so the same moments give the same bits.

use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par, Side};
use ndarray::Array2;

use super::params::CanonicalParams;
use super::{Covariances, LinearMap, Moments};
use crate::modality::PerModality;

/// No map can be fitted to the moments of some pairs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There are no two distinct pairs; holds the number of pairs.
    #[error(
        "this space needs at least 2 pairs that differ in image and text, and the anchor set has {}; \
         add pairs, or use the space `asif`", of_pairs(*.0)
    )]
    TooFew(u64),
    /// A matrix decomposition failed.
    #[error("the {0} of these pairs' moments failed; use the space `asif`")]
    Decomposition(&'static str),
}

/// The number of pairs as text; where there are several, they are all equal.
fn of_pairs(n: u64) -> String {
    match n {
        0 => "no pair".to_owned(),
        1 => "1 pair".to_owned(),
        n => format!("{n} identical pairs"),
    }
}

/// Canonical correlation analysis: the maps of images and of texts to canonical coordinates.
///
/// The product of two coordinates `u` and `v` splits into the anchor pairs `(a_i, b_i)` exactly:
/// with the correlations `S` and the exponent `e`, `M_x' C_xy M_y = S^(2e + 1)`, so
/// `<u, v> = (1/n) sum_i <M_x S^-1 u, a_i - m_a> <M_y S^-2e v, b_i - m_b>`.
///
/// # Errors
/// [`FitError`].
pub fn canonical(
    moments: &Moments,
    params: &CanonicalParams,
) -> Result<PerModality<LinearMap>, FitError> {
    Ok(CanonicalFactors::of(moments, params.shrinkage)?.maps(params))
}

/// The decomposition for one shrinkage, from which canonical coordinates of any number and exponent are
/// computed.
#[derive(Debug)]
pub struct CanonicalFactors {
    means: PerModality<Vec<f64>>,
    /// The canonical directions of both sides, `[dim, min(dx, dy)]`: `L^-T V` with the Cholesky factor `L` of
    /// the shrunk covariance and the singular vectors `V` of `L_x^-1 C_xy L_y^-T`.
    directions: PerModality<Mat<f64>>,
    /// The singular values, largest first.
    correlations: Vec<f64>,
}

impl CanonicalFactors {
    /// Decomposes the moments of some pairs.
    ///
    /// # Errors
    /// [`FitError`].
    pub(crate) fn of(moments: &Moments, shrinkage: f64) -> Result<Self, FitError> {
        let FitCovariances { own, cross } = checked(moments)?;
        // Each side by its own covariance; the cross-covariance is whitened from both.
        let factors = own.try_map(|s| factor(&s, shrinkage))?;
        // C with L^-1 from the left, then transposed with K^-1 from the left: the transpose of the
        // documented product. No inverse is formed.
        let mut left = cross;
        solve_lower_triangular_in_place(factors.image.L(), left.as_mut(), Par::Seq);
        let mut between = left.transpose().to_owned();
        solve_lower_triangular_in_place(factors.text.L(), between.as_mut(), Par::Seq);
        // `between` is [dy, dx]: its left singular vectors are the texts'.
        let svd = between
            .thin_svd()
            .map_err(|_| FitError::Decomposition("SVD"))?;
        let mut directions = PerModality {
            image: svd.V().to_owned(),
            text: svd.U().to_owned(),
        };
        // `L^-T V`: from whitened coordinates back to directions in the vectors' own space.
        for (factor, vectors) in factors.as_ref().zip(directions.as_mut()) {
            solve_upper_triangular_in_place(factor.L().transpose(), vectors.as_mut(), Par::Seq);
        }
        Ok(Self {
            means: moments.means(),
            directions,
            correlations: svd.S().column_vector().iter().copied().collect(),
        })
    }

    /// The maps for the number of coordinates and exponent in `params`; the shrinkage is that of the factors.
    pub(crate) fn maps(&self, params: &CanonicalParams) -> PerModality<LinearMap> {
        let dims = params.dims.min(self.correlations.len());
        let known = known(&self.correlations);
        let scale: Vec<f64> = (0..dims)
            .map(|i| match i < known {
                // `max(0)`: rounding may leave a negative singular value, whose power is NaN.
                true => self.correlations[i].max(0.0).powf(params.exponent),
                // A weight of 0 rather than fewer coordinates: whoever asked for so many gets so many.
                false => 0.0,
            })
            .collect();
        let correlations: Vec<f32> = self.correlations[..dims]
            .iter()
            .map(|&c| c as f32)
            .collect();
        PerModality::of(|side| {
            let directions = &self.directions[side];
            let scaled = |(i, j)| (directions[(i, j)] * scale[j]) as f32;
            LinearMap::new(
                floats(&self.means[side]),
                Array2::from_shape_fn((directions.nrows(), dims), scaled),
                correlations.clone(),
            )
        })
    }
}

/// The numerical rank: how many singular values, largest first, exceed the rounding of the largest.
/// With fewer pairs than dimensions some directions are not determined by the pairs, and the arbitrary
/// vectors that the SVD returns for them must not influence scores.
fn known(values: &[f64]) -> usize {
    let largest = values.iter().copied().fold(0.0, f64::max);
    // Far above the rounding of double precision (2^-53) after sums over all pairs.
    let least = largest * 1e-12;
    values.iter().take_while(|&&value| value > least).count()
}

/// Ridge regression from images to texts: `W = (S_x + shrinkage mean(eig) I)^-1 C_xy`.
///
/// # Errors
/// [`FitError`].
pub fn ridge(moments: &Moments, shrinkage: f64) -> Result<PerModality<LinearMap>, FitError> {
    let FitCovariances { own, cross } = checked(moments)?;
    let w = factor(&own.image, shrinkage)?.solve(&cross);
    Ok(onto_texts(moments, &w))
}

/// The best rotation from images to texts: `U S V' = svd(C_xy)`, `W = U V'` (Schönemann 1966), over the
/// directions that the pairs determine.
///
/// # Errors
/// [`FitError`].
pub fn procrustes(moments: &Moments) -> Result<PerModality<LinearMap>, FitError> {
    let cross = checked(moments)?.cross;
    let svd = cross
        .thin_svd()
        .map_err(|_| FitError::Decomposition("SVD"))?;
    let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    let known = known(&values);
    // Over the known directions alone: the singular vectors of the others are arbitrary.
    let w = svd.U().subcols(0, known) * svd.V().subcols(0, known).transpose();
    Ok(onto_texts(moments, &w))
}

/// Whitening: maps each side by itself to coordinates in which its shrunk covariance is the identity.
///
/// # Errors
/// [`FitError`].
pub fn whitening(moments: &Moments, shrinkage: f64) -> Result<PerModality<LinearMap>, FitError> {
    let side = |(s, mean): (Mat<f64>, Vec<f64>)| {
        let l = factor(&s, shrinkage)?;
        let mut m = Mat::<f64>::identity(s.nrows(), s.nrows());
        solve_upper_triangular_in_place(l.L().transpose(), m.as_mut(), Par::Seq);
        Ok(LinearMap::new(
            floats(&mean),
            to_array(&m),
            vec![1.0; s.nrows()],
        ))
    };
    let own = checked(moments)?.own;
    own.zip(moments.means()).try_map(side)
}

fn onto_texts(moments: &Moments, w: &Mat<f64>) -> PerModality<LinearMap> {
    let means = moments.means().map(|mean| floats(&mean));
    let scale = vec![1.0; w.ncols()];
    PerModality {
        image: LinearMap::new(means.image, to_array(w), scale),
        // The text side stays as it is: the target is the texts' own space.
        text: LinearMap::identity(means.text),
    }
}

/// [`Covariances`] as matrices of the solvers.
struct FitCovariances {
    own: PerModality<Mat<f64>>,
    cross: Mat<f64>,
}

/// The covariances, unless those of a side are zero.
fn checked(moments: &Moments) -> Result<FitCovariances, FitError> {
    let Covariances { own, cross } = moments.covariances();
    let matrix = |c: Array2<f64>| Mat::from_fn(c.nrows(), c.ncols(), |i, j| c[[i, j]]);
    let (own, cross) = (own.map(matrix), matrix(cross));
    // A constant side has no variance, and its factor would divide by zero.
    let flat = |s: &Mat<f64>| (0..s.nrows()).map(|i| s[(i, i)]).sum::<f64>() <= 1e-12;
    if moments.count() < 2 || own.iter().any(flat) {
        return Err(FitError::TooFew(moments.count()));
    }
    Ok(FitCovariances { own, cross })
}

/// The Cholesky factor of `s + shrinkage * mean(eig(s)) * I`.
fn factor(s: &Mat<f64>, shrinkage: f64) -> Result<Llt<f64>, FitError> {
    let n = s.nrows();
    // The trace is the sum of the eigenvalues, so their mean needs no decomposition.
    let mean = (0..n).map(|i| s[(i, i)]).sum::<f64>() / n as f64;
    let mut shrunk = s.clone();
    for i in 0..n {
        // In units of the mean variance, so that a shrinkage means the same for encoders of any scale.
        shrunk[(i, i)] += shrinkage * mean;
    }
    shrunk
        .llt(Side::Lower)
        .map_err(|_| FitError::Decomposition("Cholesky factor"))
}

fn floats(v: &[f64]) -> Vec<f32> {
    v.iter().map(|&x| x as f32).collect()
}

fn to_array(m: &Mat<f64>) -> Array2<f32> {
    Array2::from_shape_fn((m.nrows(), m.ncols()), |(i, j)| m[(i, j)] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vector::{dot, normalize};
    use asif_index::random::SplitMix64;
    use ndarray::Array1;

    const DIMS: PerModality<usize> = PerModality { image: 7, text: 4 };

    /// Pairs whose sides share three directions.
    fn moments(n: usize) -> Moments {
        let mut random = SplitMix64::new(1);
        let mut draw = move || random.unit() as f32 - 0.5;
        let mut moments = Moments::new(DIMS);
        for _ in 0..n {
            let shared = [draw(), draw(), draw()];
            let mut side = |dim: usize| {
                let mut v: Vec<f32> = (0..dim)
                    .map(|j| shared[j % 3] * (1.0 + j as f32) + 0.4 * draw())
                    .collect();
                normalize(&mut v);
                v
            };
            let pair = DIMS.map(&mut side);
            moments.add(pair.as_ref().map(Vec::as_slice));
        }
        moments
    }

    fn shrunk(s: &Array2<f64>, shrinkage: f64) -> Array2<f64> {
        let mean = s.diag().sum() / s.nrows() as f64;
        s + &(Array2::<f64>::eye(s.nrows()) * (shrinkage * mean))
    }

    fn wide(map: &LinearMap) -> Array2<f64> {
        let rows: Vec<&[f32]> = map.matrix().unwrap().iter().collect();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| f64::from(rows[i][j]))
    }

    fn near(got: &Array2<f64>, want: &Array2<f64>) {
        let worst = (got - want).iter().fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(worst < 1e-4, "off by {worst}:\n{got:.5}\n{want:.5}");
    }

    /// The definition of canonical coordinates: those of one side are uncorrelated with variance
    /// `S^(2 exponent)`, and those of the two sides correlate only with the same index, by `S`.
    #[test]
    fn canonical_coordinates_are_those_of_the_definition() {
        for (shrinkage, exponent) in [(1.0, 0.5), (0.01, 1.0), (0.3, 0.0)] {
            let params = CanonicalParams {
                dims: 3,
                shrinkage,
                exponent,
            };
            let moments = moments(300);
            let Covariances { own, cross } = moments.covariances();
            let maps = canonical(&moments, &params).unwrap();
            let correlations = maps.image.scale().to_vec();
            assert!(correlations.is_sorted_by(|a, b| a >= b) && correlations[0] <= 1.0);
            let power = |p: f64| {
                Array2::from_diag(&Array1::from_iter(
                    correlations.iter().map(|&s| f64::from(s).powf(p)),
                ))
            };
            let (mx, my) = (wide(&maps.image), wide(&maps.text));
            near(
                &mx.t().dot(&shrunk(&own.image, shrinkage)).dot(&mx),
                &power(2.0 * exponent),
            );
            near(
                &my.t().dot(&shrunk(&own.text, shrinkage)).dot(&my),
                &power(2.0 * exponent),
            );
            near(&mx.t().dot(&cross).dot(&my), &power(2.0 * exponent + 1.0));
        }
    }

    #[test]
    fn ridge_solves_the_normal_equations() {
        let moments = moments(300);
        let Covariances { own, cross } = moments.covariances();
        let PerModality { image, text } = ridge(&moments, 0.5).unwrap();
        near(&shrunk(&own.image, 0.5).dot(&wide(&image)), &cross);
        assert!(text.matrix().is_none());
        assert_eq!(text.coordinates(), image.coordinates());
    }

    #[test]
    fn procrustes_has_orthonormal_columns_and_whitening_makes_the_identity() {
        let moments = moments(300);
        let own = moments.covariances().own;
        let w = wide(&procrustes(&moments).unwrap().image);
        near(&w.t().dot(&w), &Array2::eye(DIMS.text));
        let maps = whitening(&moments, 0.2).unwrap();
        for (s, map) in own.iter().zip(maps.iter()) {
            let m = wide(map);
            near(&m.t().dot(&shrunk(s, 0.2)).dot(&m), &Array2::eye(s.nrows()));
        }
    }

    /// The pairs' products, weighted as in the documentation of `canonical`, add up to the score.
    #[test]
    fn a_canonical_score_splits_into_pairs_through_the_covariance() {
        let moments = moments(300);
        let cross = moments.covariances().cross;
        for exponent in [0.5, 1.0] {
            let params = CanonicalParams {
                dims: 3,
                shrinkage: 0.5,
                exponent,
            };
            let maps = canonical(&moments, &params).unwrap();
            let (u, v) = ([0.6f32, -0.48, 0.64], [0.8f32, 0.36, -0.48]);
            let g = maps.image.unscaled(&u, 1.0);
            let h = maps.text.unscaled(&v, 2.0 * exponent as f32);
            let sum: f64 = (0..DIMS.image)
                .flat_map(|i| (0..DIMS.text).map(move |j| (i, j)))
                .map(|(i, j)| f64::from(g[i]) * cross[[i, j]] * f64::from(h[j]))
                .sum();
            assert!((sum - dot(&u, &v)).abs() < 1e-4, "{sum}");
        }
    }

    #[test]
    fn directions_that_no_pair_knows_of_are_left_out() {
        let few = moments(3);
        let w = wide(&procrustes(&few).unwrap().image);
        let squares: f64 = w.iter().map(|v| v * v).sum();
        assert!(
            (squares - 2.0).abs() < 1e-4,
            "three pairs fix two directions: {squares}"
        );
        let params = CanonicalParams {
            dims: 4,
            shrinkage: 0.1,
            exponent: 0.0,
        };
        let map = wide(&canonical(&few, &params).unwrap().image);
        let column = |j: usize| map.column(j).iter().map(|v| v.abs()).sum::<f64>();
        assert!(column(0) > 0.0 && column(1) > 0.0);
        assert_eq!((column(2), column(3)), (0.0, 0.0));
    }

    #[test]
    fn too_few_pairs_are_an_error_and_no_panic() {
        for n in [0, 1] {
            let error = canonical(&moments(n), &CanonicalParams::default()).unwrap_err();
            assert_eq!(error, FitError::TooFew(n as u64));
        }
        canonical(&moments(2), &CanonicalParams::default()).unwrap();
        procrustes(&moments(2)).unwrap();
    }
}
