//! A set as the anchors of a space, and vectors to what the space makes of them.

pub mod searched;
pub mod searcher;
