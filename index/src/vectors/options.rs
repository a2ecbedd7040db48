//! Options of writing a vector set.

/// The number of rows from which sketches pay. Below, the scan of codes takes as long as the rescoring that
/// follows a scan of sketches.
const SKETCHED_ROWS: u64 = 4096;

/// The centre that is subtracted before vectors are quantized to int8 codes.
///
/// Embeddings of networks that end in a ReLU share a large mean. Without it, the levels of the codes
/// are spent on the differences between vectors. The f32 vectors are never changed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum CodeCenter {
    /// No centre.
    #[default]
    None,
    /// The mean of the rows that were pushed.
    Mean,
    /// This vector `[dim]`.
    Given(Vec<f32>),
}

/// Whether a vector set is written with sketches (one bit a number) for [`SketchSearch`](crate::SketchSearch). They
/// take a thirty-second of the vectors' bytes, and four bytes a vector, or eight with a centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SketchPolicy {
    /// If it has at least 4,096 rows.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl SketchPolicy {
    /// Whether a set with this number of rows gets sketches.
    pub(super) fn applies(self, rows: u64) -> bool {
        match self {
            Self::Auto => rows >= SKETCHED_ROWS,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Options of writing a vector set.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VectorOptions {
    /// The centre of the codes.
    pub center: CodeCenter,
    /// Whether the vectors are also written in half precision, for
    /// [`RescorePrecision::Halves`](crate::RescorePrecision::Halves): `2 dim` more bytes a vector. Off by default.
    pub halves: bool,
    /// Whether sketches are written.
    pub sketches: SketchPolicy,
}

impl VectorOptions {
    /// Sets the centre.
    pub fn center(mut self, center: CodeCenter) -> Self {
        self.center = center;
        self
    }

    /// Sets whether the vectors are also written in half precision.
    ///
    /// If so, numbers of 65520 or more, which overflow half precision, are rejected.
    pub fn halves(mut self, halves: bool) -> Self {
        self.halves = halves;
        self
    }

    /// Sets whether sketches are written.
    pub fn sketches(mut self, sketches: SketchPolicy) -> Self {
        self.sketches = sketches;
        self
    }
}
