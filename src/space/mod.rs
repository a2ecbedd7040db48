//! The arithmetic of the space: functions over slices, without I/O; and prompts, whose files it reads.
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
//! | `fitted` | a recipe fitted to anchors: vectors become codes, scores, explanations |
//! | [`params`] | the settings of relative rows, and the paper's |
//! | [`linear`] | maps in closed form: canonical coordinates, ridge, Procrustes, whitening |
//! | `frame`, `center` | comparing mapped or centred anchors without storing them |
//! | `relative` | similarities to anchors become a relative row: top-k, power, norm |
//! | `representation` | an input's codes, and their score with another's |
//! | `calibrate`, `cohort` | scores corrected for hubs and brought to one scale |
//! | `bank`, `head` | many inputs indexed for scoring; classes |
//! | [`explain`] | a score split into the contributions of anchors |
//! | `diagnose` | measures of an anchor set that need no labels |
//! | `curate` | which pairs are worth keeping |
//! | `influence` | answers without an anchor, in closed form |
//! | [`tune`] | finds the recipe that suits an anchor set |
//! | `product` | products of a matrix with vectors |
//! | [`prompts`] | labels and templates become prompts |
//! | [`vector`] | unit vectors, mean directions, exact sums |

pub mod anchors;
pub(crate) mod bank;
pub(crate) mod calibrate;
pub(crate) mod center;
pub(crate) mod cohort;
pub(crate) mod curate;
pub(crate) mod diagnose;
pub mod explain;
pub(crate) mod fitted;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod influence;
pub mod linear;
pub mod matrices;
pub mod params;
pub mod parts;
pub(crate) mod product;
pub mod prompts;
pub mod recipe;
pub(crate) mod relative;
pub(crate) mod representation;
pub mod tune;
pub mod vector;

pub(crate) use bank::CodeBank;
pub use bank::PartCode;
pub use calibrate::ScoreNormalization;
pub use center::MeanCentering;
pub use fitted::FittedSpace;
pub use frame::CoordinateFrame;
pub use head::{ClassHead, PromptAggregation};
pub use params::{NegativeSimilarity, RelativeParams};
pub use parts::SpacePart;
pub use product::RowMatrix;
pub use recipe::{Recipe, RecipeError};
pub use relative::RelativeRow;
pub use representation::Representation;
