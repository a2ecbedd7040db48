//! The settings of relative rows.

use serde::{Deserialize, Serialize};

/// How negative similarities are raised to the power.
///
/// An even power turns a negative similarity into a positive weight, so that dissimilar anchors count as
/// soon as they are among the `k` nearest. With the paper's number of anchors that never happens; in a small
/// anchor set it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NegativeSimilarity {
    /// `s^p`, as in the paper.
    Raw,
    /// `max(s, 0)^p`: a dissimilar anchor has weight 0.
    Clamp,
    /// `sign(s) |s|^p`: a dissimilar anchor has a negative weight.
    Signed,
}

/// How similarities to anchors become a relative row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RelativeParams {
    /// How many of the largest similarities are kept; clamped to the number of anchors.
    pub k: usize,
    /// The power that each kept similarity is raised to.
    pub p: f64,
    /// Whether the anchors' mean of each modality is subtracted first.
    pub center: bool,
    /// How negative similarities are raised to the power.
    pub negatives: NegativeSimilarity,
}

/// An invalid setting of relative rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelativeParamsError {
    /// `k` is zero.
    #[error("k is 0, but a row needs at least one anchor; give a number from 1 up")]
    ZeroK,
    /// The power is not a number above 0 and at most 1000.
    #[error("p is {0}, but the power must be a number above 0 and at most 1000; the paper uses 8")]
    Power(f64),
    /// A fractional power of negative numbers.
    #[error(
        "p is {0} with raw negatives, but a negative similarity has no fractional power; \
         choose a whole p, or clamped or signed negatives"
    )]
    FractionalRaw(f64),
}

impl RelativeParams {
    /// The paper's setting: k = 800, p = 8, not centred, raw negatives
    /// (Norelli et al., NeurIPS 2023, section 4; meant for 1.6 million pairs).
    pub const PAPER: Self = Self {
        k: 800,
        p: 8.0,
        center: false,
        negatives: NegativeSimilarity::Raw,
    };

    /// `k` and `p`, and the handling of negative similarities, as text.
    pub(super) fn words(&self) -> [String; 2] {
        let negatives = format!("negatives {:?}", self.negatives).to_lowercase();
        [format!("k {}, p {}", self.k, self.p), negatives]
    }

    /// Validates the numbers.
    ///
    /// # Errors
    /// A [`RelativeParamsError`] that names the setting and what to choose instead.
    pub(crate) fn check(&self) -> Result<(), RelativeParamsError> {
        if self.k == 0 {
            return Err(RelativeParamsError::ZeroK);
        }
        // Above this, the power of any similarity noticeably below 1 is 0 in single precision.
        if !(self.p > 0.0 && self.p <= 1000.0) {
            return Err(RelativeParamsError::Power(self.p));
        }
        if self.negatives == NegativeSimilarity::Raw && self.p.fract() != 0.0 {
            return Err(RelativeParamsError::FractionalRaw(self.p));
        }
        Ok(())
    }
}

impl Default for RelativeParams {
    /// A setting for thousands rather than millions of pairs: k = 200, p = 4, centred, clamped.
    fn default() -> Self {
        Self {
            k: 200,
            p: 4.0,
            center: true,
            negatives: NegativeSimilarity::Clamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_named_settings_are_valid() {
        assert_eq!(RelativeParams::PAPER.check(), Ok(()));
        assert_eq!(RelativeParams::default().check(), Ok(()));
    }

    #[test]
    fn senseless_settings_are_refused() {
        let with = |f: fn(&mut RelativeParams)| {
            let mut s = RelativeParams::PAPER;
            f(&mut s);
            s.check()
        };
        assert_eq!(with(|s| s.k = 0), Err(RelativeParamsError::ZeroK));
        assert_eq!(with(|s| s.p = 0.0), Err(RelativeParamsError::Power(0.0)));
        assert!(matches!(
            with(|s| s.p = f64::NAN),
            Err(RelativeParamsError::Power(_))
        ));
        assert_eq!(
            with(|s| s.p = 1.5),
            Err(RelativeParamsError::FractionalRaw(1.5))
        );
        assert_eq!(
            with(|s| {
                s.p = 1.5;
                s.negatives = NegativeSimilarity::Signed;
            }),
            Ok(())
        );
    }
}
