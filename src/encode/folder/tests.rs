use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
    dir
}

#[test]
fn the_modality_is_read_from_the_files() {
    let image = folder(&[("preprocessor_config.json", "{}")]);
    assert_eq!(
        ModelFolder::open(image.path()).unwrap().modality(),
        Modality::Image
    );
    let text = folder(&[("tokenizer_config.json", "{}")]);
    assert_eq!(
        ModelFolder::open(text.path()).unwrap().modality(),
        Modality::Text
    );
    let neither = folder(&[("model.onnx", "x")]);
    let error = ModelFolder::open(neither.path()).unwrap_err().to_string();
    assert!(error.contains("preprocessor_config.json"), "{error}");
}

#[test]
fn what_the_system_refuses_does_not_change_what_a_folder_is() {
    // It is there, and its reading fails.
    let unreadable = |folder: &Path, name: &str| {
        std::os::unix::fs::symlink("/proc/self/mem", folder.join(name)).unwrap();
    };
    let image = folder(&[]);
    unreadable(image.path(), "processor_config.json");
    let both = folder(&[("preprocessor_config.json", "{}"), ("tokenizer.json", "{}")]);
    unreadable(both.path(), "model.onnx");
    let kept = folder(&[("preprocessor_config.json", "{}"), ("tokenizer.json", "{}")]);
    unreadable(kept.path(), RECORD);
    for dir in [image, both, kept] {
        let opened = ModelFolder::open(dir.path());
        assert!(matches!(opened, Err(ModelError::Io(_))), "{opened:?}");
    }
}

#[test]
fn the_onnx_file_is_found_in_either_place() {
    let dir = folder(&[("tokenizer.json", "{}")]);
    let model = ModelFolder::open(dir.path()).unwrap();
    assert!(matches!(
        model.model_path(),
        Err(ModelError::OnnxFile { .. })
    ));
    fs_err::create_dir_all(dir.path().join("onnx")).unwrap();
    fs_err::write(dir.path().join("onnx/model.onnx"), "a").unwrap();
    assert!(model.model_path().unwrap().ends_with("onnx/model.onnx"));
    fs_err::write(dir.path().join("model.onnx"), "b").unwrap();
    assert!(!model.model_path().unwrap().ends_with("onnx/model.onnx"));
    assert!(model.onnx_path(Some(Path::new("other.onnx"))).is_err());
}

#[test]
fn a_file_without_other_weights_has_its_own_hash() {
    // A model with an empty graph.
    let dir = folder(&[("tokenizer.json", "{}"), ("model.onnx", "\x3a\x00")]);
    let model = ModelFolder::open(dir.path()).unwrap();
    let onnx = model.model_path().unwrap();
    let plain = model.model_sha256(&onnx).unwrap();
    assert_eq!(plain, sha256_of(b"\x3a\x00"));
    // What the file does not name is not part of it.
    fs_err::write(dir.path().join("model.onnx_data"), "weights").unwrap();
    assert_eq!(model.model_sha256(&onnx).unwrap(), plain);
}

#[test]
fn broken_json_names_the_file() {
    let dir = folder(&[("tokenizer.json", "{}"), ("config.json", "{oops")]);
    let model = ModelFolder::open(dir.path()).unwrap();
    let error = model.json("config.json").unwrap_err().to_string();
    assert!(
        error.contains("config.json") && error.contains("line 1"),
        "{error}"
    );
    assert!(model.json("modules.json").unwrap().is_none());
    let dir = folder(&[("tokenizer.json", "{}"), ("config.json", "[1]")]);
    let model = ModelFolder::open(dir.path()).unwrap();
    let error = model.json("config.json").unwrap_err().to_string();
    assert!(error.contains("config.json: `(top level)`"), "{error}");
}
