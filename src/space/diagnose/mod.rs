//! Measures of an anchor set that need its vectors only, no labels.
//!
//! | file | role |
//! |---|---|
//! | [`gram`] | pairwise similarities and nearest neighbours |
//! | [`alignment`] | agreement of both sides: mutual neighbours, CKA |
//! | [`clusters`] | groups of pairs by content: spherical k-means |
//! | [`hubs`] | vectors that are near too many others |
//! | [`language`] | which language a caption is in |

pub(crate) mod alignment;
pub(crate) mod clusters;
pub(crate) mod gram;
pub(crate) mod hubs;
pub(crate) mod language;
