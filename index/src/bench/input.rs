//! Loads vectors and queries from files, or generates them from a seed.

use super::npy::{NpyMatrix, read_npy};
use super::options::{BenchInput, argument};
use crate::error::Result;
use crate::random::mix;

/// The number of queries generated with generated vectors.
const GENERATED_QUERIES: usize = 200;

/// The vectors and the queries.
pub(super) fn load(input: &BenchInput) -> Result<(NpyMatrix, NpyMatrix)> {
    let (vectors, queries) = match input {
        BenchInput::Files { vectors, queries } => (read_npy(vectors)?, read_npy(queries)?),
        BenchInput::Generate { n, dim } => {
            if !(1..=crate::vectors::MAX_DIM).contains(dim) {
                return Err(argument("dim", "1 to 65536", &dim.to_string()));
            }
            (generate(*n, *dim, 1), generate(GENERATED_QUERIES, *dim, 2))
        }
    };
    if vectors.dim != queries.dim {
        let found = format!("{} and {}", vectors.dim, queries.dim);
        return Err(argument("dim of vectors and queries", "the same", &found));
    }
    if vectors.rows() == 0 || queries.rows() == 0 {
        return Err(argument("vectors and queries", "at least one each", "none"));
    }
    Ok((vectors, queries))
}

/// Unit vectors around 1,000 centres that are the same for every seed.
fn generate(n: usize, dim: usize, seed: u64) -> NpyMatrix {
    // Sums of a few uniform numbers are close enough to normal here, and reproducible on every platform.
    let normal = |key: u64| {
        let parts = mix(key);
        let sum: u64 = (0..4).map(|i| (parts >> (16 * i)) & 0xFFFF).sum();
        sum as f32 / 65_536.0 - 2.0
    };
    let mut data = vec![0f32; n * dim];
    for (i, row) in data.chunks_exact_mut(dim).enumerate() {
        let row_key = mix(seed << 40 ^ i as u64);
        let center_key = mix(row_key) % 1000;
        for (j, value) in row.iter_mut().enumerate() {
            let center = normal(mix(center_key + 1) ^ j as u64);
            *value = center + normal(row_key.wrapping_add(mix(j as u64)));
        }
        let norm = row
            .iter()
            .map(|v| v * v)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|v| *v /= norm);
    }
    NpyMatrix { data, dim }
}
