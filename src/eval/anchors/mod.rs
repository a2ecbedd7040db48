//! What is to be said of the pairs of a set themselves.
//!
//! | file | role |
//! |---|---|
//! | [`diagnosis`] | will the set work: agreement of both sides, clusters, hubs, duplicates, captions |
//! | [`advice`] | a sentence for each of these |
//! | [`curation`] | near-duplicates, pairs that do not fit, coverage, a coreset |
//! | [`influence`] | which anchors and sources help on labelled images |
//! | `gather` | vectors and records of anchors, and their nearest in the set |
//!
//! The arithmetic is in [`crate::space::diagnose`], [`crate::space::curate`] and [`crate::space::influence`].

pub mod advice;
pub mod curation;
pub mod diagnosis;
mod gather;
pub mod influence;
