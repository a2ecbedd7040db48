//! What is to be said of the pairs of a set themselves.
//!
//! | file | role |
//! |---|---|
//! | [`diagnosis`] | will the set work: agreement of both sides, clusters, hubs, duplicates, captions |
//! | [`advice`] | a sentence for each of these |
//! | `gather` | vectors and records of anchors, and their nearest in the set |
//!
//! The arithmetic is in [`crate::space::diagnose`].

pub mod advice;
pub mod diagnosis;
mod gather;
