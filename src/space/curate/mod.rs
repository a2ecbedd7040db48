//! Which pairs of an anchor set are worth keeping.
//!
//! | file | role |
//! |---|---|
//! | [`fit`] | does a pair's text fit its image, judged by its neighbours |
//! | [`coreset`] | fewer pairs that still cover the contents of all of them |
//! | [`groups`] | connected components |

pub mod coreset;
pub(crate) mod fit;
pub(crate) mod groups;
