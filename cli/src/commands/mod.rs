//! The commands, one file each: arguments in, a library call, output.

pub(crate) mod anchors;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod classify;
pub(crate) mod curate;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod influence;
pub(crate) mod inspect;
pub(crate) mod models;
pub(crate) mod repair;
pub(crate) mod rollback;
pub(crate) mod scaling;
#[cfg(feature = "server")]
pub(crate) mod serve;
pub(crate) mod swap;
pub(crate) mod templates;
pub(crate) mod tune;
pub(crate) mod verify;
