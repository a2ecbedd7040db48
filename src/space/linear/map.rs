//! A linear map: subtracts a centre and multiplies by a matrix.

use ndarray::Array2;

use crate::space::product::RowMatrix;
use crate::space::vector::{ROUNDING, dot, normalize_rest};

/// A linear map of the vectors of one side to coordinates: `normalise((x - center) M)`.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearMap {
    center: Vec<f32>,
    center_norm: f64,
    /// `None` is the identity.
    matrix: Option<ProjectionMatrix>,
    /// A number for each coordinate, `[coordinates]`: for canonical coordinates the correlation.
    scale: Vec<f32>,
}

/// A matrix and its transpose, each in the order in which it is multiplied.
#[derive(Debug, Clone, PartialEq)]
struct ProjectionMatrix {
    /// `[coordinates, dim]`.
    forth: RowMatrix,
    /// `[dim, coordinates]`.
    back: RowMatrix,
    /// The Frobenius norm, an upper bound on how much a vector grows.
    norm: f64,
}

impl LinearMap {
    /// Only subtracts `center` and normalises.
    pub(crate) fn identity(center: Vec<f32>) -> Self {
        let scale = vec![1.0; center.len()];
        Self {
            center_norm: dot(&center, &center).sqrt(),
            center,
            matrix: None,
            scale,
        }
    }

    /// `matrix` is `[dim, coordinates]`; `scale` holds a number for each coordinate, for canonical
    /// coordinates the correlation.
    pub(crate) fn new(center: Vec<f32>, matrix: Array2<f32>, scale: Vec<f32>) -> Self {
        let squares = matrix.iter().map(|&m| f64::from(m).powi(2));
        let matrix = ProjectionMatrix {
            norm: squares.sum::<f64>().sqrt(),
            // Both orders are stored, because a product reads rows and each direction needs its own.
            forth: RowMatrix::from(&matrix.t().to_owned()),
            back: RowMatrix::from(&matrix),
        };
        Self {
            center_norm: dot(&center, &center).sqrt(),
            center,
            matrix: Some(matrix),
            scale,
        }
    }

    /// The centre, `[dim]`.
    pub(crate) fn center(&self) -> &[f32] {
        &self.center
    }

    /// The matrix, `[dim, coordinates]`, if it is not the identity.
    pub fn matrix(&self) -> Option<&RowMatrix> {
        self.matrix.as_ref().map(|matrix| &matrix.back)
    }

    /// A number for each coordinate, `[coordinates]`: for canonical coordinates the correlation.
    #[cfg(test)]
    pub(crate) fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// The number of coordinates.
    pub(crate) fn coordinates(&self) -> usize {
        self.scale.len()
    }

    /// The coordinates of vectors, `[n, dim]` row-major, as `[n, coordinates]` of unit norm; zero for a
    /// vector whose coordinates are only rounding.
    pub(crate) fn apply(&self, vectors: &[f32]) -> Vec<f32> {
        let mut out = self.project(vectors);
        let rows = out.chunks_exact_mut(self.coordinates().max(1));
        for (row, x) in rows.zip(vectors.chunks_exact(self.center.len().max(1))) {
            normalize_rest(row, self.operands(x));
        }
        out
    }

    /// The scale of the rounding in the coordinates of `x`: the norms of the operands of the subtraction,
    /// times the norm of the matrix.
    fn operands(&self, x: &[f32]) -> f64 {
        let stretch = self.matrix.as_ref().map_or(1.0, |matrix| matrix.norm);
        stretch * (dot(x, x).sqrt() + self.center_norm)
    }

