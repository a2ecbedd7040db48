//! The served anchor sets: generations, what is derived from them, and uploads.

pub(crate) mod cache;
pub(crate) mod generation;
pub(crate) mod heads;
pub(crate) mod set;
pub(crate) mod uploads;
