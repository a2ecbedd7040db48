//! Scores and labels that do not match.

/// Scores and labels that do not match.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricsError {
    /// The matrix of scores is empty.
    #[error("no scores: the matrix is {rows} x {columns}; give at least one image and one text")]
    Empty {
        /// Rows of the matrix (images).
        rows: usize,
        /// Columns of the matrix (classes or captions).
        columns: usize,
    },
    /// The labels are not one an image, or the owners not one a caption.
    #[error("expected {expected} labels, one for each {what}, found {found}; pass them together")]
    Length {
        /// `image` or `caption`.
        what: &'static str,
        /// Images or captions in the matrix.
        expected: usize,
        /// Labels or owners given.
        found: usize,
    },
    /// A label or owner past the end of the matrix.
    #[error("label {label} of entry {entry} is not below {limit}; number them from 0")]
    Range {
        /// Position of the label, from 0.
        entry: usize,
        /// The label.
        label: usize,
        /// How many there are.
        limit: usize,
    },
    /// An image without a caption cannot be searched for.
    #[error("image {image} has no caption; leave it out of the matrix")]
    NoCaption {
        /// The image's row, from 0.
        image: usize,
    },
}

/// Checks that `labels` has one entry for each of `expected` and that each is below `limit`.
pub(super) fn check(
    what: &'static str,
    expected: usize,
    labels: &[usize],
    limit: usize,
) -> Result<(), MetricsError> {
    if labels.len() != expected {
        return Err(MetricsError::Length {
            what,
            expected,
            found: labels.len(),
        });
    }
    match labels
        .iter()
        .enumerate()
        .find(|(_, label)| **label >= limit)
    {
        Some((entry, &label)) => Err(MetricsError::Range {
            entry,
            label,
            limit,
        }),
        None => Ok(()),
    }
}
