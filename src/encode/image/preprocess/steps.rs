//! The steps as read from a file, and the checks common to every class.

use serde_json::Value;

use super::{ImagePreprocessor, ResizeMode, table};
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;
use crate::encode::image::resample::ResampleFilter;

/// The steps as they were read, before they are checked.
#[derive(Debug, Clone)]
pub(super) struct PreprocessSteps {
    pub resize: ResizeMode,
    pub crop: Option<(u32, u32)>,
    pub cut_first: Option<(f64, f64)>,
    pub filter: ResampleFilter,
    pub normalize: Option<([f64; 3], [f64; 3])>,
    pub divided_again: bool,
    pub offset: bool,
    pub bgr: bool,
    pub rounded_crop: bool,
}

impl Default for PreprocessSteps {
    fn default() -> Self {
        Self {
            resize: ResizeMode::Keep,
            crop: None,
            cut_first: None,
            filter: ResampleFilter::Bilinear,
            normalize: None,
            divided_again: false,
            offset: false,
            bgr: false,
            rounded_crop: false,
        }
    }
}

impl PreprocessSteps {
    /// Checks what does not depend on the class: one size comes out, and every value is finite.
    pub(crate) fn finish(self, file: &SettingsFile) -> Result<ImagePreprocessor, ModelError> {
        // The crop comes last, so its size is what the model gets.
        let size = match (self.crop, self.resize) {
            (Some(size), _) => size,
            (None, ResizeMode::Exact(w, h)) => (w, h),
            (None, ResizeMode::Keep | ResizeMode::Shortest(_)) => {
                return Err(file.bad(
                    "crop_size",
                    "absent",
                    "a size, since the pictures would come out in different sizes",
                    "set do_center_crop and crop_size, or size with height and width",
                ));
            }
        };
        // The processors rescale unless told otherwise.
        let rescale = match file.switch("do_rescale")?.unwrap_or(true) {
            true => Some(file.number("rescale_factor")?.unwrap_or(1.0 / 255.0)),
            false => None,
        };
        if self.offset && !rescale.is_some_and(|r| (r * 127.5 - 1.0).abs() < 1e-6) {
            return Err(file.bad(
                "rescale_offset",
                "true",
                "a rescale_factor of 1/127.5 with it, since versions of the class differ in others",
                "use image_mean and image_std for the offset",
            ));
        }
        if self
            .normalize
            .is_some_and(|(_, std)| std.iter().any(|&s| s <= 0.0))
        {
            return Err(file.bad(
                "image_std",
                &file.get("image_std").unwrap_or(&Value::Null).to_string(),
                "three numbers above 0",
                "correct the file",
            ));
        }
        let offset = if self.offset { 1.0 } else { 0.0 };
        // A sample has 256 values, so all arithmetic of the steps is done once, here.
        let values = table(rescale, offset, self.normalize, self.divided_again);
        // Blames the key without which the values would be valid.
        let bad = |expected| {
            let useful = |table: &[[f32; 256]; 3]| {
                let finite = table.iter().flatten().all(|v| v.is_finite());
                finite && !table.iter().all(is_flat)
            };
            let again = self.divided_again;
            let with = |normalize| useful(&table(rescale, offset, normalize, again));
            let key = match self.normalize {
                _ if useful(&table(Some(1.0 / 255.0), offset, self.normalize, again)) => {
                    "rescale_factor"
                }
                Some((_, std)) if with(Some(([0.0; 3], std))) => "image_mean",
                Some((mean, _)) if with(Some((mean, [1.0; 3]))) => "image_std",
                _ => "rescale_factor",
            };
            let found = file.get(key).unwrap_or(&Value::Null);
            file.bad(key, &found.to_string(), expected, "correct the file")
        };
        if values.iter().flatten().any(|v| !v.is_finite()) {
            return Err(bad(
                "numbers that, with rescale_factor, image_mean and image_std, give 32-bit numbers",
            ));
        }
        // With one value for all samples every picture would give the same vector, without an error.
        if values.iter().all(is_flat) {
            return Err(bad(
                "what keeps pixels apart: with it all pictures are the same to the model",
            ));
        }
        Ok(ImagePreprocessor {
            resize: self.resize,
            crop: self.crop,
            cut_first: self.cut_first,
            rounded_crop: self.rounded_crop,
            filter: self.filter,
            rescale,
            offset: self.offset,
            normalize: self.normalize,
            divided_again: self.divided_again && self.normalize.is_some(),
            bgr: self.bgr,
            trusted: None,
            source: (file.path.clone(), "size or crop_size"),
            size,
            table: values,
        })
    }
}

/// Whether all samples of a channel have the same value.
fn is_flat(row: &[f32; 256]) -> bool {
    row.iter().all(|v| *v == row[0])
}
