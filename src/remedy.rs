//! What a caller can do so that a skipped input is accepted.

/// What a caller can do so that a skipped input is accepted, beyond correcting the input itself.
///
/// Messages describe it in terms of the library; a caller with its own names for it, as the command line
/// has, appends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum InputRemedy {
    /// Pass the file, or its unpacked content, as a separate source of pairs.
    OwnSource,
    /// Allow lists that others wrote to name images outside their folder:
    /// [`PairOptions::allow_outside`](crate::pairs::PairOptions::allow_outside).
    AllowOutside,
    /// Allow more memory for decoding: see
    /// [`DecodeBudget`](crate::encode::image::decode::DecodeBudget).
    DecodeMemory,
}
