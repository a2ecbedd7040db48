//! Image processor classes: each reads the same keys in its own way, as Pillow and numpy say.

use std::io::Write;
use std::process::{Command, Stdio};

use asif::encode::ModelFolder;
use asif::encode::image::preprocess::ImagePreprocessor;
use serde_json::{Value, json};

use super::folder;
use super::skipped::{Lack, skip};

/// Pillow's arithmetic rounds to 8 bits; one grey level, over the smallest deviation squared.
const ONE_LEVEL: f64 = 1.0 / 255.0 / 0.22 / 0.5;

fn read(files: &[(&str, &[u8])], trust: bool) -> Result<ImagePreprocessor, String> {
    let dir = folder(files);
    let folder = ModelFolder::open(dir.path()).map_err(|e| e.to_string())?;
    ImagePreprocessor::read(&folder, trust).map_err(|e| e.to_string())
}

fn one(settings: &Value, trust: bool) -> Result<ImagePreprocessor, String> {
    let text = settings.to_string();
    read(&[("preprocessor_config.json", text.as_bytes())], trust)
}

/// Stripes that show where a picture was cut and squeezed, wider than high.
fn picture() -> image::RgbImage {
    image::RgbImage::from_fn(157, 83, |x, y| {
        let (u, v) = ((x / 9 * 37 + y / 7 * 11) % 256, (x / 5 + y / 3 * 29) % 256);
        image::Rgb([u as u8, v as u8, (x + y) as u8])
    })
}

/// The classes with the settings that they are tried with, which the reference reads too.
fn tried() -> Vec<(&'static str, Value)> {
    let cut = json!({"size": 48, "crop_size": 40});
    let mut all = vec![
        ("timm", json!({"size": 43, "crop_pct": 0.9})),
        ("PoolFormer", json!({"size": 40, "crop_size": 40})),
        (
            "PoolFormer",
            json!({"size": 40, "crop_size": 40, "crop_pct": 0.95}),
        ),
        ("ConvNext", json!({"size": 40})),
        ("ConvNext", json!({"size": 40, "crop_pct": 0.7})),
        ("ConvNext", json!({"size": 384, "crop_pct": 0.7})),
        ("EfficientNet", json!({"size": 40})),
        (
            "EfficientNet",
            json!({"size": 40, "include_top": false, "resample": 3}),
        ),
        ("MobileViT", json!({"size": 40, "crop_size": 44})),
        (
            "MobileViT",
            json!({"size": 40, "crop_size": 36, "do_flip_channel_order": false}),
        ),
        ("Perceiver", json!({"size": 40, "crop_size": 48})),
        (
            "Beit",
            json!({"size": 40, "crop_size": 32, "do_center_crop": false}),
        ),
        ("Levit", json!({"size": 35, "crop_size": 35})),
    ];
    for class in [
        "DeiT",
        "Beit",
        "Flava",
        "EfficientFormer",
        "CLIP",
        "ChineseCLIP",
        "Bit",
        "ViTHybrid",
        "MobileNetV1",
        "MobileNetV2",
        "Levit",
    ] {
        all.push((class, cut.clone()));
    }
    for class in ["ViT", "Siglip", "Blip", "Segformer", "Pvt", "DPT", "OwlViT"] {
        all.push((class, json!({"size": 40})));
        all.push((class, json!({"size": 40, "resample": 3})));
    }
    all
}

