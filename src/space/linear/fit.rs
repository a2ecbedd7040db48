//! Canonical coordinates, ridge, Procrustes and whitening, from second moments.
//!
//! Symmetric inverse roots are not needed: with `S = L L'` the product `L^-1 C K'^-1` has the same
//! singular values as `S_x^-1/2 C S_y^-1/2`, and `L'^-1 U` the same canonical directions. So a fit is
//! two Cholesky factors, two triangular solves and one SVD of the shorter side, whatever the number
//! of pairs. Everything runs on one thread, so the same moments give the same bits.

use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par, Side};
use ndarray::Array2;

use super::{LinearMap, Moments};
use crate::space::recipe::Canonical;

/// The moments of some pairs allow no map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There is nothing to fit.
    #[error("{0} pairs are too few for this space; it needs at least 2 that differ on both sides")]
    TooFew(u64),
    /// A decomposition did not succeed.
    #[error("the {0} of these pairs' moments failed; use the space `asif`")]
    Decomposition(&'static str),
}

/// Canonical coordinates of both sides: the maps of images and of texts.
///
/// The product of two coordinates `u` and `v` splits into the anchor pairs `(a_i, b_i)` exactly:
/// with the correlations `S` and the exponent `e`, `M_x' C_xy M_y = S^(2e + 1)`, so
/// `<u, v> = (1/n) sum_i <M_x S^-1 u, a_i - m_a> <M_y S^-2e v, b_i - m_b>`.
///
/// # Errors
/// [`FitError`].
pub fn canonical(moments: &Moments, params: &Canonical) -> Result<[LinearMap; 2], FitError> {
    let covariances = checked(moments)?;
    let [sx, sy, cxy] = covariances;
    let (lx, ly) = (
        factor(&sx, params.shrinkage)?,
        factor(&sy, params.shrinkage)?,
    );
    let mut left = cxy;
    solve_lower_triangular_in_place(lx.L(), left.as_mut(), Par::Seq);
    let mut between = left.transpose().to_owned();
    solve_lower_triangular_in_place(ly.L(), between.as_mut(), Par::Seq);
    // `between` is [dy, dx]: its left singular vectors are the texts'.
    let svd = between
        .thin_svd()
        .map_err(|_| FitError::Decomposition("SVD"))?;
    let correlations = svd.S().column_vector();
    let dims = params.dims.min(correlations.nrows());
    let scale: Vec<f64> = (0..dims)
        .map(|i| correlations[i].max(0.0).powf(params.exponent))
        .collect();
    let side = |directions: faer::MatRef<'_, f64>, l: &Llt<f64>| {
        let mut m = Mat::from_fn(directions.nrows(), dims, |i, j| {
            directions[(i, j)] * scale[j]
        });
        solve_upper_triangular_in_place(l.L().transpose(), m.as_mut(), Par::Seq);
        to_array(&m)
    };
    let correlations: Vec<f32> = (0..dims).map(|i| correlations[i] as f32).collect();
    let means = moments.means();
    let [x, y] = [(svd.V(), &lx, &means[0]), (svd.U(), &ly, &means[1])]
        .map(|(d, l, mean)| LinearMap::new(floats(mean), side(d, l), correlations.clone()));
    Ok([x, y])
}

/// Ridge regression from images to texts: `W = (S_x + shrinkage mean(eig) I)^-1 C_xy`.
///
/// # Errors
/// [`FitError`].
pub fn ridge(moments: &Moments, shrinkage: f64) -> Result<[LinearMap; 2], FitError> {
    let [sx, _, cxy] = checked(moments)?;
    let w = factor(&sx, shrinkage)?.solve(&cxy);
    Ok(onto_texts(moments, &w))
}

/// The best rotation from images to texts: `U S V' = svd(C_xy)`, `W = U V'` (Schönemann 1966).
///
/// # Errors
/// [`FitError`].
pub fn procrustes(moments: &Moments) -> Result<[LinearMap; 2], FitError> {
    let [_, _, cxy] = checked(moments)?;
    let svd = cxy.thin_svd().map_err(|_| FitError::Decomposition("SVD"))?;
    let w = svd.U() * svd.V().transpose();
    Ok(onto_texts(moments, &w))
}

/// Each side by itself to coordinates in which its covariance, shrunk, is the identity.
///
/// # Errors
/// [`FitError`].
pub fn whitening(moments: &Moments, shrinkage: f64) -> Result<[LinearMap; 2], FitError> {
    let [sx, sy, _] = checked(moments)?;
    let means = moments.means();
    let side = |s: &Mat<f64>, mean: &[f64]| {
        let l = factor(s, shrinkage)?;
        let mut m = Mat::<f64>::identity(s.nrows(), s.nrows());
        solve_upper_triangular_in_place(l.L().transpose(), m.as_mut(), Par::Seq);
        Ok(LinearMap::new(
            floats(mean),
            to_array(&m),
            vec![1.0; s.nrows()],
        ))
    };
    Ok([side(&sx, &means[0])?, side(&sy, &means[1])?])
}

fn onto_texts(moments: &Moments, w: &Mat<f64>) -> [LinearMap; 2] {
    let [x, y] = moments.means().map(|mean| floats(&mean));
    let scale = vec![1.0; w.ncols()];
    [
        LinearMap::new(x, to_array(w), scale),
        LinearMap::identity(y),
    ]
}

/// The covariances, if there is anything in them.
fn checked(moments: &Moments) -> Result<[Mat<f64>; 3], FitError> {
    let covariances = moments
        .covariances()
        .map(|c| Mat::from_fn(c.nrows(), c.ncols(), |i, j| c[[i, j]]));
    let flat = |s: &Mat<f64>| (0..s.nrows()).map(|i| s[(i, i)]).sum::<f64>() <= 1e-12;
    if moments.count() < 2 || flat(&covariances[0]) || flat(&covariances[1]) {
        return Err(FitError::TooFew(moments.count()));
    }
    Ok(covariances)
}

/// The Cholesky factor of `s + shrinkage * mean(eig(s)) * I`.
fn factor(s: &Mat<f64>, shrinkage: f64) -> Result<Llt<f64>, FitError> {
    let n = s.nrows();
    let mean = (0..n).map(|i| s[(i, i)]).sum::<f64>() / n as f64;
    let mut shrunk = s.clone();
    for i in 0..n {
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
