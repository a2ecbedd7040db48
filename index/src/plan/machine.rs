//! The costs of reading memory on this machine.

use std::time::Instant;

use crate::random::mix;
use crate::simd::KernelTable;

/// Bytes read by the calibration: more than the caches of most machines.
const SAMPLE: usize = 48 << 20;
/// Width of a row in the sample.
const ROW: usize = 192;
/// Nodes visited by a walk for each node of its beam, on real embeddings of 10^4 to 10^6 rows.
const VISITS_A_NODE: f64 = 9.0;
/// The cost of a visited node besides reading its codes, in nanoseconds: links, marks, the heap.
const VISIT_NS: f64 = 12.0;

/// Candidates of a sketch search for each answer, on real embeddings at a recall of 0.99.
const CANDIDATES: f64 = 4.0;
/// Bytes written and read for a row's estimate, besides its bits.
const ESTIMATE_BYTES: f64 = 12.0;

/// The two memory costs that decide between a scan and a graph.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MachineCosts {
    /// Sequential reads of one thread, in bytes a nanosecond (GB/s).
    pub scan_bytes_per_ns: f64,
    /// Random reads: nanoseconds a cache line, with many rows in flight.
    pub line_ns: f64,
}

impl MachineCosts {
    /// Measures for about a tenth of a second, on one thread and 48 MiB.
    pub fn calibrate() -> Self {
        let kernels = KernelTable::detect();
        // Not zeros: untouched pages of zeros are all one physical page, which is read from the cache.
        let bytes = vec![0x77u8; SAMPLE / ROW * ROW];
        let rows = bytes.len() / ROW;
        let query = vec![1i8; ROW];
        let mut products = vec![0i32; 256];
        let scan = fastest(3, || {
            for block in bytes.chunks_exact(256 * ROW) {
                kernels.u8_rows(&query, block, &mut products);
            }
        });
        // Random rows, as a walk meets them, so that no prefetcher guesses them.
        let ids: Vec<u32> = (0..32_768u64)
            .map(|i| (mix(i) % rows as u64) as u32)
            .collect();
        let walk = fastest(3, || {
            for ids in ids.chunks_exact(64) {
                kernels.u8_at(&query, &bytes, ids, &mut products[..64]);
            }
        });
        Self {
            scan_bytes_per_ns: bytes.len() as f64 / scan,
            line_ns: walk / (ids.len() * ROW / 64) as f64,
        }
    }

    /// The expected milliseconds of one query by scanning int8 codes.
    pub fn flat_ms(&self, n: usize, dim: usize) -> f64 {
        n as f64 * dim.next_multiple_of(64) as f64 / self.scan_bytes_per_ns / 1e6
    }

    /// The expected milliseconds of one query by scanning sketches.
    ///
    /// An upper bound if the bits fit in the cache.
    pub fn sketch_ms(&self, n: usize, dim: usize, k: usize) -> f64 {
        let row = dim.next_multiple_of(16) as f64 / 8.0 + ESTIMATE_BYTES;
        let lines = dim.next_multiple_of(64) as f64 / 64.0;
        let candidates = (k as f64 * CANDIDATES).min(n as f64);
        (n as f64 * row / self.scan_bytes_per_ns + candidates * lines * self.line_ns) / 1e6
    }

    /// The expected milliseconds of one query through a graph.
    pub fn graph_ms(&self, n: usize, dim: usize, k: usize) -> f64 {
        // A walk needs somewhat more than k candidates, and a constant for small k.
        let beam = k as f64 * 1.25 + 16.0;
        let visits = (beam * VISITS_A_NODE).min(n as f64);
        // Graph codes take 4 bits a number, so a cache line holds 128 of them.
        let lines = dim.next_multiple_of(128) as f64 / 128.0;
        visits * (lines * self.line_ns + VISIT_NS) / 1e6
    }

    /// Whether a graph over `n` vectors is expected to answer single queries clearly faster than the better
    /// scan, with the reason. The margin accounts for building, storing and rebuilding a graph.
    pub fn graph_pays(&self, n: usize, dim: usize, k: usize) -> (bool, String) {
        let (flat, graph) = (self.flat_ms(n, dim), self.graph_ms(n, dim, k));
        let sketch = self.sketch_ms(n, dim, k);
        let pays = flat.min(sketch) > 1.3 * graph;
        let reason = format!(
            "{n} vectors of {dim}, k {k}: a scan is expected to take {flat:.2} ms, one of \
             1-bit codes {sketch:.2} ms, a graph {graph:.2} ms a query ({:.1} GB/s, {:.1} ns a line here); {}",
            self.scan_bytes_per_ns,
            self.line_ns,
            if pays {
                "a graph pays"
            } else {
                "a scan is enough"
            }
        );
        (pays, reason)
    }
}

/// The fastest of some runs, in nanoseconds.
fn fastest(runs: usize, mut run: impl FnMut()) -> f64 {
    let times = (0..runs).map(|_| {
        let began = Instant::now();
        run();
        began.elapsed().as_nanos() as f64
    });
    // The minimum, because everything else on the machine only makes a run slower.
    times.fold(f64::INFINITY, f64::min).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_pays_for_many_vectors_and_not_for_few() {
        let machine = MachineCosts {
            scan_bytes_per_ns: 30.0,
            line_ns: 11.0,
        };
        for (n, k, pays) in [
            (1000, 800, false),
            (10_000, 800, false),
            (100_000, 800, false),
            (1_000_000, 800, true),
            (100_000, 10, true),
            (0, 10, false),
        ] {
            let (found, reason) = machine.graph_pays(n, 384, k);
            assert_eq!(found, pays, "{reason}");
            assert!(reason.contains(&n.to_string()));
        }
    }

    #[test]
    fn calibration_finds_costs_that_exist() {
        let machine = MachineCosts::calibrate();
        assert!(machine.scan_bytes_per_ns > 0.0 && machine.scan_bytes_per_ns.is_finite());
        assert!(machine.line_ns > 0.0 && machine.line_ns.is_finite());
    }
}
