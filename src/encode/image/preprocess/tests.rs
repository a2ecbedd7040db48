use serde_json::{Value, json};

use super::*;
use crate::encode::error::ModelError;
use crate::encode::folder::Settings;

fn read(value: Value) -> Result<Preprocess, ModelError> {
    let file = Settings {
        path: "preprocessor_config.json".into(),
        value,
    };
    Preprocess::from_settings(&file, None, None, false)
}

const NORM: &str = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#;

fn with(rest: &str) -> Result<Preprocess, ModelError> {
    read(serde_json::from_str(&format!("{{{NORM}, {rest}}}")).unwrap())
}

#[test]
fn every_way_to_write_a_size() {
    let p = with(r#""size": 224"#).unwrap();
    assert_eq!(
        (p.resize, p.crop, p.size),
        (Resize::Exact(224, 224), None, (224, 224))
    );
    let p = with(r#""size": 256, "crop_size": 224"#).unwrap();
    assert_eq!(
        (p.resize, p.crop),
        (Resize::Shortest(256), Some((224, 224)))
    );
    let p = with(r#""size": {"shortest_edge": 256}, "crop_size": {"height": 200, "width": 224}"#);
    assert_eq!(p.unwrap().size, (224, 200));
    let p = with(r#""size": {"height": 96, "width": 128}, "do_center_crop": false"#).unwrap();
    assert_eq!((p.resize, p.size), (Resize::Exact(128, 96), (128, 96)));
    let p = with(r#""size": {"shortest_edge": 224}, "crop_pct": 0.875"#).unwrap();
    assert_eq!(
        (p.resize, p.crop),
        (Resize::Shortest(256), Some((224, 224)))
    );
    let p = with(r#""size": {"shortest_edge": 384}, "crop_pct": 0.875"#).unwrap();
    assert_eq!((p.resize, p.crop), (Resize::Exact(384, 384), None));
    let p = with(r#""do_resize": false, "crop_size": 64"#).unwrap();
    assert_eq!((p.resize, p.size), (Resize::Keep, (64, 64)));
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
