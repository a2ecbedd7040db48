//! Which search to use: measured, not guessed, and explained.
//!
//! | file | what it does |
//! |---|---|
//! | `machine` | [`Machine`]: what reading costs here, and whether a graph will pay before it exists |
//! | `choose` | [`plan`]: tries what exists on some of the set's own vectors; [`Plan`], [`Planned`] |
//! | `beam` | [`beam()`]: what a graph needs for a recall |
//!
//! A plan changes how long an answer takes and which recall it reaches, never how many answers
//! there are: every search gives `min(k, allowed)`.

mod beam;
mod choose;
mod machine;

pub use beam::beam;
pub use choose::{Choice, Plan, Planned, Tried, Wanted, plan};
pub use machine::Machine;
