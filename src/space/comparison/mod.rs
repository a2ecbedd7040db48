//! The parts that a space is made of, one file for each kind. A part is one way of comparing an image with
//! a text.
//!
//! | kind | what it compares |
//! |---|---|
//! | `asif` | relative rows over the encoders' vectors, centred or not (the paper's) |
//! | `whitened` | relative rows over whitened vectors |
//! | `asif-canonical` | relative rows over canonical coordinates |
//! | `canonical` | canonical coordinates, directly (CCA) |
//! | `ridge`, `procrustes` | the text's vector and the image's, mapped into the text encoder's space |
//!
//! What each does is in `kind`. To add a kind, add a file with a [`Comparison`] and a row to the table of
//! [`Part`].

mod asif;
mod asif_canonical;
mod canonical;
mod kind;
mod procrustes;
mod ridge;
mod whitened;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use asif_canonical::AsifCanonical;
pub use kind::{Comparison, ScoreSplit};
pub use procrustes::Procrustes;
pub use ridge::Ridge;
pub use whitened::Whitened;

use super::Code;
use super::anchors::Anchors;
use super::fitted::{FittedPart, Fitter, FrameKey};
use super::linear::CanonicalParams;
use super::params::SpaceParams;
use super::recipe::error::RecipeError;

/// The table of the kinds of parts: for each the variant of [`Part`], its settings, and its name in
/// manifests.
macro_rules! parts {
    ($($variant:ident($settings:ty) = $kind:literal, $what:literal;)*) => {
        /// A part of a space: one way of comparing an image with a text, with its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Part {
            $(#[doc = $what] #[serde(rename = $kind)] $variant($settings),)*
        }

        $(impl From<$settings> for Part {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })*

        impl Part {
            /// All names, each with its description and its part.
            pub(super) fn named() -> Vec<(&'static str, &'static str, Self)> {
                let mut all = Vec::new();
                $(all.extend(<$settings>::named().into_iter().map(|(name, what, settings)| {
                    (name, what, Self::$variant(settings))
                }));)*
                all
            }

            /// The name of its kind, one of the [known spaces](super::recipe::known_spaces).
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(settings) => settings.name(),)* }
            }

            /// The settings as text.
            fn settings(&self) -> Vec<String> {
                match self { $(Self::$variant(settings) => settings.settings(),)* }
            }

            /// Validates the numbers.
            ///
            /// # Errors
            /// A [`RecipeError`] that names the setting.
            pub fn validate(&self) -> Result<(), RecipeError> {
                match self { $(Self::$variant(settings) => Comparison::validate(settings),)* }
            }

            /// The settings of the part's relative rows, to change them; `None` if it compares no rows.
            pub fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
                match self { $(Self::$variant(settings) => settings.rows_mut(),)* }
            }

            /// The settings of the part's canonical coordinates, to change them, if it uses any.
            pub fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
                match self { $(Self::$variant(settings) => settings.canonical_mut(),)* }
            }

            /// The key of the coordinates in which anchors are searched; see
            /// [`Comparison::frame_key`].
            pub(super) fn frame_key(&self) -> FrameKey {
                match self { $(Self::$variant(settings) => settings.frame_key(),)* }
            }

            /// Fits the part to anchors.
            pub(super) fn fit<A: Anchors>(
                &self,
                fitter: &mut Fitter<A>,
            ) -> Result<FittedPart, A::Error> {
                match self { $(Self::$variant(settings) => settings.fit(fitter),)* }
            }

            /// Splits the product of two of its codes; see [`Comparison::split`].
            pub(super) fn split<A: Anchors>(
                &self,
                fitted: &FittedPart,
                anchors: &A,
                image: &Code,
                text: &Code,
            ) -> Result<ScoreSplit, A::Error> {
                match self {
                    $(Self::$variant(settings) => settings.split(fitted, anchors, image, text),)*
                }
            }
        }
    };
}

parts! {
    Asif(SpaceParams) = "asif", "Relative rows over the vectors as the encoders gave them.";
    Whitened(Whitened) = "whitened", "Relative rows over whitened vectors.";
    AsifCanonical(AsifCanonical) = "asif-canonical", "Relative rows over canonical coordinates.";
    Canonical(CanonicalParams) = "canonical", "The cosine of canonical coordinates.";
    Ridge(Ridge) = "ridge", "The cosine with the image mapped by ridge regression.";
    Procrustes(Procrustes) = "procrustes", "The cosine with the image mapped by the best rotation.";
}

impl Part {
    /// The settings of the part's relative rows, if it compares rows.
    pub fn rows(mut self) -> Option<SpaceParams> {
        self.rows_mut().copied()
    }

    /// The settings of the part's canonical coordinates, if it uses any.
    pub fn canonical(mut self) -> Option<CanonicalParams> {
        self.canonical_mut().copied()
    }

    /// The settings of plain relative rows, if the part is of that kind.
    pub fn plain(&self) -> Option<&SpaceParams> {
        if let Self::Asif(rows) = self {
            Some(rows)
        } else {
            None
        }
    }
}

impl fmt::Display for Part {
    /// `asif (k 200, p 4, centred, negatives clamp)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings();
        match settings.is_empty() {
            true => f.write_str(self.name()),
            false => write!(f, "{} ({})", self.name(), settings.join(", ")),
        }
    }
}
