//! Labels and images to answers, owned.

use std::path::Path;
use std::sync::Arc;

use super::unwatched::unwatched;
use crate::anchors::AnchorsError;
use crate::anchors::live::Snapshot;
use crate::classify::{ClassifiedImage, Classifier, LabelExplanation, LabelHead, RankedLabel};
use crate::embed::{Embedder, InputRejection};

/// Says which of some labels fits an image, by the pairs of one generation.
///
/// It stays with the generation that it was made from, so that all its answers can be compared and
/// explained; make a new one after a swap. Cloning it copies no vectors.
#[derive(Debug, Clone)]
pub struct ZeroShotClassifier {
    snapshot: Arc<Snapshot>,
    embedder: Arc<Embedder>,
    head: Arc<LabelHead>,
}

impl ZeroShotClassifier {
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        embedder: Arc<Embedder>,
        head: Arc<LabelHead>,
    ) -> Self {
        Self {
            snapshot,
            embedder,
            head,
        }
    }

    /// The number of the generation that answers.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// The labels, in the order of every list of scores.
    pub fn labels(&self) -> &[String] {
        self.head.labels()
    }

    /// One answer for each image file, in order; an image that cannot be used has the reason instead, and
    /// the others are answered.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn classify<P: AsRef<Path> + Sync>(
        &self,
        images: &[P],
    ) -> Result<Vec<Result<ClassifiedImage, InputRejection>>, AnchorsError> {
        unwatched(|watch| self.borrowed().classify(images, watch))
    }

    /// One answer for each image that is a unit vector `[dim]` already.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn classify_vectors(
        &self,
        vectors: Vec<Vec<f32>>,
    ) -> Result<Vec<ClassifiedImage>, AnchorsError> {
        self.borrowed().answers(vectors)
    }

    /// The labels of an answer, best first; at most `top`.
    pub fn ranked(&self, answer: &ClassifiedImage, top: usize) -> Vec<RankedLabel> {
        self.head.ranked(answer, top)
    }

    /// The pairs behind the score of the label with this number: at most `top` that speak for it, as many
    /// against it, and the sum of the rest, so that everything adds up to the score.
    ///
    /// # Errors
    /// When there is no label of that number, or the record or vector of a pair is damaged.
    pub fn explain(
        &self,
        answer: &ClassifiedImage,
        label: usize,
        top: usize,
    ) -> Result<LabelExplanation, AnchorsError> {
        self.borrowed().reasons(answer, label, top)
    }

    /// The same parts as a value that borrows them; costs nothing.
    fn borrowed(&self) -> Classifier<'_> {
        let (searcher, head) = (self.snapshot.searcher(), Arc::clone(&self.head));
        Classifier::with_head(searcher, &self.embedder, head)
            .expect("the head was made with this snapshot")
    }
}
