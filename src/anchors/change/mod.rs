//! Changes of an anchor set: each is a new generation, or nothing.
//!
//! | file | role |
//! |---|---|
//! | [`writer`] | the next generation of an anchor set: lock, record, publication |
//! | [`mod@build`] | pairs in, a published generation out |
//! | [`add`], [`remove`], [`compact`], [`swap`] | the changes |
//! | `add_vectors` | adds pairs of files of vectors |
//! | `incoming` | pairs from files or from memory |
//! | [`vectors`] | pairs whose vectors were made elsewhere |
//! | [`respace`] | another recipe for the same pairs |
//! | [`reweigh`] | other weights for several encoders of a modality |
//! | [`select`] | which pairs a command selects |
//! | [`selection`] | which of the incoming pairs are taken |
//! | `live_ids` | the ids that an added pair must not have |
//! | `garbage` | leftovers of killed writers, and the files of old generations |
//! | `recover` | recovers or removes segments that killed writers left |

pub mod add;
pub mod add_vectors;
pub mod build;
pub mod compact;
pub(crate) mod garbage;
pub(crate) mod incoming;
pub(crate) mod live_ids;
pub(crate) mod recover;
pub mod remove;
pub mod respace;
pub mod reweigh;
pub mod select;
pub mod selection;
pub mod swap;
pub mod vectors;
pub mod writer;
