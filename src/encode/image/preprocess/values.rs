//! The values of `preprocessor_config.json`: sizes, filters, lists, and unsupported steps.

use serde_json::Value;

use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;
use crate::encode::image::resample::ResampleFilter;

/// The largest plausible side of a model's input, in pixels: a tensor of 48 MiB.
const MAX_INPUT: u64 = 2048;

/// A size that is one number, as a number or as `shortest_edge`; none for height and width.
pub(super) fn one_size(
    file: &SettingsFile,
    key: &str,
    size: &Value,
) -> Result<Option<u32>, ModelError> {
    let shortest = size.get("shortest_edge").filter(|v| !v.is_null());
    match (size, shortest) {
        (Value::Number(_), _) => pixels_of(file, key, size).map(Some),
        (_, Some(side)) => pixels_of(file, &format!("{key}.shortest_edge"), side).map(Some),
        // An object with null for `shortest_edge` is read by height and width.
        _ => Ok(None),
    }
}

/// Rejects what `size` or `crop_size` says beside the form that is followed: one of height and width,
/// or `shortest_edge` alone.
pub(super) fn refuse_mixed_forms(file: &SettingsFile) -> Result<(), ModelError> {
    for name in ["size", "crop_size"] {
        let Some(map) = file.get(name).and_then(Value::as_object) else {
            continue;
        };
        // Null means absent to the classes of Hugging Face.
        let said = map.iter().filter(|(_, value)| !value.is_null());
        let said: Vec<&str> = said.map(|(key, _)| key.as_str()).collect();
        let by_edge = said.contains(&"shortest_edge");
        let other = |key: &&&str| match **key {
            "shortest_edge" => false,
            "height" | "width" => by_edge,
            _ => true,
        };
        if let Some(key) = said.iter().find(other) {
            return Err(file.bad(
                &format!("{name}.{key}"),
                &map.get(*key).unwrap_or(&Value::Null).to_string(),
                "height and width, or shortest_edge alone",
                "remove what the model was not trained with",
            ));
        }
    }
    Ok(())
}

/// Rejects null for a key that is `usual` where it is absent: the class's older versions take null for
/// "no", its newer ones for "as usual".
pub(super) fn refuse_null(file: &SettingsFile, key: &str, usual: &str) -> Result<(), ModelError> {
    match file.value.get(key) {
        Some(Value::Null) => Err(file.bad(
            key,
            "null",
            &format!("a value: versions of the class read null as {usual} or as none"),
            "write what the model was trained with",
        )),
        _ => Ok(()),
    }
}

/// A size given as one number, as height and width, or as a list of both: `(width, height)`.
pub(super) fn box_of(file: &SettingsFile, key: &str) -> Result<(u32, u32), ModelError> {
    let absent = Value::Null;
    let value = file.get(key).unwrap_or(&absent);
    let (w, h) = match (value, value.get("width"), value.get("height")) {
        (Value::Number(_), ..) => (value, value),
        (_, Some(w), Some(h)) => (w, h),
        // Lists are `[height, width]`, as numpy counts; here it is width first.
        (Value::Array(list), ..) if list.len() == 2 => (&list[1], &list[0]),
        _ => {
            return Err(file.bad(
                key,
                &value.to_string(),
                "a number, {\"height\", \"width\"} or, for size, {\"shortest_edge\"}",
                "correct the file",
            ));
        }
    };
    Ok((pixels_of(file, key, w)?, pixels_of(file, key, h)?))
}

fn pixels_of(file: &SettingsFile, key: &str, side: &Value) -> Result<u32, ModelError> {
    match side.as_u64().filter(|s| (1..=MAX_INPUT).contains(s)) {
        Some(side) => Ok(side as u32),
        None => Err(file.bad(
            key,
            &side.to_string(),
            &format!("1 to {MAX_INPUT} pixels"),
            "correct the file",
        )),
    }
}

