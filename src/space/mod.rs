//! To come.

pub mod prompts;
