//! Anchor sets of random unit vectors, made through the library without an encoder.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests and benchmarks may panic, and each uses its own part of this module"
)]

use std::collections::BTreeMap;
use std::path::Path;

use asif::anchors::stored::manifest::{Counts, FORMAT, Manifest};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::stored::publish;
use asif::anchors::stored::records::Record;
use asif::anchors::stored::segment::SegmentWriter;
use asif::encode::{EncoderEntry, EncoderIdentity};
use asif::modality::{Modality, Sides};
use asif::space::SpaceParams;

/// The lengths of image and text vectors, and the space of every set.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub image_dim: usize,
    pub text_dim: usize,
    pub space: SpaceParams,
}

/// Writes a segment of `pairs` random pairs into `set`: a generation that is not live yet.
pub fn generation(set: &Path, shape: Shape, number: u64, pairs: usize) -> Manifest {
    let dims = Sides {
        image: shape.image_dim,
        text: shape.text_dim,
    };
    let mut writer = SegmentWriter::create(set, dims).unwrap();
    let images = unit_vectors(pairs, shape.image_dim, 2 * number);
    let texts = unit_vectors(pairs, shape.text_dim, 2 * number + 1);
    let rows = images
        .chunks(shape.image_dim)
        .zip(texts.chunks(shape.text_dim));
    for (i, (image, text)) in rows.enumerate() {
        let record = Record {
            id: format!("{number}-{i}"),
            image: format!("/pictures/{number}/{i}.jpg"),
            captions: vec![format!("picture {i} of generation {number}")],
            meta: "{}".to_owned(),
        };
        writer.push(&record, image, text).unwrap();
    }
    let segment = writer.finish(GraphPolicy::Never, shape.space.k).unwrap();
    Manifest {
        format: FORMAT,
        checksum: String::new(),
        generation: number,
        created: format!("2026-01-01T00:00:{:02}Z", number % 60),
        made_by: "a test".to_owned(),
        counts: Counts {
            pairs: segment.pairs,
            captions: segment.pairs,
            skipped: 0,
        },
        segments: vec![segment],
        image_encoder: encoder(Modality::Image, shape.image_dim, "0"),
        text_encoder: encoder(Modality::Text, shape.text_dim, "0"),
        space: shape.space.into(),
        sources: BTreeMap::new(),
        licences: BTreeMap::new(),
        tombstones: None,
        parent: None,
        restored: None,
        change: None,
    }
}

/// The same, and it is live afterwards.
pub fn publish(set: &Path, shape: Shape, number: u64, pairs: usize) -> Manifest {
    let manifest = generation(set, shape, number, pairs);
    publish::publish(set, &manifest).unwrap();
    manifest
}

/// An encoder that never was; another `version` is another encoder.
pub fn encoder(modality: Modality, dim: usize, version: &str) -> EncoderEntry {
    let preprocessing = serde_json::json!({ "version": version });
    EncoderEntry {
        identity: EncoderIdentity::new(
            format!("synthetic-{modality}"),
            modality,
            dim,
            "0".repeat(64),
            None,
            preprocessing,
        ),
        canary: unit_vectors(1, dim, 0),
    }
}

/// `n` random directions, the same for the same seed: `[n, dim]`.
pub fn unit_vectors(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014); the sum of four uniforms is round enough.
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f32 / u64::MAX as f32 - 0.5
    };
    let mut vectors: Vec<f32> = (0..n * dim)
        .map(|_| uniform() + uniform() + uniform() + uniform())
        .collect();
    for vector in vectors.chunks_mut(dim) {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    vectors
}
