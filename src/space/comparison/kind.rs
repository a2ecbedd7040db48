//! What every way of comparing an image with a text does.

use crate::space::Code;
use crate::space::anchors::Anchors;
use crate::space::fitted::{FittedPart, Fitter, FrameKey};
use crate::space::linear::CanonicalParams;
use crate::space::params::SpaceParams;
use crate::space::recipe::error::RecipeError;
use crate::space::relative::shared;

/// A way of comparing an image with a text: how it is named and checked, fitted, and explained.
pub trait Comparison: Copy {
    /// The names of its settings on a command line, each with what it is and the settings.
    fn named() -> Vec<(&'static str, &'static str, Self)>;

    /// The name of these settings' kind, one of [`named`](Self::named).
    fn name(&self) -> &'static str;

    /// The settings in words, such as `k 200, p 4`; none where there is nothing to set.
    fn settings(&self) -> Vec<String>;

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// A [`RecipeError`] that names the setting.
    fn validate(&self) -> Result<(), RecipeError>;

    /// How similarities become rows, if it compares rows.
    fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        None
    }

    /// The canonical coordinates that it stands on, if any.
    fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
        None
    }

    /// What decides the coordinates in which anchors are searched, its rows left aside: what has the
    /// same key shares them.
    fn frame_key(&self) -> FrameKey {
        let mut of = *self;
        if let Some(rows) = of.rows_mut() {
            *rows = SpaceParams::default();
        }
        FrameKey::new(of.name(), &of.settings())
    }

    /// Fits it to anchors.
    ///
    /// # Errors
    /// When the pairs are too few for it, or a file is damaged.
    fn fit<A: Anchors>(&self, fitter: &mut Fitter<A>) -> Result<FittedPart, A::Error>;

    /// Splits the product of two codes into what each anchor gave.
    ///
    /// Rows split into the anchors that both share. Coordinates do not split, unless a way of
    /// comparing knows better.
    ///
    /// # Errors
    /// When a stored vector cannot be read.
    fn split<A: Anchors>(
        &self,
        fitted: &FittedPart,
        anchors: &A,
        image: &Code,
        text: &Code,
    ) -> Result<ScoreSplit, A::Error> {
        // What a fitted part says does not matter here.
        let _ = (fitted, anchors);
        Ok(match (image.row(), text.row()) {
            (Some(x), Some(y)) => {
                let product = |(anchor, x, y)| (anchor, f64::from(x) * f64::from(y));
                ScoreSplit::ByAnchor(shared(x, y).map(product).collect())
            }
            _ => ScoreSplit::Whole(f64::from(image.dot(text))),
        })
    }
}

/// The product of two codes, split.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreSplit {
    /// What each anchor gave, which adds up to the product.
    ByAnchor(Vec<(u32, f64)>),
    /// It does not split.
    Whole(f64),
}
