//! What every request passes before and after its route: access, limits, log, metrics.

pub(crate) mod auth;
pub(crate) mod drain;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod paths;
