//! Which pairs of a set are worth keeping.
//!
//! | file | role |
//! |---|---|
//! | [`fit`] | does a pair's text fit its image, judged by its neighbours |
//! | [`coreset`] | fewer pairs that still cover what all of them speak of |
//! | [`groups`] | what hangs together by links |

pub mod coreset;
pub mod fit;
pub mod groups;
