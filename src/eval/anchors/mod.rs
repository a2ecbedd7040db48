//! Evaluation of the pairs of an anchor set themselves.
//!
//! | file | role |
//! |---|---|
//! | [`diagnosis`] | predicts how well the anchor set will work: agreement of both sides, clusters, hubs, duplicates, captions |
//! | [`advice`] | advice for each of these findings |
//! | [`curation`] | near-duplicates, pairs that do not fit, coverage, a coreset |
//! | [`influence`] | which anchors and sources help on labelled images |
//! | `gather` | vectors and records of anchors, and their nearest neighbours |
//!
//! The arithmetic is in `crate::space::diagnose`, `crate::space::curate` and `crate::space::influence`.

pub mod advice;
pub mod curation;
pub mod diagnosis;
mod gather;
pub mod influence;