/// `int(exact)`, a size before a crop, which may be larger than a model's input but not without end.
pub(super) fn scaled(file: &SettingsFile, key: &str, exact: f64) -> Result<u32, ModelError> {
    if !(1.0..=4.0 * MAX_INPUT as f64).contains(&exact) {
        return Err(file.bad(
            key,
            &file.get(key).unwrap_or(&Value::Null).to_string(),
            &format!(
                "what makes pictures of 1 to {} pixels a side",
                4 * MAX_INPUT
            ),
            "correct the file",
        ));
    }
    // Truncated like Python's `int`, which the processors apply to this product.
    Ok(exact as u32)
}

/// `crop_pct`, or `usual` where the file has none.
pub(super) fn crop_part(
    file: &SettingsFile,
    usual: Option<f64>,
) -> Result<Option<f64>, ModelError> {
    let part = file.number("crop_pct")?.or(usual);
    if let Some(part) = part
        && !(part > 0.0 && part <= 1.0)
    {
        return Err(file.bad(
            "crop_pct",
            &part.to_string(),
            "above 0, at most 1",
            "correct the file",
        ));
    }
    Ok(part)
}

/// `resample`: Pillow's number, or a filter's name.
pub(super) fn filter_of(
    file: &SettingsFile,
    usual: ResampleFilter,
) -> Result<ResampleFilter, ModelError> {
    let Some(code) = file.get("resample") else {
        return Ok(usual);
    };
    let by_name = |name: &str| {
        // A name may have a prefix, as in `Resampling.BICUBIC`.
        let name = name.rsplit('.').next().unwrap_or(name);
        let all = (0..6).filter_map(ResampleFilter::from_code);
        all.into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(name))
    };
    let found = match code {
        Value::String(name) => by_name(name),
        code => code.as_u64().and_then(ResampleFilter::from_code),
    };
    found.ok_or_else(|| {
        file.bad(
            "resample",
            &code.to_string(),
            "0 to 5, as Pillow counts, or a filter's name",
            "correct the file",
        )
    })
}

pub(super) fn three(file: &SettingsFile, key: &str) -> Result<[f64; 3], ModelError> {
    let absent = Value::Null;
    let value = file.get(key).unwrap_or(&absent);
    let read = || -> Option<[f64; 3]> {
        // One number stands for all three channels.
        if let Some(one) = value.as_f64() {
            return Some([one; 3]);
        }
        let list: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
        list?.try_into().ok()
    };
    read().ok_or_else(|| {
        file.bad(
            key,
            &value.to_string(),
            "three numbers",
            "copy the file from the model's source",
        )
    })
}

/// The switches that every class may have.
const SWITCHES: [&str; 6] = [
    "do_resize",
    "do_center_crop",
    "do_rescale",
    "do_normalize",
    "do_convert_rgb",
    "do_reduce_labels",
];

/// The switches without `do_` that change pixels.
const OTHER_SWITCHES: [&str; 3] = ["rescale_offset", "include_top", "keep_aspect_ratio"];

/// Rejects steps that would change the pixels and are not supported; `own` are the keys that the class
/// supports, or is known to ignore.
pub(super) fn refuse_the_unknown(file: &SettingsFile, own: &[&str]) -> Result<(), ModelError> {
    let keys = file.value.as_object().map(|map| map.keys());
    for key in keys.into_iter().flatten() {
        // An unknown switch that is off asks for nothing and is accepted.
        let known = SWITCHES.contains(&key.as_str()) || own.contains(&key.as_str());
        let step = key.starts_with("do_") || OTHER_SWITCHES.contains(&key.as_str());
        let done = step && file.switch(key)? == Some(true);
        if done && !known {
            return Err(file.bad(
                key,
                "true",
                "false or absent: this step is not supported",
                "export the model with a plain resize, crop and normalise",
            ));
        }
    }
    const SIZES: [&str; 5] = [
        "ensure_multiple_of",
        "size_divisor",
        "pad_size",
        "max_size",
        "clusters",
    ];
    for key in SIZES.into_iter().filter(|key| !own.contains(key)) {
        // A multiple or divisor of 1 changes no size.
        if let Some(value) = file.get(key).filter(|v| v.as_u64() != Some(1)) {
            return Err(file.bad(
                key,
                &value.to_string(),
                "absent: this step is not supported",
                "export the model with a plain resize, crop and normalise",
            ));
        }
    }
    // Older versions of a class read null as "no", newer ones as the default.
    refuse_null(file, "do_resize", "true")?;
    refuse_null(file, "do_rescale", "true")?;
    // These sizes keep the aspect ratio, and an input of the model has one size.
    for key in ["longest_edge", "max_height", "max_width"] {
        let size = file.get("size").and_then(|size| size.get(key));
        if size.is_some_and(|v| !v.is_null()) {
            return Err(file.bad(
                &format!("size.{key}"),
                "set",
                "absent: pictures would come out in different sizes",
                "use shortest_edge with a crop, or height and width",
            ));
        }
    }
    refuse_mixed_forms(file)
}

