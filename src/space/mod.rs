//! The arithmetic of the space: pure functions over slices, no I/O.
//!
//! ```text
//! unit vector --[center]--> query --(index: top k)--> hits --[relative]--> row --[head]--> class scores
//! ```
//!
//! | file | role |
//! |---|---|
//! | [`params`] | the settings of a space, and the paper's |
//! | [`center`] | subtracting the anchors' mean, as an affine form of the stored vectors |
//! | [`relative`] | similarities to anchors become a relative row: top-k, power, norm |
//! | [`head`] | the rows of all prompts as inverted lists; an image row becomes class scores |
//! | [`curate`] | which pairs are worth keeping |
//! | [`diagnose`] | what the vectors of pairs say about a set, without labels |
//! | [`explain`] | a score split into the anchors that made it |
//! | [`influence`] | answers without an anchor, in closed form |
//! | [`prompts`] | labels and templates become prompts |
//! | [`vector`] | unit vectors, mean directions, exact sums |

pub mod center;
pub mod curate;
pub mod diagnose;
pub mod explain;
pub mod head;
pub mod influence;
pub mod params;
pub mod prompts;
pub mod relative;
pub mod vector;

pub use head::{Aggregate, ClassHead};
pub use params::{Negatives, SpaceParams};
pub use relative::RelativeRow;
