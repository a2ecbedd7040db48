//! An anchor set as the anchors of a space, and the mapping of vectors into that space.

pub(crate) mod searched;
pub mod searcher;
