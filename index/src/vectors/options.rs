//! How a vector set is written.

/// From so many rows on, a scan of sketches is worth its bytes; below, the scan of codes takes as
/// long as what follows the sketches.
const SKETCHED_ROWS: u64 = 4096;

/// What the int8 codes are measured from.
///
/// Embeddings of networks that end in a ReLU share a large mean; codes of the difference from it
/// spend their levels on what tells vectors apart. The f32 vectors are never changed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Center {
    /// From zero.
    #[default]
    None,
    /// From the mean of the rows that were pushed.
    Mean,
    /// From this vector `[dim]`.
    Given(Vec<f32>),
}

/// Whether a set gets one bit a number beside its codes, for [`Sketch`](crate::Sketch): a
/// thirty-second of the vectors' bytes, and four bytes a vector, eight where there is a centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sketched {
    /// If it has 4,096 rows or more.
    #[default]
    Auto,
    /// It does.
    Always,
    /// It does not.
    Never,
}

impl Sketched {
    /// Whether a set of so many rows gets sketches.
    pub(super) fn applies(self, rows: u64) -> bool {
        match self {
            Self::Auto => rows >= SKETCHED_ROWS,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How a vector set is written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VectorOptions {
    /// What the codes are measured from.
    pub center: Center,
    /// Whether the vectors are written in half precision as well, for
    /// [`Rescore::Halves`](crate::Rescore::Halves): `2 dim` bytes a vector more. Off by default.
    pub halves: bool,
    /// Whether there are sketches.
    pub sketches: Sketched,
}

impl VectorOptions {
    /// The same options with another centre.
    pub fn center(mut self, center: Center) -> Self {
        self.center = center;
        self
    }

    /// The same options with or without vectors in half precision.
    ///
    /// With them, numbers of 65520 or more, which round to no half, are refused.
    pub fn halves(mut self, halves: bool) -> Self {
        self.halves = halves;
        self
    }

    /// The same options with or without sketches.
    pub fn sketches(mut self, sketches: Sketched) -> Self {
        self.sketches = sketches;
        self
    }
}
