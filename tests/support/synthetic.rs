//! Anchor sets of random unit vectors, made through the library without an encoder.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests and benchmarks may panic, and each uses its own part of this module"
)]

use std::collections::BTreeMap;
use std::path::Path;

use asif::anchors::stored::manifest::{FORMAT, Manifest, ManifestCounts};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::stored::publish;
use asif::anchors::stored::records::PairRecord;
use asif::anchors::stored::segment::writer::SegmentWriter;
use asif::encode::{EncoderEntry, EncoderIdentity};
use asif::modality::{Modality, PerModality};
use asif::space::RelativeParams;
use asif_index::random::SplitMix64;

/// The lengths of image and text vectors, and the space of every set.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub image_dim: usize,
    pub text_dim: usize,
    pub space: RelativeParams,
}

/// Writes a segment of `pairs` random pairs into `set`: a generation that is not live yet.
pub fn generation(set: &Path, shape: Shape, number: u64, pairs: usize) -> Manifest {
    let dims = PerModality {
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
        let record = PairRecord {
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
        counts: ManifestCounts {
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
    let mut random = SplitMix64::new(seed);
    let mut vectors: Vec<f32> = (0..n * dim).map(|_| random.normal()).collect();
    for vector in vectors.chunks_mut(dim) {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    vectors
}
