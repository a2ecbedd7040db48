//! The trait of a space part: one way of comparing an image with a text.

use crate::space::PartCode;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, FrameKey, SpaceFitter};
use crate::space::linear::CanonicalParams;
use crate::space::params::RelativeParams;
use crate::space::recipe::error::RecipeError;
use crate::space::relative::shared;

/// The settings of a space part, that is, of one way of comparing an image with a text: how it is named,
/// validated, fitted to anchors, and explained.
pub(crate) trait PartSettings: Copy {
    /// The named settings of this kind: name, description and settings.
    fn named() -> Vec<(&'static str, &'static str, Self)>;

    /// The name of the kind, one of [`named`](Self::named).
    fn name(&self) -> &'static str;

    /// The settings as text, such as `k 200, p 4`; empty for a kind without settings.
    fn settings(&self) -> Vec<String>;

    /// Validates the numbers.
    ///
    /// # Errors
    /// A [`RecipeError`] that names the setting.
    fn validate(&self) -> Result<(), RecipeError>;

    /// The settings of its relative rows, if it compares rows.
    fn rows_mut(&mut self) -> Option<&mut RelativeParams> {
        None
    }

    /// The settings of its canonical coordinates, if it uses any.
    fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
        None
    }

    /// The key of the coordinates in which anchors are searched, which does not depend on the settings of
    /// the rows. Parts with the same key share their frames.
    fn frame_key(&self) -> FrameKey {
        let mut of = *self;
        if let Some(rows) = of.rows_mut() {
            *rows = RelativeParams::default();
        }
        FrameKey::new(of.name(), &of.settings())
    }

    /// Fits the part to anchors.
    ///
    /// # Errors
    /// When there are too few pairs, or a file is damaged.
    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error>;

    /// Splits the product of two codes into the contribution of each anchor.
    ///
    /// Rows split into the anchors that both share. Coordinates do not split unless an implementation
    /// overrides this.
    ///
    /// # Errors
    /// When a stored vector cannot be read.
    fn split<A: AnchorSource>(
        &self,
        fitted: &FittedPart,
        anchors: &A,
        image: &PartCode,
        text: &PartCode,
    ) -> Result<ScoreSplit, A::Error> {
        // Implementations that override this need them; rows split without them.
        let _ = (fitted, anchors);
        Ok(match (image, text) {
            (PartCode::Row(x), PartCode::Row(y)) => {
                let product = |(anchor, x, y)| (anchor, f64::from(x) * f64::from(y));
                ScoreSplit::ByAnchor(shared(x, y).map(product).collect())
            }
            (PartCode::Coordinates(_), _) | (PartCode::Row(_), PartCode::Coordinates(_)) => {
                ScoreSplit::Whole(f64::from(image.dot(text)))
            }
        })
    }
}

/// The product of two codes, split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ScoreSplit {
    /// The contribution of each anchor; they add up to the product.
    ByAnchor(Vec<(u32, f64)>),
    /// The whole product, which does not split into anchors.
    Whole(f64),
}
