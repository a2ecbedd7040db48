//! How scores are corrected for hubs, and on which anchors.

use serde::{Deserialize, Serialize};

/// The correction for hubs: texts or images that score well with everything and therefore win too often.
///
/// Each correction uses the best scores of an input with a cohort of anchors of the other side:
/// `r(x)` is the mean of an image's best scores with the cohort's texts and `d(x)` their deviation,
/// `r(y)` and `d(y)` are those of a text with the cohort's images. All are symmetric in image and text,
/// so that a pair has one score whichever of the two is the query. The terms of the query are the same for
/// all candidates, so they do not change its ranking.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HubnessCorrection {
    /// Adaptive symmetric normalisation: `((s - r(x)) / d(x) + (s - r(y)) / d(y)) / 2`, standard
    /// deviations above the best scores (Matějka et al., "Analysis of score normalization in
    /// multilingual speaker recognition", Interspeech 2017). It also brings parts to one scale. The
    /// deviation has a lower bound relative to the part's mean deviation.
    #[default]
    SNorm,
    /// Cross-domain similarity local scaling: `2 s - r(x) - r(y)` (Conneau et al., "Word translation
    /// without parallel data", ICLR 2018, section 2.3).
    Csls,
    /// Nearest neighbor normalization: `s - alpha (r(x) + r(y))` (Chowdhury et al., "Nearest Neighbor
    /// Normalization Improves Multimodal Retrieval", EMNLP 2024).
    ///
    /// The paper subtracts `alpha r` for the candidates only. Subtracting it for the query as well shifts all
    /// candidates of a query alike, so this ranks as in the paper in both directions, with one score for
    /// both. With an alpha of 1/2 and the same anchors it ranks as CSLS does.
    Nnn {
        /// The factor of the means that are subtracted.
        alpha: f64,
    },
    /// No correction. The parts of a sum are only brought to one scale.
    None,
}

impl HubnessCorrection {
    /// [`HubnessCorrection::Nnn`] with alpha 0.75, as in its authors' code.
    pub const NNN: Self = Self::Nnn { alpha: 0.75 };
}

/// How scores are corrected for hubs, and on how many anchors.
///
/// The scores of several parts are added in units of standard deviations; otherwise the part with the widest
/// scores would dominate. S-norm divides by the deviation of each input. With the other corrections each part
/// is divided by one number, the mean of these deviations over the cohort, which does not change its
/// rankings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreCalibration {
    /// The number of anchors in the cohort, evenly spaced; clamped to the number of anchors.
    pub cohort: usize,
    /// How many of the best scores with a full cohort count; of a smaller cohort the same share.
    pub top: usize,
    /// The correction. Manifests without one mean s-norm.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hubness: HubnessCorrection,
}

impl ScoreCalibration {
    /// This correction with its default numbers: 1,000 anchors, and the best 100 scores for s-norm, 10 for
    /// CSLS (as in Conneau et al.), 128 for NNN (as in its authors' code).
    pub fn of(hubness: HubnessCorrection) -> Self {
        Self {
            cohort: 1000,
            top: match hubness {
                HubnessCorrection::SNorm | HubnessCorrection::None => 100,
                HubnessCorrection::Csls => 10,
                HubnessCorrection::Nnn { .. } => 128,
            },
            hubness,
        }
    }

    /// How many of the best scores count in a cohort of `size` anchors.
    pub fn top_of(&self, size: usize) -> usize {
        let share = self.top as f64 / self.cohort as f64;
        ((share * size as f64).round() as usize).max(2)
    }
}

impl Default for ScoreCalibration {
    /// S-norm.
    fn default() -> Self {
        Self::of(HubnessCorrection::SNorm)
    }
}

fn is_default(hubness: &HubnessCorrection) -> bool {
    *hubness == HubnessCorrection::default()
}