#[test]
fn every_class_prepares_pictures_by_its_own_rules() {
    let Some(python) = std::env::var_os("ASIF_PYTHON") else {
        skip(Lack::Setup, "ASIF_PYTHON names no Python");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("picture.png");
    picture().save(&path).unwrap();
    let folders: serde_json::Map<String, Value> = tried()
        .into_iter()
        .enumerate()
        .map(|(i, (class, settings))| (format!("{i} {class}"), json!([class, settings])))
        .collect();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/model_folders/processors.py"
    );
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = json!({"picture": path, "folders": folders});
    child
        .stdin
        .take()
        .unwrap()
        .write_all(asked.to_string().as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let expected: Value = serde_json::from_slice(&out.stdout).unwrap();
    for (name, asked) in &folders {
        let (class, mut settings) = (asked[0].as_str().unwrap(), asked[1].clone());
        let read = if class == "timm" {
            let side = &settings["size"];
            let cfg = json!({"pretrained_cfg": {"input_size": [3, side, side], "interpolation": "bicubic",
                "crop_pct": settings["crop_pct"], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}});
            read(&[("config.json", cfg.to_string().as_bytes())], false)
        } else {
            // The three spellings of a class's name take turns.
            let end = ["ImageProcessor", "FeatureExtractor", "ImageProcessorFast"][name.len() % 3];
            let key = if end == "FeatureExtractor" {
                "feature_extractor_type"
            } else {
                "image_processor_type"
            };
            settings[key] = json!(format!("{class}{end}"));
            one(&settings, false)
        };
        let read = read.unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = read.tensor(&read.pixels(&picture()));
        let expected = expected[name].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        let off = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (f64::from(*a) - b.as_f64().unwrap()).abs())
            .fold(0.0, f64::max);
        assert!(off <= ONE_LEVEL, "{name}: {off}");
    }
}

#[test]
fn classes_that_are_not_followed_are_refused_by_name() {
    for class in [
        "DonutImageProcessor",
        "ImageGPTFeatureExtractor",
        "Siglip2ImageProcessor",
        "Owlv2ImageProcessor",
    ] {
        for trust in [false, true] {
            let error =
                one(&json!({"image_processor_type": class, "size": 40}), trust).unwrap_err();
            assert!(
                error.contains(class)
                    && error.contains("image_processor_type")
                    && error.contains("preprocessor_config.json"),
                "{error}"
            );
        }
    }
    let strange = json!({"image_processor_type": "OurImageProcessor", "size": 40, "image_mean": 0.5, "image_std": 0.5});
    let error = one(&strange, false).unwrap_err();
    assert!(
        error.contains("OurImageProcessor") && error.contains("trusted"),
        "{error}"
    );
    let trusted = one(&strange, true).unwrap();
    assert_eq!(trusted.describe()["trusted"], "OurImageProcessor");
}

#[test]
fn steps_and_numbers_that_cannot_be_followed_are_refused() {
    for (class, key, value) in [
        ("ViT", "do_center_crop", json!(true)),
        ("ViT", "size", json!({"shortest_edge": 40})),
        ("ViT", "do_something_new", json!(true)),
        ("CLIP", "do_flip_channel_order", json!(true)),
        ("CLIP", "include_top", json!(true)),
        ("DPT", "keep_aspect_ratio", json!(true)),
        ("DPT", "ensure_multiple_of", json!(14)),
        ("DPT", "do_pad", json!(true)),
        ("ConvNext", "size", json!({"height": 40, "width": 40})),
        ("ConvNext", "crop_pct", json!(-0.5)),
        ("CLIP", "size", json!(0)),
        ("CLIP", "size", json!(-1)),
        ("CLIP", "size", json!(40.5)),
        ("CLIP", "size", json!(1e18)),
        ("CLIP", "size", json!("40")),
        ("CLIP", "size", json!(true)),
        ("CLIP", "size", json!({"shortest_edge": 0})),
        ("CLIP", "size", json!({"longest_edge": 40})),
        ("CLIP", "crop_size", json!({"height": 40})),
        ("CLIP", "resample", json!("sinc")),
        ("CLIP", "resample", json!(2.5)),
        ("CLIP", "image_mean", json!([0.5, 0.5])),
        ("CLIP", "image_std", json!([0.5, 0.0, 0.5])),
        ("CLIP", "rescale_factor", json!(1e300)),
        ("CLIP", "rescale_factor", json!("1/255")),
        ("EfficientNet", "rescale_offset", json!(true)),
        ("MobileViT", "do_normalize", json!(true)),
        ("CLIP", "do_resize", Value::Null),
        ("CLIP", "do_center_crop", Value::Null),
        ("CLIP", "do_rescale", Value::Null),
        ("CLIP", "do_normalize", Value::Null),
        ("CLIP", "resample", Value::Null),
        ("MobileViT", "do_flip_channel_order", Value::Null),
        ("EfficientNet", "include_top", Value::Null),
        ("PoolFormer", "crop_pct", Value::Null),
        (
            "CLIP",
            "size",
            json!({"shortest_edge": 40, "height": 40, "width": 40}),
        ),
        (
            "CLIP",
            "size",
            json!({"shortest_edge": 40, "min_pixels": 9}),
        ),
        (
            "CLIP",
            "crop_size",
            json!({"height": 40, "width": 40, "depth": 3}),
        ),
        ("CLIP", "rescale_factor", json!(0)),
        (
            "CLIP",
            "auto_map",
            json!({"AutoImageProcessor": "their.JinaCLIPImageProcessor"}),
        ),
    ] {
        let mut settings = json!({"image_processor_type": format!("{class}ImageProcessor"), "size": 40, "crop_size": 40});
        settings[key] = value.clone();
        let error = one(&settings, false).map(|_| ()).unwrap_err();
        assert!(
            error.contains(key) && error.contains("preprocessor_config.json"),
            "{class} {key} {value}: {error}"
        );
    }
}

