//! Two-tower folders, and advice that is followed.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::image::{SQUARE, usual_image};
use super::text::{TOKENIZER, pooling, text_graph, usual_text};
use super::tiny_onnx::Dim::Free;
use super::tiny_onnx::{self, INT64};
use super::{folder, runtime};

/// The program with a home of its own and the usual ONNX Runtime.
pub fn asif(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    let library = asif::home::DataFolder::from_env()
        .unwrap()
        .runtime_library();
    command.env("ASIF_HOME", home);
    if std::env::var_os("ASIF_ONNXRUNTIME").is_none() {
        command.env("ASIF_ONNXRUNTIME", library);
    }
    command
}

fn add(home: &Path, name: &str, dir: &Path, more: &[&str]) -> Output {
    asif(home)
        .args(["models", "add", name])
        .arg(dir)
        .args(more)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// As transformers.js lays out CLIP.
fn towers() -> TempDir {
    folder(&[
        ("onnx/vision_model.onnx", &usual_image(4)),
        ("onnx/text_model.onnx", &usual_text()),
        ("onnx/text_model_quantized.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("tokenizer_config.json", br#"{"model_max_length": 77}"#),
        ("config.json", br#"{"model_type": "clip"}"#),
        ("preprocessor_config.json", SQUARE),
    ])
}

#[test]
fn each_half_is_installed_by_its_inputs_and_alone() {
    if !runtime() {
        return;
    }
    let (dir, home) = (towers(), tempfile::tempdir().unwrap());
    for (name, more, kept, what) in [
        (
            "v",
            &["--onnx-file", "onnx/vision_model.onnx"][..],
            "vision_model.onnx",
            "image",
        ),
        (
            "t",
            &["--onnx-file", "onnx/text_model.onnx", "--pool", "mean"],
            "text_model.onnx",
            "text",
        ),
    ] {
        let output = add(home.path(), name, dir.path(), more);
        assert!(output.status.success(), "{}", said(&output));
        let installed = home.path().join("models").join(name);
        let files: Vec<_> = fs_err::read_dir(installed.join("onnx"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files, [kept]);
        let listed = asif(home.path())
            .args(["--json", "models"])
            .output()
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let own = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["name"] == name)
            .unwrap();
        assert_eq!(own["modality"], what);
    }
}

#[test]
fn advice_to_name_a_file_is_followed_to_success() {
    if !runtime() {
        return;
    }
    let (dir, home) = (towers(), tempfile::tempdir().unwrap());
    let output = add(home.path(), "n", dir.path(), &[]);
    assert_eq!(output.status.code(), Some(4));
    let error = said(&output);
    let start = error.find("`asif models add").unwrap() + 1;
    let advice = &error[start..start + error[start..].find('`').unwrap()];
    let words: Vec<_> = advice
        .split(' ')
        .skip(1)
        .map(|w| if w == "NAME" { "n" } else { w })
        .collect();
    let output = asif(home.path())
        .args(&words)
        .args(["--pool", "mean"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{advice}: {}", said(&output));
}

#[test]
fn messages_name_files_in_the_persons_folder() {
    if !runtime() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let positions = text_graph(INT64, Free("batch"), Free("sequence"))
        .input("position_ids", INT64, &[Free("batch"), Free("sequence")])
        .build();
    let tokenizer = ("tokenizer.json", TOKENIZER);
    let mean = pooling("mean_tokens");
    let pool = ("1_Pooling/config.json", &mean[..]);
    let faults: Vec<Vec<(&str, &[u8])>> = vec![
        vec![("model.onnx", &positions), tokenizer, pool],
        vec![("model.onnx", b"junk"), tokenizer, pool],
        vec![("model.onnx", &positions), ("tokenizer.json", b"{"), pool],
        vec![
            ("model.onnx", &positions),
            tokenizer,
            ("1_Pooling/config.json", b"{}"),
        ],
    ];
    for files in faults {
        let dir = folder(&files);
        let output = add(home.path(), "p", dir.path(), &[]);
        assert_eq!(output.status.code(), Some(4));
        let error = said(&output);
        assert!(
            error.contains(dir.path().to_str().unwrap()) && !error.contains(".adding-"),
            "{error}"
        );
        let left: Vec<_> = home
            .path()
            .join("models")
            .read_dir()
            .into_iter()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn files_outside_the_folder_cannot_be_named() {
    if !runtime() {
        return;
    }
    let (dir, home) = (towers(), tempfile::tempdir().unwrap());
    let other = folder(&[("m.onnx", &usual_image(4))]);
    let other = other.path().join("m.onnx");
    for file in [
        other.to_str().unwrap(),
        "../m.onnx",
        "onnx/none.onnx",
        "onnx",
    ] {
        let output = add(home.path(), "o", dir.path(), &["--onnx-file", file]);
        assert_eq!(output.status.code(), Some(4), "{file}: {}", said(&output));
    }
}

#[test]
fn an_unknown_class_is_trusted_where_that_is_said_and_the_set_remembers_it() {
    if !runtime() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let given = tempfile::tempdir().unwrap();
    tiny_onnx::encoders(given.path());
    let settings = r#"{"image_processor_type": "OurImageProcessor", "size": {"height": 4, "width": 4}, "do_normalize": false}"#;
    fs_err::write(
        given.path().join("image/preprocessor_config.json"),
        settings,
    )
    .unwrap();
    for (name, caption, shade) in [("a", "dog", 9), ("b", "cat", 99), ("c", "tree", 200)] {
        let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([shade, 255 - shade, 90]));
        picture
            .save(given.path().join(format!("{name}.png")))
            .unwrap();
        fs_err::write(given.path().join(format!("{name}.txt")), caption).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = asif(home.path());
        command
            .args(arguments)
            .current_dir(given.path())
            .output()
            .unwrap()
    };
    let image = given.path().join("image");
    let output = add(home.path(), "ours", &image, &[]);
    assert_eq!(output.status.code(), Some(4));
    let error = said(&output);
    assert!(
        error.contains("OurImageProcessor") && error.contains("--trust-preprocessing"),
        "{error}"
    );
    let output = add(home.path(), "ours", &image, &["--trust-preprocessing"]);
    assert!(output.status.success(), "{}", said(&output));
    let encoders = ["--image-encoder", "./image/", "--text-encoder", "./text/"];
    let build = [&["build", "--pairs", ".", "--out", "t.asif"][..], &encoders].concat();
    assert_eq!(run(&build).status.code(), Some(4));
    let output = run(&[&build[..], &["--trust-preprocessing"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let classify = [
        &[
            "classify", "--index", "t.asif", "--labels", "dog,cat", "a.png",
        ][..],
        &encoders,
    ]
    .concat();
    let output = run(&classify);
    assert!(output.status.success(), "{}", said(&output));
}
