//! What the vectors of pairs say about a set before any label is asked.
//!
//! | file | role |
//! |---|---|
//! | [`gram`] | similarities of all with all, and who is nearest to whom |
//! | [`alignment`] | do both sides agree on who is near whom: mutual neighbours, CKA |
//! | [`clusters`] | what the pairs speak of: spherical k-means |
//! | [`hubs`] | vectors that are near to too many others |
//! | [`language`] | which language a caption is in |

pub mod alignment;
pub mod clusters;
pub mod gram;
pub mod hubs;
pub mod language;
