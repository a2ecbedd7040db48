//! The option that selects the correction for hubs.

use asif::space::Recipe;
use asif::space::recipe::HubnessCorrection;
use clap::{Args, ValueEnum};

/// The correction for hubs, for every space.
#[derive(Debug, Args)]
pub struct HubnessArgs {
    /// The correction for hubs: texts and images that are similar to almost everything and therefore rank
    /// first too often. Works with every space. Each correction compares an input with a cohort of up to
    /// 1,000 anchors and costs about as much as 1,000 further labels
    /// [default: that of the anchor set; with --space: s-norm if it has several parts, else none].
    #[arg(long, env = "ASIF_HUBNESS", value_enum)]
    hubness: Option<HubnessArg>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HubnessArg {
    /// Standard deviations above an input's best scores in the cohort; the default space was chosen with it.
    SNorm,
    /// Twice the score less the mean of the best 10 scores of both sides (Conneau et al. 2018).
    Csls,
    /// The score less 0.75 times the mean of the best 128 scores of both sides (Chowdhury et al.
    /// 2024).
    Nnn,
    /// No correction; the parts of a sum are still scaled to one scale.
    None,
}

impl HubnessArgs {
    /// `recipe` with the correction that was requested.
    pub fn over(&self, recipe: Recipe) -> Recipe {
        match self.hubness {
            Some(HubnessArg::SNorm) => recipe.with_hubness(HubnessCorrection::SNorm),
            Some(HubnessArg::Csls) => recipe.with_hubness(HubnessCorrection::Csls),
            Some(HubnessArg::Nnn) => recipe.with_hubness(HubnessCorrection::NNN),
            Some(HubnessArg::None) => recipe.with_hubness(HubnessCorrection::None),
            None => recipe,
        }
    }
}
