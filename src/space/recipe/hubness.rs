//! How scores are corrected for hubs, and on which anchors.

use serde::{Deserialize, Serialize};

/// What is done about hubs: texts or images that fit everything a little and so win too often.
///
/// Each looks where the best scores of an input lie with a cohort of anchors of the other side:
/// `r(x)` is the mean of an image's best scores with the cohort's texts, `d(x)` their deviation,
/// `r(y)` and `d(y)` those of a text with the cohort's images. All are symmetric in image and text,
/// so that a pair has one score, whichever of the two was asked for. What belongs to the input that
/// is asked changes none of its rankings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hubness {
    /// Adaptive symmetric normalisation: `((s - r(x)) / d(x) + (s - r(y)) / d(y)) / 2`, standard
    /// deviations above the best scores (Matějka et al., "Analysis of score normalization in
    /// multilingual speaker recognition", Interspeech 2017). It also makes parts addable. No
    /// deviation is taken far below the part's mean one.
    #[default]
    SNorm,
    /// Cross-domain similarity local scaling: `2 s - r(x) - r(y)` (Conneau et al., "Word translation
    /// without parallel data", ICLR 2018, section 2.3).
    Csls,
    /// Nearest neighbor normalization: `s - alpha (r(x) + r(y))` (Chowdhury et al., "Nearest Neighbor
    /// Normalization Improves Multimodal Retrieval", EMNLP 2024).
    ///
    /// The paper takes `alpha r` from the candidates only, images or texts, as the direction of the
    /// retrieval has it. Taking it from the query as well moves all candidates of a query alike, so
    /// this ranks as the paper does in both directions, with one score for both. With an alpha of
    /// 1/2 and the same anchors it ranks as CSLS does.
    Nnn {
        /// How much of the means is taken off.
        alpha: f64,
    },
    /// Nothing. Parts of a sum are brought to one scale, and no more.
    None,
}

impl Hubness {
    /// [`Hubness::Nnn`] with the alpha of 0.75 that its authors' code has.
    pub const NNN: Self = Self::Nnn { alpha: 0.75 };
}

/// How scores are corrected for hubs, and on how many anchors.
///
/// Several parts are added in standard deviations, else the one with the widest scores would decide
/// alone. S-norm has them anyway, a deviation an input; under the others each part is divided by one
/// number, the mean deviation that s-norm finds over its cohort, which changes no ranking of the part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// How many anchors the cohort has, evenly taken; clamped to the number of anchors.
    pub cohort: usize,
    /// How many of the best scores with the cohort count, of a full cohort; a smaller one has the
    /// same share.
    pub top: usize,
    /// The correction. Manifests that do not name one mean s-norm.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hubness: Hubness,
}

impl Calibration {
    /// This correction with its usual numbers: 1,000 anchors, and of their scores the best 100 for
    /// s-norm, 10 for CSLS (as Conneau et al.), 128 for NNN (as its authors' code).
    pub fn of(hubness: Hubness) -> Self {
        Self {
            cohort: 1000,
            top: match hubness {
                Hubness::SNorm | Hubness::None => 100,
                Hubness::Csls => 10,
                Hubness::Nnn { .. } => 128,
            },
            hubness,
        }
    }

    /// How many of the best scores count, of a cohort that has only `size` anchors.
    pub fn top_of(&self, size: usize) -> usize {
        let share = self.top as f64 / self.cohort as f64;
        ((share * size as f64).round() as usize).max(2)
    }
}

impl Default for Calibration {
    /// S-norm.
    fn default() -> Self {
        Self::of(Hubness::SNorm)
    }
}

fn is_default(hubness: &Hubness) -> bool {
    *hubness == Hubness::default()
}
