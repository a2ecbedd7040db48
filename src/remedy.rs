//! What a caller can do so that an input which was left out is taken.

/// What a caller can do so that an input which was left out is taken, beyond mending the input itself.
///
/// Messages say it in words of the library; a caller that has names of its own for it, as the command line
/// has, adds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum InputRemedy {
    /// Give the file, or what it unpacks to, as a source of pairs of its own.
    OwnSource,
    /// Allow more memory for decoding: see
    /// [`DecodeBudget`](crate::encode::image::decode::DecodeBudget).
    DecodeMemory,
}
