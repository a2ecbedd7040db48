//! Preprocessing and embeddings against the Python libraries that encoders are made with.
//!
//! `tools/make_parity_reference.py` runs here, in the Python environment of the home folder
//! (`$ASIF_HOME/python`, or `$ASIF_PYTHON`), so that the reference comes from the real Pillow,
//! tokenizers and ONNX Runtime of this machine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use asif::encode::image::preprocess::ImagePreprocessor;
use asif::encode::{
    EncoderOptions, ImageEncoder, ModelFolder, PreparedImage, TextEncoder, TokenizedText, runtime,
};
use asif::home::DataFolder;
use serde_json::Value;
use skipped::{Lack, development_data, leave_out, skip};

#[path = "support/skipped.rs"]
mod skipped;

/// The reference of this machine and the home folder, made once; without it a test is skipped.
fn reference() -> Option<&'static (DataFolder, tempfile::TempDir)> {
    static MADE: OnceLock<Result<(DataFolder, tempfile::TempDir), String>> = OnceLock::new();
    MADE.get_or_init(make)
        .as_ref()
        .map_err(|reason| {
            skip(
                Lack::Setup,
                &format!("{reason}; tools/quickstart.sh sets it up"),
            )
        })
        .ok()
}

fn make() -> Result<(DataFolder, tempfile::TempDir), String> {
    let home = DataFolder::from_env().ok_or("no home folder")?;
    let (image, text) = (image_model(&home), text_model(&home));
    for dir in [&image, &text] {
        if !dir.join("model.onnx").is_file() {
            return Err(format!("no model at {}", dir.display()));
        }
    }
    let python = std::env::var_os("ASIF_PYTHON")
        .map_or_else(|| home.root().join("python/bin/python3"), PathBuf::from);
    if !python.is_file() {
        return Err(format!("no Python at {}", python.display()));
    }
    runtime::load(None, &home).map_err(|e| e.to_string())?;
    let out = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .join("tools/make_parity_reference.py");
    let run = Command::new(&python)
        .arg("-B")
        .arg(script)
        .args([out.path(), &image, &text])
        .args(photos())
        .output()
        .expect("Python starts");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    Ok((home, out))
}

/// Real photographs where the optional test data is there.
fn photos() -> Vec<PathBuf> {
    let data = match development_data(concat!(env!("CARGO_MANIFEST_DIR"), "/..")) {
        Ok(data) => data,
        Err(reason) => {
            leave_out(Lack::Elsewhere, &format!("photographs: {reason}"));
            return Vec::new();
        }
    };
    let entries = fs_err::read_dir(data.join("anchors/images/imagenet1k-sample")).unwrap();
    let mut all: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    all.sort();
    all.into_iter().step_by(41).take(24).collect()
}

fn image_model(home: &DataFolder) -> PathBuf {
    home.models().join(asif::encode::DEFAULT_IMAGE_ENCODER)
}

fn text_model(home: &DataFolder) -> PathBuf {
    home.models().join(asif::encode::DEFAULT_TEXT_ENCODER)
}

