//! Model folders that are installed, and what the doctor says of them.

use std::path::Path;

use asif::encode::doctor::{self, FindingStatus};
use asif::encode::options::EncoderOverrides;
use asif::encode::{EncoderOptions, ModelError, ModelFolder, Pooling, TextEncoder, registry};
use asif::home::DataFolder;
use asif::modality::Modality;

use super::image::{SQUARE, usual_image};
use super::text::{TOKENIZER, pooling, usual_text};
use super::{folder, runtime};

#[test]
fn models_are_installed_whole_or_not_at_all() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = DataFolder::at(root.path());
    let good = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
        ("pytorch_model.bin", b"not needed"),
    ]);
    let added = registry::add(&home, "words", good.path(), &EncoderOverrides::default()).unwrap();
    assert_eq!((added.modality, added.dim), (Some(Modality::Text), Some(2)));
    assert!(!added.path.join("pytorch_model.bin").exists());
    assert_eq!(registry::installed(&home).unwrap(), [added]);
    assert!(registry::resolve(&home, "words", Modality::Text).is_ok());
    let findings = doctor::diagnose(&home);
    let words = findings
        .iter()
        .find(|f| f.what == "text encoder words")
        .unwrap();
    assert_eq!(words.status, FindingStatus::Ok, "{words:?}");
    let again =
        registry::add(&home, "words", good.path(), &EncoderOverrides::default()).unwrap_err();
    assert!(matches!(again, ModelError::NameTaken { .. }), "{again}");

    let bad = folder(&[
        ("model.onnx", b"junk"),
        ("preprocessor_config.json", SQUARE),
    ]);
    assert!(registry::add(&home, "junk", bad.path(), &EncoderOverrides::default()).is_err());
    let left: Vec<_> = fs_err::read_dir(home.models())
        .unwrap()
        .map(|e| e.unwrap().path())
        // The lock of those who add models stays.
        .filter(|path| !path.ends_with(".LOCK"))
        .collect();
    assert_eq!(left, [home.models().join("words")]);
}

#[test]
fn what_stands_above_the_folder_is_kept_with_the_model() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = DataFolder::at(root.path());
    let model = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
    ]);
    let overrides = EncoderOverrides {
        pooling: Some(Pooling::Max),
        ..EncoderOverrides::default()
    };
    let added = registry::add(&home, "largest", model.path(), &overrides).unwrap();
    let pooling_of = |dir: &Path| {
        let folder = ModelFolder::open(dir).unwrap();
        let encoder = TextEncoder::open(&folder, &EncoderOptions::latency()).unwrap();
        encoder.identity().preprocessing["pooling"].clone()
    };
    assert_eq!(pooling_of(&added.path), "max");
    assert_eq!(pooling_of(model.path()), "mean");
}

#[test]
fn the_doctor_finds_what_changed() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = DataFolder::at(root.path());
    let model = folder(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", SQUARE),
    ]);
    registry::add(&home, "means", model.path(), &EncoderOverrides::default()).unwrap();
    let look = || {
        let findings = doctor::diagnose(&home);
        findings
            .into_iter()
            .find(|f| f.what == "image encoder means")
            .unwrap()
    };
    let finding = look();
    assert_eq!(finding.status, FindingStatus::Ok, "{finding:?}");
    assert!(finding.detail.contains("hash as installed"), "{finding:?}");

    let installed = home.models().join("means");
    let nearest = fs_err::read_to_string(installed.join("preprocessor_config.json")).unwrap();
    let changed = nearest.replace(
        "\"do_normalize\": false",
        "\"image_mean\": 0.5, \"image_std\": 1",
    );
    fs_err::write(installed.join("preprocessor_config.json"), changed).unwrap();
    let finding = look();
    assert_eq!(finding.status, FindingStatus::Warning, "{finding:?}");

    fs_err::write(installed.join("model.onnx"), usual_image(5)).unwrap();
    assert_eq!(look().status, FindingStatus::Error);
    fs_err::remove_file(installed.join("model.onnx")).unwrap();
    let finding = look();
    assert!(
        finding.status == FindingStatus::Error && !finding.advice.is_empty(),
        "{finding:?}"
    );
}
