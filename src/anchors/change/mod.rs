//! What changes a set: each change is a new generation, or nothing.
//!
//! | file | role |
//! |---|---|
//! | [`writer`] | the next generation of a set: lock, record, collection of old ones |
//! | [`mod@build`] | pairs in, a published generation out |
//! | [`add`], [`remove`], [`compact`], [`swap`] | the changes |
//! | `incoming` | pairs of files, or of whoever has them |
//! | [`vectors`] | pairs whose vectors were made elsewhere |
//! | [`respace`] | another recipe for the same pairs |
//! | [`reweigh`] | other weights for several encoders of a modality |
//! | [`select`] | which pairs a command speaks of |
//! | `recover` | what killed writers left of segments, and what of it is needed |

pub mod add;
pub mod build;
pub mod compact;
pub(crate) mod incoming;
pub(crate) mod recover;
pub mod remove;
pub mod respace;
pub mod reweigh;
pub mod select;
pub mod swap;
pub mod vectors;
pub mod writer;
