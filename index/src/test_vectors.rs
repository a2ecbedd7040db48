//! Vectors for tests: drawn from a seed, clustered as embeddings are; and pools of threads.

use crate::random::SplitMix64;
use crate::{VectorOptions, VectorSet, VectorSetWriter};

/// `[n, dim]` unit vectors around 50 centres, the same centres for every seed.
pub(crate) fn clustered(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(99);
    let centers: Vec<f32> = (0..50 * dim).map(|_| random.normal()).collect();
    let mut random = SplitMix64::new(seed);
    let mut out = Vec::with_capacity(n * dim);
    for _ in 0..n {
        let center = &centers[(random.bits() % 50) as usize * dim..][..dim];
        let row: Vec<f32> = center.iter().map(|c| c + 1.2 * random.normal()).collect();
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        out.extend(row.iter().map(|v| v / norm));
    }
    out
}

/// A set of rows, written to a temporary file and mapped.
pub(crate) fn set_with(rows: &[f32], dim: usize, options: VectorOptions) -> VectorSet {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let mut writer = VectorSetWriter::create(&path, dim, options).unwrap();
    writer.push_rows(rows).unwrap();
    writer.finish().unwrap();
    VectorSet::open(&path).unwrap()
}

/// A pool with this number of threads, to test that results do not depend on it.
pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().unwrap()
}
