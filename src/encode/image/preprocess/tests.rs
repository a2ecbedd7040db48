use serde_json::{Value, json};

use super::*;
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;

fn read(value: Value) -> Result<ImagePreprocessor, ModelError> {
    let file = SettingsFile {
        path: "preprocessor_config.json".into(),
        value,
    };
    ImagePreprocessor::from_settings(&file, None, None, false)
}

const NORM: &str = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#;

fn with(rest: &str) -> Result<ImagePreprocessor, ModelError> {
    read(serde_json::from_str(&format!("{{{NORM}, {rest}}}")).unwrap())
}

#[test]
fn every_way_to_write_a_size() {
    let p = with(r#""size": 224"#).unwrap();
    assert_eq!(
        (p.resize, p.crop, p.size),
        (ResizeMode::Exact(224, 224), None, (224, 224))
    );
    let p = with(r#""size": 256, "crop_size": 224"#).unwrap();
    assert_eq!(
        (p.resize, p.crop),
        (ResizeMode::Shortest(256), Some((224, 224)))
    );
    let p = with(r#""size": {"shortest_edge": 256}, "crop_size": {"height": 200, "width": 224}"#);
    assert_eq!(p.unwrap().size, (224, 200));
    let p = with(r#""size": {"height": 96, "width": 128}, "do_center_crop": false"#).unwrap();
    assert_eq!((p.resize, p.size), (ResizeMode::Exact(128, 96), (128, 96)));
    let p = with(r#""size": {"shortest_edge": 224}, "crop_pct": 0.875"#).unwrap();
    assert_eq!(
        (p.resize, p.crop),
        (ResizeMode::Shortest(256), Some((224, 224)))
    );
    let p = with(r#""size": {"shortest_edge": 384}, "crop_pct": 0.875"#).unwrap();
    assert_eq!((p.resize, p.crop), (ResizeMode::Exact(384, 384), None));
    let p = with(r#""do_resize": false, "crop_size": 64"#).unwrap();
    assert_eq!((p.resize, p.size), (ResizeMode::Keep, (64, 64)));
}

#[test]
fn keys_that_a_class_has_no_code_for_are_passed_over() {
    let size = r#""size": {"height": 384, "width": 384}, "do_pad": true, "size_divisor": 32"#;
    let blip = format!(r#"{size}, "image_processor_type": "BlipImageProcessor""#);
    assert_eq!(with(&blip).unwrap().resize, ResizeMode::Exact(384, 384));
    for class in ["ViT", "CLIP", "Siglip"] {
        let padded = format!(r#"{size}, "image_processor_type": "{class}ImageProcessor""#);
        assert!(with(&padded).is_err(), "{class}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_with_its_key() {
    for (rest, key) in [
        (r#""size": {"shortest_edge": 224}"#, "crop_size"),
        (r#""size": {"longest_edge": 224}"#, "longest_edge"),
        (r#""size": 224, "resample": 9"#, "resample"),
        (r#""size": 0"#, "size"),
        (r#""size": 9999999"#, "size"),
        (r#""size": 224, "do_pad": true"#, "do_pad"),
        (r#""size": 224, "do_resize": "yes""#, "do_resize"),
        (r#""size": 224, "image_std": [0.5, 0, 0.5]"#, "image_std"),
        (r#""size": 224, "image_mean": [0.5]"#, "image_mean"),
        (
            r#""size": 224, "crop_pct": 0, "crop_size": null"#,
            "crop_pct",
        ),
    ] {
        let error = with(rest).unwrap_err().to_string();
        assert!(
            error.contains(key) && error.contains("preprocessor_config.json"),
            "{error}"
        );
    }
}

#[test]
fn a_switch_that_is_no_switch_is_refused() {
    for key in [
        "do_resize",
        "do_center_crop",
        "do_rescale",
        "do_normalize",
        "do_flip_channel_order",
        "do_pad",
        "rescale_offset",
        "include_top",
        "do_convert_grayscale",
        "do_thumbnail",
    ] {
        for value in [r#""yes""#, "1", "[true]"] {
            let error = with(&format!(r#""size": 224, "{key}": {value}"#)).unwrap_err();
            let ModelError::Setting {
                path,
                key: named,
                found,
                expected,
                ..
            } = error
            else {
                panic!("{key}: {error}");
            };
            assert_eq!(path.to_str(), Some("preprocessor_config.json"));
            assert_eq!(
                (&*named, &*found, &*expected),
                (key, value, "true or false")
            );
        }
    }
}

#[test]
fn a_picture_smaller_than_the_crop_gets_a_black_border() {
    let p = with(r#""do_resize": false, "crop_size": 5, "do_normalize": false"#).unwrap();
    let out = p.pixels(&RgbImage::from_pixel(2, 8, image::Rgb([9, 8, 7])));
    assert_eq!(out.dimensions(), (5, 5));
    for (x, _, pixel) in out.enumerate_pixels() {
        let inside = (2..4).contains(&x);
        assert_eq!(pixel.0, if inside { [9, 8, 7] } else { [0; 3] }, "{x}");
    }
}

#[test]
fn values_are_rescaled_normalised_and_in_planes() {
    let p = read(json!({"size": 2, "image_mean": [0.5, 0.25, 0.0], "image_std": [0.5, 1.0, 2.0]}))
        .unwrap();
    let image = RgbImage::from_fn(2, 2, |x, y| {
        image::Rgb([(x * 255) as u8, (y * 255) as u8, 51])
    });
    let t = p.tensor(&p.pixels(&image));
    assert_eq!(&t[..4], &[-1.0, 1.0, -1.0, 1.0]);
    assert_eq!(&t[4..8], &[-0.25, -0.25, 0.75, 0.75]);
    assert!(t[8..].iter().all(|v| (v - 0.1).abs() < 1e-7));
    let p = read(json!({"size": 2, "do_normalize": false, "do_rescale": false, "do_flip_channel_order": true}))
        .unwrap();
    assert_eq!(p.tensor(&image)[..4], [51.0; 4]);
}

#[test]
fn a_square_that_is_asked_for_otherwise_is_refused_with_advice_that_works() {
    let key = "default_to_square";
    for rest in [
        r#""image_processor_type": "CLIPImageProcessorFast", "size": 16, "crop_size": 16, "default_to_square": true"#,
        r#""image_processor_type": "ViTImageProcessorFast", "size": 16, "default_to_square": false"#,
        r#""size": 16, "default_to_square": false"#,
        r#""size": 16, "crop_size": 16, "default_to_square": true"#,
    ] {
        let error = with(rest).unwrap_err().to_string();
        assert!(error.contains(key), "{rest}: {error}");
        let square = rest.replace(r#""size": 16"#, r#""size": {"height": 16, "width": 16}"#);
        assert_eq!(with(&square).unwrap().resize, ResizeMode::Exact(16, 16));
    }
    let usual = r#""image_processor_type": "CLIPImageProcessor", "size": 16, "crop_size": 16, "default_to_square": false"#;
    assert_eq!(with(usual).unwrap().resize, ResizeMode::Shortest(16));
}

#[test]
fn keys_that_are_not_known_are_refused_where_no_class_is_named() {
    for (key, value) in [
        ("channel_order", r#""bgr""#),
        ("color_space", r#""BGR""#),
        ("normalize", "false"),
        ("pad", "true"),
        ("letterbox", "true"),
        ("padding", r#""border""#),
        ("fill", "255"),
        ("mean", "[0.5, 0.5, 0.5]"),
        ("antialias", "false"),
        ("num_channels", "1"),
        ("apply_ocr", "true"),
    ] {
        let rest = format!(r#""size": 16, "{key}": {value}"#);
        let error = with(&rest).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
        let null = format!(r#""size": 16, "{key}": null"#);
        assert!(with(&null).is_ok(), "{key}");
        let named = format!(r#"{rest}, "image_processor_type": "ViTImageProcessor""#);
        assert!(with(&named).is_ok(), "{key}: the class passes over it");
    }
    let harmless = r#""size": 16, "processor_class": "A", "_note": 1, "return_tensors": "np", "data_format": "channels_first""#;
    assert!(with(harmless).is_ok());
    for harmless in [
        r#""reduce_labels": false"#,
        r#""reduce_labels": true"#,
        r#""num_channels": 3"#,
        r#""apply_ocr": false"#,
        r#""apply_ocr": null"#,
        r#""letterbox": false"#,
    ] {
        with(&format!(r#""size": 16, {harmless}"#)).unwrap();
    }
}

#[test]
fn openclip_says_the_same_or_is_refused() {
    let steps = with(r#""size": {"shortest_edge": 16}, "crop_size": 16, "resample": 3"#).unwrap();
    let file = |name: &str, value: Value| SettingsFile {
        path: name.into(),
        value,
    };
    let own = file("preprocessor_config.json", json!({}));
    let agrees = |value: Value| {
        let other = file("open_clip_config.json", value);
        steps
            .agrees_with_open_clip(&other, &own)
            .map_err(|e| e.to_string())
    };
    let same = json!({"mean": [0.5, 0.5, 0.5], "std": 0.5, "interpolation": "bicubic",
        "resize_mode": "shortest", "size": [16, 16]});
    let vision = json!({"vision_cfg": {"image_size": 16}});
    agrees(json!({"preprocess_cfg": same, "model_cfg": vision})).unwrap();
    for (key, value) in [
        ("mean", json!([0.4, 0.4, 0.4])),
        ("std", json!([0.2, 0.2, 0.2])),
        ("interpolation", json!("bilinear")),
        ("resize_mode", json!("squash")),
        ("size", json!(32)),
    ] {
        let error = agrees(json!({"preprocess_cfg": {key: value}})).unwrap_err();
        assert!(
            error.contains(&format!("`preprocess_cfg.{key}`")),
            "{error}"
        );
    }
    let error = agrees(json!({"model_cfg": {"vision_cfg": {"image_size": 32}}})).unwrap_err();
    assert!(error.contains("image_size"), "{error}");
}

#[test]
fn the_key_that_makes_the_values_useless_is_named() {
    for (rest, key) in [
        (
            r#""image_mean": 1e30, "image_std": 0.5"#,
            "`image_mean` is 1e+30",
        ),
        (r#""image_mean": 0.5, "image_std": 1e-39"#, "`image_std` is"),
        (
            r#""image_mean": 0.5, "image_std": 0.5, "rescale_factor": 1e-30"#,
            "`rescale_factor` is",
        ),
    ] {
        let error = read(serde_json::from_str(&format!(r#"{{"size": 4, {rest}}}"#)).unwrap());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    for kind in ["layoutlmv2", "rt_detr", "qwen2_vl"] {
        let file = SettingsFile {
            path: "preprocessor_config.json".into(),
            value: json!({"size": 16, "image_mean": 0.5, "image_std": 0.5}),
        };
        let error = ImagePreprocessor::from_settings(&file, Some(kind), None, false).unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
    }
}
