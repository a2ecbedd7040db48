//! Reads the vectors that tuning needs, of an anchor set and of labelled folders, into memory.

use ndarray::Array2;

use super::dataset::Dataset;
use super::measure::{EvaluationSubject, MeasureError, classification};
use crate::anchors::{AnchorId, AnchorSet, AnchorsError};
use crate::embed::InputRejection;
use crate::image_source::ImageSource;
use crate::modality::{Modality, PerModality};
use crate::space::linear::Moments;
use crate::space::prompts::{LabelList, PromptTemplates};
use crate::space::tune::LabelledImages;
use crate::space::tune::evaluator::SideVectors;
use crate::space::vector::mean_direction;

/// Larger anchor sets are tuned on this many evenly spaced pairs, which limits time and memory.
pub const MOST_PAIRS: usize = 30_000;

/// The vectors and captions of the pairs of an anchor set, or of evenly spaced ones.
#[derive(Debug)]
pub struct TunePairs {
    sides: PerModality<Array2<f32>>,
    moments: Moments,
    captions: Vec<Vec<String>>,
}

impl TunePairs {
    /// Reads at most `most` pairs.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn read(set: &AnchorSet, most: usize) -> Result<Self, AnchorsError> {
        let n = set.len().min(most);
        let chosen: Vec<AnchorId> = (0..n as u64)
            .map(|i| (i * set.len() as u64 / n.max(1) as u64) as AnchorId)
            .collect();
        let sides = PerModality::try_of(|modality| {
            let mut rows = Vec::with_capacity(n * set.dim(modality));
            for &anchor in &chosen {
                rows.extend_from_slice(set.vector(anchor, modality)?);
            }
            let rows = Array2::from_shape_vec((n, set.dim(modality)), rows);
            Ok::<_, AnchorsError>(rows.expect("vectors of an anchor set have its dimension"))
        })?;
        let moments = match n == set.len() {
            true => set.moments()?,
            false => Moments::of(&sides),
        };
        let captions = chosen.iter().map(|&a| Ok(set.record(a)?.captions));
        Ok(Self {
            sides,
            moments,
            captions: captions.collect::<Result<_, AnchorsError>>()?,
        })
    }

    /// The vectors.
    pub fn vectors(&self) -> SideVectors<'_> {
        SideVectors {
            sides: self.sides.as_ref().map(|rows| rows.view()),
            moments: &self.moments,
        }
    }

    /// The captions of each pair.
    pub fn captions(&self) -> &[Vec<String>] {
        &self.captions
    }
}

/// Encodes a labelled data set. Images that cannot be used are returned with their reasons.
///
/// # Errors
/// A [`MeasureError`].
pub fn labelled(
    subject: EvaluationSubject<'_>,
    dataset: &Dataset,
) -> Result<(LabelledImages, Vec<InputRejection>), MeasureError> {
    let task = classification(dataset)?;
    let EvaluationSubject {
        set,
        embedder,
        watch,
    } = subject;
    set.check_encoders(embedder)?;
    let default = PromptTemplates::default();
    let templates = task.templates.as_ref().unwrap_or(&default);
    let labels = LabelList::new(task.classes.iter().map(|c| c.name.as_str()))?;
    let dim = embedder.text().dim();
    let mut prompts = Vec::new();
    for texts in labels.prompts(templates) {
        prompts.extend(mean_direction(&embedder.prompts(&texts, watch)?, dim));
    }
    let total = task.images.len() as u64;
    watch.progress.begin("images", Some(total));
    let embeddings = embedder.images(&ImageSource::files(&task.images), watch)?;
    watch.progress.end();
    let (mut usable, mut rejected) = (Vec::new(), Vec::new());
    for (&label, embedding) in task.labels.iter().zip(embeddings) {
        match embedding {
            Ok(vector) => usable.push((label as u32, vector)),
            Err(reason) => rejected.push(reason),
        }
    }
    usable.sort_by_key(|(label, _)| *label);
    let images: Vec<f32> = usable.iter().flat_map(|(_, v)| v).copied().collect();
    let matrix = |n, dim, rows| {
        Array2::from_shape_vec((n, dim), rows)
            .expect("vectors of the anchor set's encoders have its dimension")
    };
    let labelled = LabelledImages {
        name: dataset.name.clone(),
        images: matrix(usable.len(), set.dim(Modality::Image), images),
        prompts: matrix(labels.as_slice().len(), dim, prompts),
        labels: usable.into_iter().map(|(label, _)| label).collect(),
    };
    Ok((labelled, rejected))
}