/// The keys that are read from a file without a class.
const READ: [&str; 9] = [
    "crop_pct",
    "crop_size",
    "default_to_square",
    "do_flip_channel_order",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
];

/// The keys that change no vector: names, and how the class is called or hands out its arrays. Those of
/// the steps are refused elsewhere unless they ask for nothing.
const WITHOUT_EFFECT: [&str; 25] = [
    "auto_map",
    "clusters",
    "data_format",
    "device",
    "disable_grouping",
    "ensure_multiple_of",
    "feature_extractor_type",
    "ignore_index",
    "image_processor_type",
    "image_seq_length",
    "include_top",
    "input_data_format",
    "keep_aspect_ratio",
    "max_size",
    "model_input_names",
    "name_or_path",
    "pad_size",
    "processor_class",
    "reduce_labels",
    "rescale_offset",
    "return_tensors",
    "size_divisor",
    "tokenizer_class",
    "transformers_version",
    "use_fast",
];

/// Name fragments of steps that are always done here, so that `false` would change the pixels.
const DONE_UNASKED: [&str; 8] = [
    "alias", "crop", "normal", "resiz", "rgb", "sampl", "scale", "standard",
];

/// Whether an unknown key requests what is done anyway.
fn asks_for_nothing(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(false) => !DONE_UNASKED.iter().any(|step| key.contains(step)),
        // Three channels are what every image is converted to.
        value => key == "num_channels" && value.as_u64() == Some(3),
    }
}

/// Rejects keys that are not known, in a file that names no class that would pass over them: another
/// program's steps are not those of the keys that are read here.
pub(super) fn refuse_other_keys(file: &SettingsFile) -> Result<(), ModelError> {
    let known = |key: &str| {
        // Keys with an underscore are notes of the program that saved the file.
        key.starts_with('_')
            || key.starts_with("do_")
            || READ.contains(&key)
            || WITHOUT_EFFECT.contains(&key)
    };
    let map = file.value.as_object();
    let mut said = map.into_iter().flatten();
    match said.find(|(key, value)| !known(key) && !asks_for_nothing(key, value)) {
        None => Ok(()),
        Some((key, value)) => Err(file.bad(
            key,
            &value.to_string(),
            "absent: size, crop_size, resample, image_mean and image_std are read, and this key may \
             change pictures",
            "write what it says with these keys and remove it, or name the class in \
             image_processor_type",
        )),
    }
}

/// Rejects a `default_to_square` that reads the one number in `size` otherwise than it is read here.
/// Newer versions of a class follow that key, older ones do not.
pub(super) fn refuse_other_square(file: &SettingsFile, square: bool) -> Result<(), ModelError> {
    let Some(asked) = file.switch("default_to_square")? else {
        return Ok(());
    };
    let Some(side) = file.get("size").filter(|size| size.is_number()) else {
        // With height and width, or `shortest_edge`, the key has nothing to decide.
        return Ok(());
    };
    if asked == square {
        return Ok(());
    }
    Err(file.bad(
        "default_to_square",
        &asked.to_string(),
        &format!("{square} or absent, as size {side} is read; versions of the class differ"),
        &format!(
            "write size as {{\"height\": {side}, \"width\": {side}}} for a square, or as \
             {{\"shortest_edge\": {side}}} for the short side, whichever the model was trained with"
        ),
    ))
}