fn lines(path: PathBuf) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn vector(line: &Value) -> Vec<f32> {
    line["vector"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap() as f32)
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn pixels(path: PathBuf) -> image::RgbImage {
    image::load_from_memory(&fs_err::read(path).unwrap())
        .unwrap()
        .into_rgb8()
}

fn largest_difference(a: &image::RgbImage, b: &image::RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter()
        .zip(b.iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap()
}

fn image_encoder(home: &DataFolder, apply_exif: bool) -> ImageEncoder {
    let folder = ModelFolder::open(image_model(home)).unwrap();
    let options = EncoderOptions {
        apply_exif,
        ..EncoderOptions::latency()
    };
    ImageEncoder::open(&folder, &options).unwrap()
}

fn text_encoder(home: &DataFolder) -> TextEncoder {
    let folder = ModelFolder::open(text_model(home)).unwrap();
    TextEncoder::open(&folder, &EncoderOptions::latency()).unwrap()
}

#[test]
fn images_equal_pillow() {
    let Some((home, dir)) = reference() else {
        return;
    };
    let (upright, stored) = (image_encoder(home, true), image_encoder(home, false));
    assert_ne!(
        upright.identity().fingerprint,
        stored.identity().fingerprint
    );
    let (mut worst_same, mut worst_file) = (1f64, 1f64);
    for line in lines(dir.path().join("images.jsonl")) {
        let name = line["name"].as_str().unwrap();
        let encoder = if line["apply_exif"] == true {
            &upright
        } else {
            &stored
        };
        let expected = vector(&line);

        let decoded = pixels(dir.path().join("decoded").join(format!("{name}.png")));
        let seen = pixels(dir.path().join("seen").join(format!("{name}.png")));
        let difference = largest_difference(&encoder.preprocess().pixels(&decoded), &seen);
        assert_eq!(difference, 0, "{name}: grey levels between the resamplers");
        let same = encoder.encode(&[encoder.prepare_pixels(&decoded)]).unwrap();
        let same = cosine(&same, &expected);
        assert!(same >= 0.9999, "{name}: from the same pixels {same}");

        let file = dir
            .path()
            .join("images")
            .join(line["file"].as_str().unwrap());
        let prepared = encoder.prepare(&fs_err::read(file).unwrap()).unwrap();
        let whole = cosine(&encoder.encode(&[prepared]).unwrap(), &expected);
        assert!(whole >= 0.9999, "{name}: from the file {whole}");
        worst_same = worst_same.min(same);
        worst_file = worst_file.min(whole);
    }
    let _ = writeln!(
        stderr(),
        "lowest cosine to Pillow: {worst_same:.7} from the same pixels, {worst_file:.7} from files"
    );
}

#[test]
fn every_filter_size_and_crop_equals_pillow() {
    let Some((_, dir)) = reference() else { return };
    let source = pixels(dir.path().join("filters/source.png"));
    let folder = tempfile::tempdir().unwrap();
    let cases = lines(dir.path().join("filters.jsonl"));
    assert!(cases.len() >= 60);
    for case in cases {
        let settings = case["config"].to_string();
        fs_err::write(folder.path().join("preprocessor_config.json"), &settings).unwrap();
        let preprocess =
            ImagePreprocessor::read(&ModelFolder::open(folder.path()).unwrap(), false).unwrap();
        let expected = pixels(
            dir.path()
                .join("filters")
                .join(case["file"].as_str().unwrap()),
        );
        assert_eq!(
            largest_difference(&preprocess.pixels(&source), &expected),
            0,
            "{settings}"
        );
    }
}

#[test]
fn texts_equal_the_python_tokenizer_and_their_vectors() {
    let Some((home, dir)) = reference() else {
        return;
    };
    let encoder = text_encoder(home);
    let reference = lines(dir.path().join("texts.jsonl"));
    assert_eq!(reference.len(), 200);
    let texts: Vec<&str> = reference
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    let vectors = encoder.encode_texts(&texts).unwrap();
    let mut worst = 1f64;
    let mut truncated = 0;
    for (line, found) in reference.iter().zip(vectors.chunks_exact(encoder.dim())) {
        let text = line["text"].as_str().unwrap();
        let tokens = encoder.tokenize(text).unwrap();
        let ids: Vec<u64> = line["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect();
        assert!(
            tokens.ids().iter().map(|&id| u64::from(id)).eq(ids),
            "{text:?}"
        );
        truncated += usize::from(tokens.truncated());
        let cosine = cosine(found, &vector(line));
        assert!(cosine >= 0.9999, "{text:?}: {cosine}");
        worst = worst.min(cosine);
    }
    assert!(truncated >= 3, "some texts are longer than the model reads");
    let _ = writeln!(stderr(), "lowest cosine of 200 texts: {worst:.7}");
}

#[test]
fn image_vectors_do_not_depend_on_their_batch() {
    let Some((home, dir)) = reference() else {
        return;
    };
    let encoder = image_encoder(home, true);
    let images: Vec<PreparedImage> = lines(dir.path().join("images.jsonl"))
        .iter()
        .take(19)
        .map(|line| {
            dir.path()
                .join("images")
                .join(line["file"].as_str().unwrap())
        })
        .map(|path| encoder.prepare(&fs_err::read(path).unwrap()).unwrap())
        .collect();
    let together = encoder.encode(&images).unwrap();
    for size in [1, 3, 8] {
        let parts: Vec<f32> = images
            .chunks(size)
            .flat_map(|batch| encoder.encode(batch).unwrap())
            .collect();
        assert!(
            parts
                .iter()
                .zip(&together)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{size}"
        );
    }
    let check = encoder.self_check().unwrap();
    assert!(
        check.batch_invariant && (check.norm - 1.0).abs() < 1e-5,
        "{check:?}"
    );
}

#[test]
fn text_vectors_do_not_depend_on_their_batch() {
    let Some((home, dir)) = reference() else {
        return;
    };
    let encoder = text_encoder(home);
    let tokens: Vec<TokenizedText> = lines(dir.path().join("texts.jsonl"))
        .iter()
        .map(|line| encoder.tokenize(line["text"].as_str().unwrap()).unwrap())
        .collect();
    // In the order of the file lengths are mixed, so most rows are padded a lot.
    let together = encoder.encode(&tokens[..64]).unwrap();
    for size in [1, 5, 32] {
        let parts: Vec<f32> = tokens[..64]
            .chunks(size)
            .flat_map(|batch| encoder.encode(batch).unwrap())
            .collect();
        for (i, (a, b)) in parts
            .chunks(encoder.dim())
            .zip(together.chunks(encoder.dim()))
            .enumerate()
        {
            assert!(
                a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
                "batch {size}, text {i}"
            );
        }
    }
    let check = encoder.self_check().unwrap();
    assert!(
        check.batch_invariant && (check.norm - 1.0).abs() < 1e-5,
        "{check:?}"
    );
}

#[test]
fn strict_runs_refuse_what_is_lacking() {
    for (strict, setup, elsewhere) in [
        (None, false, false),
        (Some("setup"), true, false),
        (Some("1"), true, true),
        (Some("all"), true, true),
    ] {
        assert_eq!(Lack::Setup.fails(strict), setup, "{strict:?}");
        assert_eq!(Lack::Elsewhere.fails(strict), elsewhere, "{strict:?}");
    }
}
