//! Vectors for tests: drawn from a seed, clustered as embeddings are; and pools of threads.

use crate::{VectorOptions, VectorSet, VectorSetWriter};

/// A small generator (splitmix64) whose numbers are part of the tests' expectations.
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// About normal, unit variance.
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..6)
            .map(|_| (self.next() >> 11) as f64 / (1u64 << 53) as f64)
            .sum();
        ((sum - 3.0) * std::f64::consts::SQRT_2) as f32
    }
}

/// `[n, dim]` unit vectors around 50 centres, the same centres for every seed.
pub(crate) fn clustered(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(99);
    let centers: Vec<f32> = (0..50 * dim).map(|_| random.normal()).collect();
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(n * dim);
    for _ in 0..n {
        let center = &centers[(random.next() % 50) as usize * dim..][..dim];
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

/// A pool of so many threads, to show that their number does not matter.
pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().unwrap()
}
