//! The ways of comparing an image with a text, one file each.
//!
//! | kind | what it compares |
//! |---|---|
//! | `asif` | relative rows over the encoders' vectors, centred or not (the paper's) |
//! | `whitened` | relative rows over whitened vectors |
//! | `asif-canonical` | relative rows over canonical coordinates |
//! | `canonical` | canonical coordinates, directly (CCA) |
//! | `ridge`, `procrustes` | the text's vector and the image's, mapped into the text encoder's space |
//!
//! Another one is a file with a [`Comparison`] and a row in the table of [`Part`].

mod asif;
mod asif_canonical;
mod canonical;
mod procrustes;
mod ridge;
mod whitened;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use asif_canonical::AsifCanonical;
pub use canonical::Canonical;
pub use procrustes::Procrustes;
pub use ridge::Ridge;
pub use whitened::Whitened;

use super::Code;
use super::anchors::Anchors;
use super::fitted::{FittedPart, Fitter};
use super::params::SpaceParams;
use super::recipe::{RecipeError, positive};
use super::relative::shared;

/// A way of comparing an image with a text: how it is named and checked, fitted, and explained.
pub trait Comparison: Copy + Into<Part> {
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
    fn canonical_mut(&mut self) -> Option<&mut Canonical> {
        None
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

/// The table of the ways of comparing: for each the variant of [`Part`], its settings, and what
/// manifests call it.
macro_rules! parts {
    ($($variant:ident($settings:ty) = $kind:literal, $what:literal;)*) => {
        /// A way of comparing an image with a text, with its settings.
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
            /// All names with what each is and the part that it stands for.
            pub(super) fn named() -> Vec<(&'static str, &'static str, Self)> {
                let mut all = Vec::new();
                $(all.extend(<$settings>::named().into_iter().map(|(name, what, settings)| {
                    (name, what, Self::$variant(settings))
                }));)*
                all
            }

            /// The name of its kind, one of the [`names`](super::recipe::names).
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(settings) => settings.name(),)* }
            }

            /// The settings in words.
            fn settings(&self) -> Vec<String> {
                match self { $(Self::$variant(settings) => settings.settings(),)* }
            }

            /// Checks that the numbers make sense.
            ///
            /// # Errors
            /// A [`RecipeError`] that names the setting.
            pub fn validate(&self) -> Result<(), RecipeError> {
                match self { $(Self::$variant(settings) => Comparison::validate(settings),)* }
            }

            /// How similarities become rows, to change it; none where the part compares no rows.
            pub fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
                match self { $(Self::$variant(settings) => settings.rows_mut(),)* }
            }

            /// The canonical coordinates that it stands on, to change them, if any.
            pub fn canonical_mut(&mut self) -> Option<&mut Canonical> {
                match self { $(Self::$variant(settings) => settings.canonical_mut(),)* }
            }

            /// Fits it to anchors.
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
    Canonical(Canonical) = "canonical", "The cosine of canonical coordinates.";
    Ridge(Ridge) = "ridge", "The cosine with the image mapped by ridge regression.";
    Procrustes(Procrustes) = "procrustes", "The cosine with the image mapped by the best rotation.";
}

impl Part {
    /// How similarities become rows, if the part compares rows.
    pub fn rows(mut self) -> Option<SpaceParams> {
        self.rows_mut().copied()
    }

    /// The canonical coordinates that it stands on, if any.
    pub fn canonical(mut self) -> Option<Canonical> {
        self.canonical_mut().copied()
    }

    /// The settings of plain relative rows, if it is that.
    pub fn plain(&self) -> Option<&SpaceParams> {
        if let Self::Asif(rows) = self {
            Some(rows)
        } else {
            None
        }
    }

    /// What of it decides the coordinates in which anchors are searched: parts that differ in how
    /// similarities become rows have one key.
    pub(super) fn frame_key(mut self) -> Self {
        // Rows over maps are always centred.
        let center = self.plain().is_none_or(|rows| rows.center);
        if let Some(rows) = self.rows_mut() {
            *rows = SpaceParams {
                center,
                ..SpaceParams::default()
            };
        }
        self
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
