//! What a table of predictions holds of an input.

use std::io;

use crate::classify::RankedLabel;
use crate::disk::FileReplacement;

/// What the rows of a table of predictions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictionLayout {
    /// The labels that are told of each input, best first.
    pub top: usize,
    /// Whether the right answers are known.
    pub is_measured: bool,
}

/// The right answer of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictionTarget<'a> {
    /// The data set that says so.
    pub dataset: &'a str,
    /// Its class.
    pub class: &'a str,
}

/// An input and its answer.
#[derive(Debug, Clone, Copy)]
pub struct PredictionRow<'a> {
    /// The number of the input in its list or file of vectors, from 0.
    pub row: u64,
    /// The input, such as the path of an image.
    pub input: &'a str,
    /// The right answer, where it is known.
    pub target: Option<PredictionTarget<'a>>,
    /// The labels, best first, or why there are none.
    pub answer: Result<&'a [RankedLabel], &'a str>,
}

impl<'a> PredictionRow<'a> {
    /// The best label.
    pub(super) fn best(&self) -> Option<&'a RankedLabel> {
        self.answer.ok()?.first()
    }

    /// Whether the best label is the right one, where that is known. An input without an answer is wrong.
    pub(super) fn is_right(&self) -> Option<bool> {
        let target = self.target?;
        Some(self.best().is_some_and(|best| best.label == target.class))
    }

    /// Why there is no answer.
    pub(super) fn error(&self) -> Option<&'a str> {
        self.answer.err()
    }

    /// The labels that are told.
    pub(super) fn told(&self, layout: PredictionLayout) -> &'a [RankedLabel] {
        let labels = self.answer.unwrap_or_default();
        &labels[..labels.len().min(layout.top)]
    }
}

/// Writes rows in one format.
pub(super) trait RowSink {
    fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()>;

    /// Writes what is kept back, and hands over the file.
    fn finish(self: Box<Self>) -> io::Result<FileReplacement>;
}
