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
//! What each does is in `settings`. To add a kind, add a file with a `PartSettings` and a row to the table
//! of [`SpacePart`].

mod asif;
mod asif_canonical;
mod canonical;
mod procrustes;
mod ridge;
mod settings;
mod whitened;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use asif_canonical::AsifCanonicalParams;
pub use procrustes::ProcrustesParams;
pub use ridge::RidgeParams;
pub(crate) use settings::{PartSettings, ScoreSplit};
pub use whitened::WhitenedParams;

use super::PartCode;
use super::anchors::AnchorSource;
use super::fitted::{FittedPart, FrameKey, SpaceFitter};
use super::linear::CanonicalParams;
use super::params::RelativeParams;
use super::recipe::error::RecipeError;

/// The table of the kinds of parts: for each the variant of [`SpacePart`], its settings, and its name in
/// manifests.
macro_rules! parts {
    ($($variant:ident($settings:ty) = $kind:literal, $what:literal;)*) => {
        /// A part of a space: one way of comparing an image with a text, with its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum SpacePart {
            $(#[doc = $what] #[serde(rename = $kind)] $variant($settings),)*
        }

        $(impl From<$settings> for SpacePart {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })*

        impl SpacePart {
            /// All names, each with its description and its part.
            pub(super) fn named() -> Vec<(&'static str, &'static str, Self)> {
                let mut all = Vec::new();
                $(all.extend(<$settings>::named().into_iter().map(|(name, what, settings)| {
                    (name, what, Self::$variant(settings))
                }));)*
                all
            }

            /// The name of its kind, one of the [known spaces](super::recipe::known_spaces).
            pub(crate) fn name(&self) -> &'static str {
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
            pub(crate) fn validate(&self) -> Result<(), RecipeError> {
                match self { $(Self::$variant(settings) => PartSettings::validate(settings),)* }
            }

            /// The settings of the part's relative rows, to change them; `None` if it compares no rows.
            pub fn rows_mut(&mut self) -> Option<&mut RelativeParams> {
                match self { $(Self::$variant(settings) => settings.rows_mut(),)* }
            }

            /// The settings of the part's canonical coordinates, to change them, if it uses any.
            pub fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
                match self { $(Self::$variant(settings) => settings.canonical_mut(),)* }
            }

            /// The key of the coordinates in which anchors are searched; see
            /// [`PartSettings::frame_key`].
            pub(super) fn frame_key(&self) -> FrameKey {
                match self { $(Self::$variant(settings) => settings.frame_key(),)* }
            }

            /// Fits the part to anchors.
            pub(super) fn fit<A: AnchorSource>(
                &self,
                fitter: &mut SpaceFitter<A>,
            ) -> Result<FittedPart, A::Error> {
                match self { $(Self::$variant(settings) => settings.fit(fitter),)* }
            }

            /// Splits the product of two of its codes; see [`PartSettings::split`].
            pub(super) fn split<A: AnchorSource>(
                &self,
                fitted: &FittedPart,
                anchors: &A,
                image: &PartCode,
                text: &PartCode,
            ) -> Result<ScoreSplit, A::Error> {
                match self {
                    $(Self::$variant(settings) => settings.split(fitted, anchors, image, text),)*
                }
            }
        }
    };
}

parts! {
    Asif(RelativeParams) = "asif", "Relative rows over the vectors as the encoders gave them.";
    Whitened(WhitenedParams) = "whitened", "Relative rows over whitened vectors.";
    AsifCanonical(AsifCanonicalParams) = "asif-canonical", "Relative rows over canonical coordinates.";
    Canonical(CanonicalParams) = "canonical", "The cosine of canonical coordinates.";
    Ridge(RidgeParams) = "ridge", "The cosine with the image mapped by ridge regression.";
    Procrustes(ProcrustesParams) = "procrustes", "The cosine with the image mapped by the best rotation.";
}

impl SpacePart {
    /// The settings of the part's relative rows, if it compares rows.
    pub(crate) fn rows(mut self) -> Option<RelativeParams> {
        self.rows_mut().copied()
    }

    /// The settings of the part's canonical coordinates, if it uses any.
    pub fn canonical(mut self) -> Option<CanonicalParams> {
        self.canonical_mut().copied()
    }

    /// The settings of plain relative rows, if the part is of that kind.
    pub(crate) fn plain(&self) -> Option<&RelativeParams> {
        if let Self::Asif(rows) = self {
            Some(rows)
        } else {
            None
        }
    }
}

impl fmt::Display for SpacePart {
    /// `asif (k 200, p 4, centred, negatives clamp)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.settings();
        match settings.is_empty() {
            true => f.write_str(self.name()),
            false => write!(f, "{} ({})", self.name(), settings.join(", ")),
        }
    }
}