    /// The norms of the coordinates before normalisation, `[n]`; 0 where they are only rounding.
    pub(crate) fn norms(&self, vectors: &[f32]) -> Vec<f32> {
        let projected = self.project(vectors);
        let rows = projected.chunks_exact(self.coordinates().max(1));
        rows.zip(vectors.chunks_exact(self.center.len().max(1)))
            .map(|(row, x)| {
                let norm = dot(row, row).sqrt();
                // A vector near the centre leaves only the rounding of the subtraction, whose direction means
                // nothing.
                if norm > ROUNDING * self.operands(x) {
                    norm as f32
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// `(x - center) M` for each row.
    fn project(&self, vectors: &[f32]) -> Vec<f32> {
        // `max(1)`: chunks of zero length panic, and a map without dimensions has no rows.
        let rows = vectors.chunks_exact(self.center.len().max(1));
        let centered: Vec<f32> = rows
            .flat_map(|row| row.iter().zip(&self.center).map(|(v, c)| v - c))
            .collect();
        match &self.matrix {
            Some(matrix) => matrix.forth.times(&centered),
            None => centered,
        }
    }

    /// The vectors `q`, `[n, dim]`, and the numbers `b`, `[n]`, with `<q, a> + b = <u, (a - center) M>`
    /// for any `a`, where `u` are coordinates, `[n, coordinates]`. So projected anchors are searched
    /// without storing them.
    pub(crate) fn pull_back(&self, u: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let vectors = match &self.matrix {
            Some(matrix) => matrix.back.times(u),
            None => u.to_vec(),
        };
        let queries = vectors.chunks_exact(self.center.len().max(1));
        // `<u, (a - c) M> = <M u, a> - <M u, c>`: the second product is the bias.
        let biases = queries.map(|q| -dot(q, &self.center) as f32).collect();
        (vectors, biases)
    }

    /// `M scale^-power u`, `[dim]`, for coordinates `u`; used to explain a canonical score, see
    /// [`canonical`](super::canonical). Coordinates of scale 0 are skipped.
    pub(crate) fn unscaled(&self, u: &[f32], power: f32) -> Vec<f32> {
        // A coordinate of scale 0 has no share in a score, so it explains nothing.
        let unscaled = |(u, s): (&f32, &f32)| if *s > 0.0 { u / s.powf(power) } else { 0.0 };
        let u: Vec<f32> = u.iter().zip(&self.scale).map(unscaled).collect();
        self.pull_back(&u).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::frame::CoordinateFrame;

    #[test]
    fn a_vector_at_the_centre_has_no_coordinates() {
        let matrix =
            Array2::from_shape_fn((3, 2), |(i, j)| (i + 1) as f32 * 30.0 - j as f32 * 70.0);
        let center = vec![0.6f32, -0.48, 0.64];
        let near: Vec<f32> = center.iter().map(|v| v * (1.0 + f32::EPSILON)).collect();
        for map in [
            LinearMap::identity(center.clone()),
            LinearMap::new(center.clone(), matrix, vec![1.0; 2]),
        ] {
            assert!(map.apply(&near).iter().all(|v| *v == 0.0));
            assert_eq!(map.norms(&near), [0.0]);
            let far = [0.8f32, -0.6, 0.0];
            assert!((map.apply(&far).iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn projected_anchors_are_compared_where_they_lie() {
        let matrix = Array2::from_shape_fn((3, 2), |(i, j)| (i + 1) as f32 * 0.3 - j as f32 * 0.7);
        let map = LinearMap::new(vec![0.1, -0.2, 0.3], matrix, vec![1.0; 2]);
        let (x, anchors) = ([0.3f32, 0.5, -0.1], [0.9f32, 0.1, 0.4, -0.3, 0.8, 0.2]);
        let frame = CoordinateFrame::mapped(map.clone(), &map.norms(&anchors));
        let (q, bias) = frame.queries(&x, 3).remove(0);
        let (u, v) = (map.apply(&x), map.apply(&anchors));
        for (i, w) in frame.weights().unwrap().iter().enumerate() {
            let want = dot(&u, &v[i * 2..i * 2 + 2]) as f32;
            let got = (dot(&q, &anchors[i * 3..i * 3 + 3]) as f32 + bias) * w;
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    }
}
