//! Pictures and texts of requests, until they are vectors.

pub(crate) mod batching;
pub(crate) mod encoders;
pub(crate) mod fetch;
pub(crate) mod picture;
pub(crate) mod vector;
