//! Relative rows over the vectors as the encoders gave them (Norelli et al. 2023, section 3).

use super::settings::PartSettings;
use crate::modality::PerModality;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, FrameKey, SpaceFitter};
use crate::space::recipe::error::RecipeError;
use crate::space::{CoordinateFrame, RelativeParams};

impl PartSettings for RelativeParams {
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

    fn rows_mut(&mut self) -> Option<&mut RelativeParams> {
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

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), *self, |fitter| {
            Ok(match self.center {
                true => fitter.centered(),
                false => PerModality::of(|_| CoordinateFrame::Own),
            })
        })
    }
}
