//! What a command prints and writes.

pub(crate) mod draw;
pub(crate) mod format;
pub(crate) mod kinds;
pub(crate) mod outputs;
pub(crate) mod say;
