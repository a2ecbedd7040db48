//! Any bytes as a vector set: opened, searched, verified; never a crash.
//!
//! `cargo +nightly fuzz run open_and_search fuzz/corpus`. The same steps run over damaged good
//! files in `index/tests/fuzz_corpus.rs`, with checksums made right again so that what lies behind
//! them is reached.
#![no_main]

use asif_index::{Flat, Query, Search, VectorSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(set) = VectorSet::from_bytes("fuzz", bytes) else { return };
    let vector = vec![0.5f32; set.dim()];
    let query = Query::new(&vector);
    for k in [1, 17] {
        for hits in [set.search(&query, k), Flat::new(&set).search(&query, k)] {
            if let Ok(hits) = hits {
                assert_eq!(hits.len(), k.min(set.len()));
            }
        }
    }
    let _ = set.verify();
});
