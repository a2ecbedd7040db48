//! Labelled images for validation.

use ndarray::Array2;

/// Images with labels.
#[derive(Debug, Clone)]
pub struct LabelledImages {
    /// The data set.
    pub name: String,
    /// Unit vectors, `[images, dim]`.
    pub images: Array2<f32>,
    /// One mean prompt a class, unit vectors, `[classes, dim]`.
    pub prompts: Array2<f32>,
    /// The class of each image.
    pub labels: Vec<u32>,
}
