//! Chooses the search for a vector set by measurement, and explains the choice.
//!
//! | file | what it does |
//! |---|---|
//! | `machine` | [`MachineCosts`]: memory costs of this machine, and whether a graph is expected to pay before it is built |
//! | `choose` | [`plan`]: tries the available searches; [`IndexPlan`], [`PlannedSearch`] |
//! | `beam` | [`beam()`]: the beam that a graph needs for a recall |
//!
//! A plan changes the time and the recall of a search, never the number of answers: every search returns
//! `min(k, allowed)`.

mod beam;
mod choose;
mod machine;

pub use beam::beam;
pub use choose::{IndexPlan, PlanTarget, PlanTrial, PlannedSearch, SearchMethod, plan};
pub use machine::MachineCosts;
