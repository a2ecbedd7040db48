//! How long does fitting a space take, and changing it by a removal?
//!
//! ```sh
//! cargo bench --bench space_fit [-- PAIRS]
//! ```
//!
//! 100,000 drawn pairs of 1280 and 384 numbers unless told otherwise: the moments of all pairs, each
//! closed form, and a whole view (maps, the weights of all anchors, the cohort) of a set on disk; then
//! 1,000 pairs leave, and the updated fit is compared with one of the remaining pairs from scratch.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]

use std::time::Instant;

use asif::anchors::change::vectors::{NewSetOptions, PairVectors, create};
use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorSet, Searcher};
use asif::modality::PerModality;
use asif::space::linear::CanonicalParams;
use asif::space::linear::{LinearMap, Moments, canonical, procrustes, ridge, whitening};
use asif::space::recipe::{Recipe, known_spaces};
use asif_index::random::SplitMix64;

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

const DIMS: PerModality<usize> = PerModality {
    image: 1280,
    text: 384,
};
const REMOVED: usize = 1000;

fn main() {
    let given = std::env::args().skip(1).find_map(|a| a.parse().ok());
    let n: usize = given.unwrap_or(100_000);
    let (x, y) = pairs(n);
    println!("{n} pairs of {} and {} numbers", DIMS.image, DIMS.text);

    let mut moments = Moments::new(DIMS);
    timed("moments of all pairs", || {
        moments.add(PerModality {
            image: &x,
            text: &y,
        })
    });
    let params = CanonicalParams::default();
    let fit = |m: &Moments| canonical(m, &params).unwrap();
    timed("canonical coordinates from moments", || fit(&moments));
    timed("ridge from moments", || ridge(&moments, 1.0).unwrap());
    timed("Procrustes from moments", || procrustes(&moments).unwrap());
    timed("whitening from moments", || {
        whitening(&moments, 1.0).unwrap()
    });

    let updated = timed("1,000 pairs leave, canonical fit", || {
        let mut gone = Moments::new(DIMS);
        gone.add(PerModality {
            image: &x[..REMOVED * DIMS.image],
            text: &y[..REMOVED * DIMS.text],
        });
        moments.subtract(&gone);
        fit(&moments)
    });
    let mut rest = Moments::new(DIMS);
    rest.add(PerModality {
        image: &x[REMOVED * DIMS.image..],
        text: &y[REMOVED * DIMS.text..],
    });
    let anew = fit(&rest);
    for (side, (a, b)) in ["image", "text"]
        .iter()
        .zip(updated.iter().zip(anew.iter()))
    {
        println!(
            "{side} map, cosine with a fit from scratch: {:.9}",
            cosine(a, b)
        );
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.asif");
    let making = NewSetOptions {
        space: Recipe::default(),
        ..synthetic::making(DIMS)
    };
    let rows = x.chunks_exact(DIMS.image).zip(y.chunks_exact(DIMS.text));
    let pairs = rows.enumerate().map(|(i, (x, y))| PairVectors {
        image: x.to_vec(),
        text: y.to_vec(),
        ..synthetic::pair(i as u64)
    });
    timed("a set on disk from vectors", || {
        create(&path, &making, pairs).unwrap()
    });
    let set = AnchorSet::open(&path).unwrap();
    for (name, _) in known_spaces() {
        let recipe = Recipe::named(name).unwrap();
        timed(&format!("open space `{name}`"), || {
            Searcher::new(&set, recipe, SearchMode::Auto).unwrap();
        });
    }
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("{:8.3} s  {what}", start.elapsed().as_secs_f64());
    result
}

fn cosine(a: &LinearMap, b: &LinearMap) -> f64 {
    let [a, b] = [a, b].map(|map| map.matrix().unwrap().iter().collect::<Vec<_>>().concat());
    let dot = asif::space::vector::dot;
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

/// Unit vectors of both sides that share a dozen directions.
fn pairs(n: usize) -> (Vec<f32>, Vec<f32>) {
    let mut random = SplitMix64::new(1);
    let mut draw = move || random.unit() as f32 - 0.5;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let shared: Vec<f32> = (0..12).map(|_| draw()).collect();
        for (out, dim) in [(&mut x, DIMS.image), (&mut y, DIMS.text)] {
            let mut row: Vec<f32> = (0..dim).map(|j| shared[j % 12] + draw()).collect();
            asif::space::vector::normalize(&mut row);
            out.extend(row);
        }
    }
    (x, y)
}
