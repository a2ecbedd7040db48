//! Vectors in requests, in the place of images and labels.

use asif::embed::InputRejection;
use asif::modality::Modality;

/// The vector scaled to norm 1, or why it cannot be used.
pub(crate) fn unit(
    mut vector: Vec<f32>,
    dim: usize,
    modality: Modality,
) -> Result<Vec<f32>, InputRejection> {
    let rejected = |reason: String| InputRejection::from(reason);
    if vector.len() != dim {
        return Err(rejected(format!(
            "the vector has {} components, but the {modality} encoder has {dim}; encode the {modality} with it",
            vector.len()
        )));
    }
    let norm = vector
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    if let Some(at) = vector.iter().position(|v| !v.is_finite()) {
        return Err(rejected(format!(
            "component {} of the vector is not a finite 32-bit number; encode the {modality} again",
            at + 1
        )));
    }
    if norm < 1e-6 {
        return Err(rejected(format!(
            "the vector is zero; encode the {modality} again"
        )));
    }
    // Unit vectors of clients are off by float rounding only; scaling them would change their bits.
    if (norm - 1.0).abs() > 1e-4 {
        vector
            .iter_mut()
            .for_each(|v| *v = (f64::from(*v) / norm) as f32);
    }
    Ok(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_checked_and_scaled() {
        assert_eq!(
            unit(vec![0.6, 0.8], 2, Modality::Image).unwrap(),
            [0.6, 0.8]
        );
        assert_eq!(
            unit(vec![3.0, 4.0], 2, Modality::Image).unwrap(),
            [0.6, 0.8]
        );
        for bad in [
            vec![1.0],
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
        ] {
            assert!(unit(bad.clone(), 2, Modality::Image).is_err(), "{bad:?}");
        }
    }
}
