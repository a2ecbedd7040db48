//! Relative rows over the vectors as the encoders gave them (Norelli et al. 2023, section 3).

use super::kind::Comparison;
use crate::modality::Sides;
use crate::space::anchors::Anchors;
use crate::space::fitted::{FittedPart, Fitter, FrameKey};
use crate::space::recipe::error::RecipeError;
use crate::space::{Frame, SpaceParams};

impl Comparison for SpaceParams {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        vec![
            (
                "asif",
                "relative rows, centred, k 200, p 4",
                Self::default(),
            ),
            (
                "paper",
                "the paper's relative rows: k 800, p 8, not centred, raw",
                Self::PAPER,
            ),
        ]
    }

    fn name(&self) -> &'static str {
        if *self == Self::PAPER {
            "paper"
        } else {
            "asif"
        }
    }

    fn settings(&self) -> Vec<String> {
        let [kept, negatives] = self.words();
        let center = if self.center {
            "centred"
        } else {
            "not centred"
        };
        vec![kept, center.to_owned(), negatives]
    }

    fn validate(&self) -> Result<(), RecipeError> {
        Ok(self.check()?)
    }

    fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        Some(self)
    }

    fn frame_key(&self) -> FrameKey {
        // Centring changes the frame here; every other kind of row is always centred.
        let words = if self.center {
            "centred"
        } else {
            "not centred"
        };
        FrameKey::new("asif", &[words.to_owned()])
    }

    fn fit<A: Anchors>(&self, fitter: &mut Fitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), *self, |fitter| {
            Ok(match self.center {
                true => fitter.centered(),
                false => Sides::of(|_| Frame::Own),
            })
        })
    }
}
