//! Weights in other files: which count, and which are refused.

use std::path::Path;

use asif::encode::options::EncoderOverrides;
use asif::encode::{EncodeError, EncoderOptions, ImageEncoder, ModelError, ModelFolder, registry};
use asif::home::DataFolder;
use tempfile::TempDir;

use super::image::{SQUARE, image_graph};
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::Graph;
use super::{folder, runtime};

fn finished(graph: Graph) -> Vec<u8> {
    graph
        .node("Mul", &["pixel_values", "scale"], "scaled")
        .node("GlobalAveragePool", &["scaled"], "means")
        .node("Flatten", &["means"], "pooler_output")
        .output("pooler_output", &[Free("batch"), Is(3)])
        .build()
}

fn scaled_by(location: &str) -> Vec<u8> {
    finished(image_graph(Free("batch"), 4).external_weight("scale", &[1, 3, 1, 1], location))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn with(location: &str, files: &[(&str, &[u8])]) -> TempDir {
    let graph = scaled_by(location);
    let mut all: Vec<(&str, &[u8])> = vec![
        ("onnx/model.onnx", &graph),
        ("preprocessor_config.json", SQUARE),
    ];
    all.extend(files);
    folder(&all)
}

fn open(dir: &Path) -> Result<ImageEncoder, ModelError> {
    ImageEncoder::open(&ModelFolder::open(dir)?, &EncoderOptions::latency())
}

#[test]
fn exchanged_weights_of_any_name_are_another_encoder() {
    if !runtime() {
        return;
    }
    for location in ["weights.bin", "parts/w.data", "model.onnx_data", "./w"] {
        let at = format!("onnx/{location}");
        let dir = with(location, &[(&at, &floats(&[3., 1., 4.]))]);
        let encoder = open(dir.path()).unwrap();
        let fingerprint = encoder.identity().fingerprint.clone();
        let home = DataFolder::at(dir.path().join("home"));
        let added =
            registry::add(&home, "scaled", dir.path(), &EncoderOverrides::default()).unwrap();
        assert!(added.path.join(&at).is_file(), "{location}");
        assert_eq!(
            open(&added.path).unwrap().identity().fingerprint,
            fingerprint
        );

        // Written into the same file, with the same length and the same times of its own.
        let file = fs_err::OpenOptions::new()
            .write(true)
            .open(dir.path().join(&at))
            .unwrap();
        let times = file.metadata().unwrap().modified().unwrap();
        std::os::unix::fs::FileExt::write_all_at(file.file(), &floats(&[9., 1., 1.]), 0).unwrap();
        file.file().set_modified(times).unwrap();
        assert_ne!(
            open(dir.path()).unwrap().identity().fingerprint,
            fingerprint,
            "{location}"
        );
        // The encoder that is open notices as well, since the runtime may read the file at any run.
        let error = encoder.canary().unwrap_err();
        assert!(
            matches!(error, EncodeError::WeightsChanged { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains(at.rsplit('/').next().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn bytes_that_move_between_weight_files_change_the_hash() {
    let graph = finished(
        image_graph(Free("batch"), 4)
            .external_weight("scale", &[1, 3, 1, 1], "a")
            .external_weight("other", &[1], "b"),
    );
    let hash = |a: &[u8], b: &[u8]| {
        let dir = folder(&[
            ("model.onnx", &graph),
            ("a", a),
            ("b", b),
            ("preprocessor_config.json", SQUARE),
        ]);
        let folder = ModelFolder::open(dir.path()).unwrap();
        folder.model_sha256(&folder.model_path().unwrap()).unwrap()
    };
    assert_ne!(hash(b"123", b"4"), hash(b"12", b"34"));
    assert_ne!(hash(b"12", b"34"), hash(b"34", b"12"));
}

#[test]
fn locations_are_found_wherever_the_graph_has_them() {
    let graph = image_graph(Free("batch"), 4)
        .external_part("one", &[1], "a.bin", "4", "4")
        .external_in_subgraph("sub/b.bin");
    let dir = folder(&[
        ("model.onnx", &graph.build()),
        ("a.bin", &[0; 8]),
        ("sub/b.bin", &[0; 4]),
        ("preprocessor_config.json", SQUARE),
    ]);
    let folder = ModelFolder::open(dir.path()).unwrap();
    let found = folder.weight_files(&folder.model_path().unwrap()).unwrap();
    let root = folder.dir();
    assert_eq!(found, [root.join("a.bin"), root.join("sub/b.bin")]);
}

#[test]
fn weights_that_cannot_be_trusted_are_refused_and_named() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let absolute = outside.path().to_str().unwrap();
    for location in [
        "../../secret",
        absolute,
        "",
        "a/../../../b",
        "*/_ORT_MEM_ADDR_/*",
        "gone.bin",
    ] {
        let dir = with(location, &[]);
        let error = open(dir.path()).unwrap_err().to_string();
        let named = location.rsplit('/').next().unwrap();
        assert!(
            error.contains("onnx") && error.contains(named),
            "{location}: {error}"
        );
    }
    let dir = with("link.bin", &[]);
    let link = dir.path().join("onnx/link.bin");
    fs_err::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("link.bin") && error.contains("cp -rL"),
        "{error}"
    );

    for (offset, length) in [
        ("0", "99"),
        ("99", "4"),
        ("18446744073709551615", "4"),
        ("-4", "4"),
        ("x", "4"),
    ] {
        let graph = image_graph(Free("batch"), 4).external_part("w", &[1], "a.bin", offset, length);
        let dir = folder(&[
            ("model.onnx", &finished(graph)),
            ("a.bin", &[0; 8]),
            ("preprocessor_config.json", SQUARE),
        ]);
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("model.onnx"), "{offset} {length}: {error}");
    }
}

#[test]
fn a_model_whose_weights_lie_in_itself_is_hashed_once() {
    let graph = image_graph(Free("batch"), 4).external_part("w", &[1], "model.onnx", "0", "4");
    let dir = folder(&[
        ("model.onnx", &finished(graph)),
        ("preprocessor_config.json", SQUARE),
    ]);
    let folder = ModelFolder::open(dir.path()).unwrap();
    assert!(
        folder
            .weight_files(&folder.model_path().unwrap())
            .unwrap()
            .is_empty()
    );
}
