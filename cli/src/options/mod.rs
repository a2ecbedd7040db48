//! Arguments that several commands share, and what is made of them.

pub(crate) mod args;
pub(crate) mod hubness;
pub(crate) mod pairs;
pub(crate) mod predictions;
pub(crate) mod query;
pub(crate) mod receipt;
pub(crate) mod selection;
pub(crate) mod vectors;
