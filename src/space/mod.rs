//! The arithmetic of the space: pure functions over slices, no I/O.
//!
//! ```text
//! unit vector --[frame]--> query --(index: top k)--> hits --[relative]--> row ──┐
//!     └───────[linear map]──────────────────────────> coordinates ──────────────┤ codes
//!                                                                               │
//!                       scores <──[head, bank]── calibrated, added by share <───┘
//! ```
//!
//! | file | role |
//! |---|---|
//! | [`recipe`] | which parts a space is made of, and their calibration |
//! | [`parts`] | the kinds of parts, one file each |
//! | [`anchors`], [`matrices`] | what a space is fitted to: a trait, and its implementation in memory |
//! | [`fitted`] | a recipe fitted to anchors: vectors become codes, scores, explanations |
//! | [`params`] | the settings of relative rows, and the paper's |
//! | [`linear`] | maps in closed form: canonical coordinates, ridge, Procrustes, whitening |
//! | [`frame`], [`center`] | comparing mapped or centred anchors without storing them |
//! | [`relative`] | similarities to anchors become a relative row: top-k, power, norm |
//! | [`representation`] | an input's codes, and their score with another's |
//! | [`calibrate`], [`cohort`] | scores corrected for hubs and brought to one scale |
//! | [`bank`], [`head`] | many inputs indexed for scoring; classes |
//! | [`explain`] | a score split into the contributions of anchors |
//! | [`diagnose`] | measures of an anchor set that need no labels |
//! | [`curate`] | which pairs are worth keeping |
//! | [`influence`] | answers without an anchor, in closed form |
//! | [`tune`] | finds the recipe that suits an anchor set |
//! | [`product`] | products of a matrix with vectors |
//! | [`prompts`] | labels and templates become prompts |
//! | [`vector`] | unit vectors, mean directions, exact sums |

pub mod anchors;
pub mod bank;
pub mod calibrate;
pub mod center;
pub mod cohort;
pub mod curate;
pub mod diagnose;
pub mod explain;
pub mod fitted;
pub mod frame;
pub mod head;
pub mod influence;
pub mod linear;
pub mod matrices;
pub mod params;
pub mod parts;
pub mod product;
pub mod prompts;
pub mod recipe;
pub mod relative;
pub mod representation;
pub mod tune;
pub mod vector;

pub use bank::{CodeBank, PartCode};
pub use fitted::FittedSpace;
pub use frame::CoordinateFrame;
pub use head::{ClassHead, PromptAggregation};
pub use params::{NegativeSimilarity, RelativeParams};
pub use parts::SpacePart;
pub use recipe::{Recipe, RecipeError};
pub use relative::RelativeRow;
pub use representation::Representation;
