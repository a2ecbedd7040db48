//! Maintenance of an anchor set: integrity checks, repair, and finding and purging
//! the traces of a pair.
//!
//! | file | role |
//! |---|---|
//! | [`check`] | integrity check of an anchor set |
//! | `sound` | integrity check of one generation |
//! | [`repair`] | repair of a damaged anchor set |
//! | `rebuild` | rebuilds a damaged segment, bit for bit |
//! | `log_repair` | repairs the log |
//! | `removals` | which pairs were removed after a generation: a repair that goes back excludes them |
//! | `thumbnail_repair` | makes thumbnails again from the images |
//! | `tombstone_repair` | rebuilds a lost tombstone file from the log |
//! | `aside` | moves abandoned files to `damaged/` |
//! | [`purge`] | finds the traces of pairs and deletes them |
//! | [`elsewhere`] | other anchor sets that contain the same pairs |
//! | [`diff`] | the difference of two anchor sets |

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
mod thumbnail_repair;
mod tombstone_repair;