#[test]
fn a_folder_without_a_class_is_asked_for_one_where_its_model_type_reads_otherwise() {
    let settings: &[u8] =
        br#"{"size": 48, "crop_size": 40, "image_mean": 0.5, "image_std": 0.5, "resample": 3}"#;
    let with = |model_type: &str| {
        let config = format!(r#"{{"model_type": "{model_type}"}}"#);
        read(
            &[
                ("preprocessor_config.json", settings),
                ("config.json", config.as_bytes()),
            ],
            false,
        )
    };
    let error = with("deit").unwrap_err();
    assert!(
        error.contains("image_processor_type") && error.contains("DeiTImageProcessor"),
        "{error}"
    );
    assert!(with("clip").is_ok() && with("efficientnet_lite0").is_ok());
}

#[test]
fn null_and_the_named_class_itself_are_taken_where_they_change_nothing() {
    for (class, key, value) in [
        ("ViT", "resample", Value::Null),
        ("ViT", "do_center_crop", Value::Null),
        ("ViT", "image_mean", Value::Null),
        ("ConvNext", "crop_pct", Value::Null),
        ("MobileViT", "do_normalize", Value::Null),
        (
            "CLIP",
            "size",
            json!({"height": 40, "width": 40, "shortest_edge": null}),
        ),
        (
            "CLIP",
            "auto_map",
            json!({"AutoImageProcessor": ["their.CLIPImageProcessor", null]}),
        ),
    ] {
        let mut settings = json!({"image_processor_type": format!("{class}ImageProcessor"), "size": 40, "crop_size": 40});
        settings[key] = value;
        one(&settings, false).unwrap();
    }
    let own = json!({"image_processor_type": "CLIPImageProcessor", "size": 40, "crop_size": 40,
        "auto_map": {"AutoImageProcessor": "their.OtherImageProcessor"}});
    let trusted = one(&own, true).unwrap().describe();
    assert_eq!(trusted["trusted"], "their.OtherImageProcessor");
}

#[test]
fn without_a_class_keys_of_other_programs_and_other_steps_are_refused() {
    let usual = json!({"size": {"height": 40, "width": 40}, "image_mean": 0.5, "image_std": 0.5});
    let with = |key: &str, value: Value, model_type: &str| {
        let mut settings = usual.clone();
        settings[key] = value;
        let (text, config) = (
            settings.to_string(),
            json!({"model_type": model_type}).to_string(),
        );
        let files: [(&str, &[u8]); 2] = [
            ("preprocessor_config.json", text.as_bytes()),
            ("config.json", config.as_bytes()),
        ];
        read(&files, false).map(|_| ())
    };
    for (key, value, model_type) in [
        ("resize_mode", json!("squash"), "ours"),
        ("interpolation", json!("nearest"), "vit"),
        ("mean", json!([0.1, 0.1, 0.1]), ""),
        ("do_normalize", Value::Null, "ours"),
        (
            "auto_map",
            json!({"AutoImageProcessor": "their.ViTImageProcessor"}),
            "ours",
        ),
    ] {
        let error = with(key, value, model_type).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
    for model_type in ["vilt", "owlv2", "siglip2", "sam", "detr"] {
        let error = with("resample", json!(3), model_type).unwrap_err();
        assert!(
            error.contains(model_type) && error.contains("image_processor_type"),
            "{error}"
        );
    }
    // MobileViT does not normalise and changes red and blue; EfficientNet divides again.
    for (model_type, class, key, value) in [
        ("mobilevit", "MobileViT", "resample", json!(2)),
        ("align", "EfficientNet", "resample", json!(0)),
        ("segformer", "Segformer", "resample", json!(3)),
    ] {
        let found = with(key, value, model_type);
        if class == "Segformer" {
            found.unwrap();
        } else {
            assert!(found.unwrap_err().contains(class), "{model_type}");
        }
    }
    let error = with("do_center_crop", json!(true), "vit").unwrap_err();
    assert!(error.contains("crop_size"), "{error}");
    let text = json!({"size": 48, "crop_size": 40, "do_center_crop": true, "image_mean": 0.5, "image_std": 0.5});
    let text = text.to_string();
    for (config, ok) in [("vit", false), ("resnet", false), ("ours", true)] {
        let config = json!({"model_type": config}).to_string();
        let files: [(&str, &[u8]); 2] = [
            ("preprocessor_config.json", text.as_bytes()),
            ("config.json", config.as_bytes()),
        ];
        assert_eq!(read(&files, false).is_ok(), ok, "{config}");
    }
    for model_type in ["vit", "vit_mae", "ours", "swinv2"] {
        with("resample", json!(2), model_type).unwrap();
    }
}

#[test]
fn errors_of_timm_name_the_keys_that_its_file_has() {
    for (key, value) in [
        ("interpolation", json!("random")),
        ("mean", json!([0.5])),
        ("std", Value::Null),
        ("crop_pct", json!(1.5)),
        ("crop_mode", json!("border")),
        ("input_size", json!(40)),
    ] {
        let mut cfg =
            json!({"input_size": [3, 40, 40], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]});
        cfg[key] = value;
        let text = json!({"pretrained_cfg": cfg}).to_string();
        let dir = folder(&[("config.json", text.as_bytes())]);
        let error =
            ModelFolder::open(dir.path()).map(|f| ImagePreprocessor::read(&f, false).map(|_| ()));
        let error = error.unwrap().unwrap_err().to_string();
        assert!(
            error.contains(&format!("`pretrained_cfg.{key}`")),
            "{error}"
        );
    }
}

#[test]
fn a_processor_config_is_read_and_must_agree() {
    let inner = json!({"image_processor_type": "ViTImageProcessor", "size": 40});
    let whole = json!({"image_processor": inner}).to_string();
    let sign = ("preprocessor_config.json", inner.to_string());
    assert!(
        read(
            &[
                ("processor_config.json", whole.as_bytes()),
                (sign.0, sign.1.as_bytes())
            ],
            false
        )
        .is_ok()
    );
    let other = json!({"image_processor_type": "ViTImageProcessor", "size": 48}).to_string();
    let error = read(
        &[
            ("processor_config.json", whole.as_bytes()),
            (sign.0, other.as_bytes()),
        ],
        false,
    );
    assert!(error.map(|_| ()).unwrap_err().contains("image_processor"));
    assert!(read(&[("processor_config.json", whole.as_bytes())], false).is_ok());
}
