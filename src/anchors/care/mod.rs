//! What looks after a set: whether it is sound, what of a damaged one can be made good, and what
//! traces a pair has left.
//!
//! | file | role |
//! |---|---|
//! | [`check`] | whether a set is sound |
//! | `sound` | whether one generation is all that its manifest says |
//! | [`repair`] | what can be made good of a damaged set |
//! | `rebuild` | a damaged segment made again, to the bit |
//! | `log_repair` | the log made to tell what it must |
//! | `removals` | which pairs were removed after a generation: a repair that goes back leaves them out |
//! | `tombstone_repair` | a lost file of removed pairs made again from the log |
//! | `aside` | where a repair moves what it gives up |
//! | [`purge`] | where a pair has left traces, and their end |
//! | [`elsewhere`] | other sets that hold a pair too |
//! | [`diff`] | what two sets do not share |

pub(crate) mod aside;
pub mod check;
pub mod diff;
pub mod elsewhere;
pub(crate) mod log_repair;
pub mod purge;
pub(crate) mod rebuild;
pub(crate) mod removals;
pub mod repair;
pub(crate) mod sound;
pub(crate) mod tombstone_repair;
