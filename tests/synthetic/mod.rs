//! Sets of invented unit vectors: what changes a set needs no encoder.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic, and each test binary uses its own part of this module"
)]

use std::path::Path;

use asif::anchors::change::vectors::{NewSetOptions, PairVectors, create};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::stored::records::PairRecord;
use asif::encode::{EncoderEntry, EncoderIdentity};
use asif::modality::{Modality, PerModality};
use asif::space::RelativeParams;
use asif::space::vector::normalize;
use asif_index::random::SplitMix64;

pub const DIMS: PerModality<usize> = PerModality {
    image: 24,
    text: 16,
};

/// A folder for what is thrown away, in memory where there is such a place: what is tried with these sets
/// is not whether the machine's disk keeps them.
pub fn scratch() -> tempfile::TempDir {
    let builder = tempfile::Builder::new();
    match builder.tempdir_in("/dev/shm") {
        Ok(folder) => folder,
        Err(_) => builder.tempdir().unwrap(),
    }
}

/// Copies a folder; what `to` has already stays.
pub fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs_err::copy(entry.path(), to).unwrap();
        }
    }
}

/// A pair that is the same whenever it is made with this number.
pub fn pair(number: u64) -> PairVectors {
    pair_of(number, DIMS)
}

/// The same with vectors of other lengths.
pub fn pair_of(number: u64, dims: PerModality<usize>) -> PairVectors {
    let licences = ["CC0-1.0", "CC BY 4.0", "CC BY-NC 4.0"];
    let meta = serde_json::json!({
        "source": format!("source{}", number % 2),
        "licence": licences[(number % 3) as usize],
    });
    PairVectors {
        record: PairRecord {
            id: format!("pair-number-{number:04}"),
            image: format!("/nowhere/{number}.jpg"),
            captions: vec![format!("the caption of pair {number:04}, and no other")],
            meta: meta.to_string(),
        },
        image: unit(number * 2 + 1, dims.image),
        text: unit(number * 2 + 2, dims.text),
    }
}

/// A unit vector, all of its components positive so that centring matters.
pub fn unit(seed: u64, dim: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    let mut vector: Vec<f32> = (0..dim).map(|_| random.unit() as f32).collect();
    normalize(&mut vector);
    vector
}

fn encoder(modality: Modality, dim: usize) -> EncoderEntry {
    EncoderEntry {
        identity: EncoderIdentity::new(
            "invented".into(),
            modality,
            dim,
            "00".into(),
            None,
            serde_json::json!({}),
        ),
        canary: unit(7, dim),
    }
}

/// How a synthetic set is made.
pub fn making(dims: PerModality<usize>) -> NewSetOptions {
    NewSetOptions {
        image_encoder: encoder(Modality::Image, dims.image),
        text_encoder: encoder(Modality::Text, dims.text),
        space: RelativeParams {
            k: 8,
            ..RelativeParams::default()
        }
        .into(),
        graphs: GraphPolicy::Never,
    }
}

/// Makes a set of the pairs with these numbers.
pub fn set(path: &Path, numbers: impl IntoIterator<Item = u64>) {
    create(path, &making(DIMS), numbers.into_iter().map(pair)).unwrap();
}
