//! Makes an anchor set of vectors that were computed elsewhere, and compares others in it: no encoder, no
//! ONNX Runtime.
//!
//! ```text
//! cargo run --release --example own_vectors -- NEW.asif
//! ```
//!
//! The vectors are invented here: each image is a noisy linear map of a few numbers, each text another map
//! of the same numbers. Two modalities of different dimensions, no training, and the space finds which text
//! belongs to which image.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;

use asif::vectors::{NewSetOptions, PairVectors, create};
use asif::{EncoderEntry, GraphPolicy, Modality, PairRecord, Recipe, Snapshot};
use asif_index::random::SplitMix64;

const HIDDEN: usize = 12;
const IMAGE_DIM: usize = 64;
const TEXT_DIM: usize = 48;
const PAIRS: u64 = 1000;
const ASKED: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(out) = std::env::args().nth(1) else {
        return Err("usage: own_vectors NEW.asif".into());
    };
    let making = NewSetOptions {
        image_encoder: EncoderEntry::elsewhere("my image model", Modality::Image, IMAGE_DIM),
        text_encoder: EncoderEntry::elsewhere("my text model", Modality::Text, TEXT_DIM),
        space: Recipe::fused(),
        graphs: GraphPolicy::Auto,
    };
    create(Path::new(&out), &making, (0..PAIRS).map(pair))?;

    let space = Snapshot::open(&out)?;
    let asked: Vec<PairVectors> = (PAIRS..PAIRS + ASKED).map(pair).collect();
    let images: Vec<f32> = asked.iter().flat_map(|pair| pair.image.clone()).collect();
    let texts: Vec<f32> = asked.iter().flat_map(|pair| pair.text.clone()).collect();
    let scores = space.scores(&images, &texts)?;
    let is_first = |(number, row): (usize, &[f32])| row.iter().all(|&score| score <= row[number]);
    let rows = scores.chunks(asked.len()).enumerate();
    let right = rows.filter(|&row| is_first(row)).count();
    println!("{right} of {ASKED} images find their own text first");
    Ok(())
}

/// A pair that is the same whenever it is made with this number.
fn pair(number: u64) -> PairVectors {
    let mut random = SplitMix64::new(number + 1);
    let hidden: Vec<f64> = (0..HIDDEN).map(|_| random.unit() - 0.5).collect();
    PairVectors {
        record: PairRecord {
            id: format!("pair-{number}"),
            image: format!("images/{number}.jpg"),
            captions: vec![format!("caption {number}")],
            meta: "{}".to_owned(),
        },
        image: mapped(&hidden, IMAGE_DIM, 1_000_001, &mut random),
        text: mapped(&hidden, TEXT_DIM, 2_000_003, &mut random),
    }
}

/// A unit vector: a fixed linear map of the hidden numbers, and a little noise.
fn mapped(hidden: &[f64], dim: usize, seed: u64, noise: &mut SplitMix64) -> Vec<f32> {
    let mut weights = SplitMix64::new(seed);
    let mut component = || {
        let signal = hidden
            .iter()
            .map(|h| h * (weights.unit() - 0.5))
            .sum::<f64>();
        signal + 0.05 * (noise.unit() - 0.5)
    };
    let vector: Vec<f64> = (0..dim).map(|_| component()).collect();
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector.into_iter().map(|x| (x / norm) as f32).collect()
}
