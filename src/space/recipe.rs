//! The recipe of a space: which ways of comparing an image with a text it is made of.
//!
//! ```text
//! recipe = parts (each a way to compare, with a weight) + calibration, or none
//!
//! part   asif                  relative rows over the encoders' vectors, centred or not
//!        whitened              relative rows over whitened vectors
//!        asif-canonical        relative rows over canonical coordinates
//!        canonical             canonical coordinates compared directly (CCA)
//!        ridge, procrustes     image vectors mapped into the text encoder's space
//! ```
//!
//! All of them are closed forms of the same anchor pairs; nothing is trained.

use serde::{Deserialize, Serialize};

use super::params::{ParamsError, SpaceParams};

/// A space: its parts, and how their scores become one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Recipe {
    /// The ways of comparing, at least one.
    pub parts: Vec<WeightedPart>,
    /// How scores are corrected for hubs and brought to one scale; several parts need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// One way of comparing, and its say in the sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WeightedPart {
    /// The share of this part; shares are divided by their sum.
    pub weight: f64,
    /// The way of comparing.
    #[serde(flatten)]
    pub part: Part,
}

/// A way of comparing an image with a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Part {
    /// Relative rows (Norelli et al. 2023, section 3), over the vectors as the encoders gave them.
    Asif(SpaceParams),
    /// Relative rows over vectors whose covariance was made the identity, each side by itself.
    Whitened {
        /// How much of the mean variance is added to every direction before.
        shrinkage: f64,
        /// The rows; they are always centred.
        rows: SpaceParams,
    },
    /// Relative rows over canonical coordinates.
    AsifCanonical {
        /// The coordinates.
        canonical: Canonical,
        /// The rows; they are always centred.
        rows: SpaceParams,
    },
    /// The cosine of canonical coordinates.
    Canonical(Canonical),
    /// The cosine between the text and the image mapped by ridge regression.
    Ridge {
        /// How much of the mean variance is added to every direction before.
        shrinkage: f64,
    },
    /// The cosine between the text and the image mapped by the best rotation.
    Procrustes,
}

/// Canonical coordinates: the directions of both sides that vary together the most.
///
/// `S_x = cov(x) + shrinkage * mean(eig) * I`, likewise `S_y`; `U S V' = svd(S_x^-1/2 C_xy
/// S_y^-1/2)`; an image is projected by `S_x^-1/2 U S^exponent`, a text by `S_y^-1/2 V S^exponent`
/// (Hotelling 1936; with shrinkage Vinod 1976; for two frozen encoders CSA, Li et al., ICLR 2025).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Canonical {
    /// How many coordinates are kept; clamped to the shorter of both vectors.
    pub dims: usize,
    /// How much of the mean variance is added to every direction: few pairs need much.
    pub shrinkage: f64,
    /// The power of each coordinate's correlation that it is multiplied with.
    pub exponent: f64,
}

/// Symmetric normalisation of scores against a cohort of anchors (adaptive s-norm; Matějka et al.,
/// "Analysis of score normalization in multilingual speaker recognition", Interspeech 2017).
///
/// A score is counted in standard deviations above the best scores that the image has with the
/// cohort's texts, and that the text has with the cohort's images; the mean of both is taken. So a
/// text that fits every image a little (a hub) gains nothing by it, and parts of different scale
/// can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// How many anchors the cohort has, evenly taken; clamped to the number of anchors.
    pub cohort: usize,
    /// How many of the best scores with the cohort count, of a full cohort; a smaller one has the
    /// same share.
    pub top: usize,
}

impl Calibration {
    /// How many of the best scores count, of a cohort that has only `size` anchors.
    pub fn top_of(&self, size: usize) -> usize {
        let share = self.top as f64 / self.cohort as f64;
        ((share * size as f64).round() as usize).max(2)
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            cohort: 1000,
            top: 100,
        }
    }
}

impl Default for Canonical {
    fn default() -> Self {
        Self {
            dims: 384,
            shrinkage: 1.0,
            exponent: 0.5,
        }
    }
}

/// Fewer anchors than this say too little of how two sides vary together: a fused space is then
/// plain relative rows.
pub const FEW: usize = 64;

/// What manifests may hold: a recipe, or the parameters of plain relative rows alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Recipe {
        parts: Vec<WeightedPart>,
        #[serde(default)]
        calibration: Option<Calibration>,
    },
    Plain(SpaceParams),
}

impl From<Written> for Recipe {
    fn from(written: Written) -> Self {
        match written {
            Written::Recipe { parts, calibration } => Self { parts, calibration },
            Written::Plain(params) => params.into(),
        }
    }
}

impl From<SpaceParams> for Recipe {
    /// Plain relative rows, not calibrated.
    fn from(params: SpaceParams) -> Self {
        Self::of(Part::Asif(params))
    }
}

impl Default for Recipe {
    /// [`Recipe::fused`].
    fn default() -> Self {
        Self::fused()
    }
}

/// The names that [`Recipe::named`] knows, with what each is.
pub const NAMES: [(&str, &str); 8] = [
    (
        "fused",
        "asif + asif-canonical + canonical, calibrated: the default",
    ),
    ("asif", "relative rows, centred, k 200, p 4"),
    (
        "paper",
        "the paper's relative rows: k 800, p 8, not centred, raw",
    ),
    ("whitened", "relative rows over whitened vectors"),
    ("asif-canonical", "relative rows over canonical coordinates"),
    ("canonical", "canonical coordinates compared directly (CCA)"),
    ("ridge", "images mapped to texts by ridge regression"),
    ("procrustes", "images mapped to texts by the best rotation"),
];

impl Recipe {
    /// One part, not calibrated.
    pub fn of(part: Part) -> Self {
        Self {
            parts: vec![WeightedPart { weight: 1.0, part }],
            calibration: None,
        }
    }

    /// Relative rows of the encoders' vectors and of canonical coordinates, and these compared
    /// directly: what is near the anchors, what varies with them, and both.
    pub fn fused() -> Self {
        let rows = SpaceParams {
            k: 400,
            p: 2.0,
            ..SpaceParams::default()
        };
        let canonical = Canonical::default();
        let part = |weight, part| WeightedPart { weight, part };
        Self {
            parts: vec![
                part(1.0, Part::Asif(SpaceParams::default())),
                part(2.0, Part::AsifCanonical { canonical, rows }),
                part(1.5, Part::Canonical(canonical)),
            ],
            calibration: Some(Calibration::default()),
        }
    }

    /// The space of a name in [`NAMES`], or of several joined by `+`, which are then calibrated.
    ///
    /// # Errors
    /// [`RecipeError::Unknown`].
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        let mut parts = Vec::new();
        for one in name.split('+').map(str::trim) {
            parts.extend(Self::one(one)?.parts);
        }
        let calibration = (parts.len() > 1).then(Calibration::default);
        Ok(Self { parts, calibration })
    }

    fn one(name: &str) -> Result<Self, RecipeError> {
        let rows = SpaceParams::default();
        let canonical = Canonical::default();
        Ok(Self::of(match name {
            "fused" => return Ok(Self::fused()),
            "asif" => Part::Asif(rows),
            "paper" => Part::Asif(SpaceParams::PAPER),
            "whitened" => Part::Whitened {
                shrinkage: 1.0,
                rows,
            },
            "asif-canonical" => Part::AsifCanonical {
                canonical,
                rows: SpaceParams {
                    k: 400,
                    p: 2.0,
                    ..rows
                },
            },
            "canonical" => Part::Canonical(canonical),
            "ridge" => Part::Ridge { shrinkage: 1.0 },
            "procrustes" => Part::Procrustes,
            other => return Err(RecipeError::Unknown(other.to_owned())),
        }))
    }

    /// What is left of it for so few anchors: below [`FEW`], the relative rows of the encoders'
    /// vectors if it has them, not calibrated; else all of it.
    pub fn for_anchors(&self, anchors: usize) -> Self {
        let plain = self.parts.iter().find(|p| matches!(p.part, Part::Asif(_)));
        match plain {
            Some(plain) if anchors < FEW && self.parts.len() > 1 => Self::of(plain.part),
            _ => self.clone(),
        }
    }

    /// The rows of the first part that is plain relative rows, if there is one.
    pub fn plain(&self) -> Option<&SpaceParams> {
        self.parts.iter().find_map(|p| match &p.part {
            Part::Asif(rows) => Some(rows),
            _ => None,
        })
    }

    /// The most anchors that any part keeps in a row; 0 when no part has rows.
    pub fn k(&self) -> usize {
        self.parts
            .iter()
            .filter_map(|p| Some(p.part.rows()?.k))
            .max()
            .unwrap_or(0)
    }

    /// The share of each part; they sum to 1.
    pub fn shares(&self) -> Vec<f64> {
        let sum: f64 = self.parts.iter().map(|p| p.weight).sum();
        self.parts.iter().map(|p| p.weight / sum).collect()
    }

    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// A [`RecipeError`] that names the setting and what to choose instead.
    pub fn validate(&self) -> Result<(), RecipeError> {
        if self.parts.is_empty() {
            return Err(RecipeError::Empty);
        }
        if self.parts.len() > 1 && self.calibration.is_none() {
            return Err(RecipeError::Scales);
        }
        if let Some(c) = self.calibration
            && (c.top < 2 || c.top > c.cohort)
        {
            return Err(RecipeError::Cohort {
                top: c.top,
                cohort: c.cohort,
            });
        }
        for WeightedPart { weight, part } in &self.parts {
            positive("weight", *weight)?;
            if let Some(rows) = part.rows() {
                rows.validate()?;
            }
            match part {
                Part::Canonical(c) | Part::AsifCanonical { canonical: c, .. } => {
                    positive("shrinkage", c.shrinkage)?;
                    if !(c.exponent.is_finite() && c.exponent >= 0.0) {
                        return Err(RecipeError::Number {
                            name: "exponent",
                            value: c.exponent,
                        });
                    }
                    if c.dims == 0 {
                        return Err(RecipeError::Number {
                            name: "dims",
                            value: 0.0,
                        });
                    }
                }
                Part::Ridge { shrinkage } | Part::Whitened { shrinkage, .. } => {
                    positive("shrinkage", *shrinkage)?;
                }
                Part::Asif(_) | Part::Procrustes => {}
            }
        }
        Ok(())
    }
}

impl Part {
    /// The rows, where the part has any.
    pub fn rows(&self) -> Option<&SpaceParams> {
        match self {
            Self::Asif(rows) | Self::Whitened { rows, .. } | Self::AsifCanonical { rows, .. } => {
                Some(rows)
            }
            Self::Canonical(_) | Self::Ridge { .. } | Self::Procrustes => None,
        }
    }

    /// The rows, to change them.
    pub fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        match self {
            Self::Asif(rows) | Self::Whitened { rows, .. } | Self::AsifCanonical { rows, .. } => {
                Some(rows)
            }
            Self::Canonical(_) | Self::Ridge { .. } | Self::Procrustes => None,
        }
    }

    /// The name of the kind, as in [`NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asif(rows) if *rows == SpaceParams::PAPER => "paper",
            Self::Asif(_) => "asif",
            Self::Whitened { .. } => "whitened",
            Self::AsifCanonical { .. } => "asif-canonical",
            Self::Canonical(_) => "canonical",
            Self::Ridge { .. } => "ridge",
            Self::Procrustes => "procrustes",
        }
    }

    /// Whether it needs the second moments of the anchors.
    pub fn is_fitted(&self) -> bool {
        !matches!(self, Self::Asif(_))
    }
}

impl std::fmt::Display for Recipe {
    /// One line: `1 asif (k 200, p 4, centred, clamp) + ... | calibrated on 1000, best 100`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, WeightedPart { weight, part }) in self.parts.iter().enumerate() {
            let joint = if i == 0 { "" } else { " + " };
            write!(f, "{joint}{weight} {part}")?;
        }
        match self.calibration {
            Some(c) => write!(f, " | calibrated on {} anchors, best {}", c.cohort, c.top),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        let mut said = Vec::new();
        match self {
            Self::Canonical(c) | Self::AsifCanonical { canonical: c, .. } => {
                said.push(format!("dims {}, shrinkage {}", c.dims, c.shrinkage));
                said.push(format!("exponent {}", c.exponent));
            }
            Self::Ridge { shrinkage } | Self::Whitened { shrinkage, .. } => {
                said.push(format!("shrinkage {shrinkage}"));
            }
            Self::Asif(_) | Self::Procrustes => {}
        }
        if let Some(rows) = self.rows() {
            said.push(format!("k {}, p {}", rows.k, rows.p));
            if matches!(self, Self::Asif(_)) {
                said.push(
                    if rows.center {
                        "centred"
                    } else {
                        "not centred"
                    }
                    .to_owned(),
                );
            }
            said.push(format!("negatives {:?}", rows.negatives).to_lowercase());
        }
        if said.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", said.join(", "))
    }
}

/// Why a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No space has this name.
    #[error(
        "{0:?} is not a space; there are {names}, and any of them joined by +",
        names = NAMES.map(|n| n.0).join(", ")
    )]
    Unknown(String),
    /// Nothing to compare with.
    #[error("a space needs at least one part")]
    Empty,
    /// Scores of different scale would be added.
    #[error("a space of several parts must be calibrated: their scores have different scales")]
    Scales,
    /// A cohort that no deviation can be taken of.
    #[error(
        "the best {top} of a cohort of {cohort} cannot be taken; give at least 2 and at most the cohort"
    )]
    Cohort {
        /// How many scores were to count.
        top: usize,
        /// How many there are.
        cohort: usize,
    },
    /// A number that must be finite and above zero is not.
    #[error("{name} is {value}, but it must be a finite number above 0")]
    Number {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The parameters of rows make no sense.
    #[error(transparent)]
    Rows(#[from] ParamsError),
}

fn positive(name: &'static str, value: f64) -> Result<(), RecipeError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(RecipeError::Number { name, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_valid_space_and_survives_json() {
        for (name, _) in NAMES {
            let recipe = Recipe::named(name).unwrap();
            recipe.validate().unwrap();
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(
                serde_json::from_str::<Recipe>(&json).unwrap(),
                recipe,
                "{json}"
            );
        }
        let two = Recipe::named("asif+canonical").unwrap();
        two.validate().unwrap();
        assert_eq!(two.parts.len(), 2);
        assert_eq!(two.shares(), [0.5, 0.5]);
        let error = Recipe::named("asif+cca").unwrap_err().to_string();
        assert!(
            error.contains("\"cca\"") && error.contains("canonical"),
            "{error}"
        );
    }

    #[test]
    fn a_manifest_with_plain_parameters_is_plain_rows() {
        let json = r#"{"k": 800, "p": 8.0, "center": false, "negatives": "raw"}"#;
        let recipe: Recipe = serde_json::from_str(json).unwrap();
        assert_eq!(recipe, SpaceParams::PAPER.into());
        assert_eq!(
            recipe.to_string(),
            "1 paper (k 800, p 8, not centred, negatives raw)"
        );
    }

    #[test]
    fn few_anchors_leave_plain_rows() {
        let fused = Recipe::fused();
        assert_eq!(fused.for_anchors(FEW - 1), SpaceParams::default().into());
        assert_eq!(fused.for_anchors(FEW), fused);
        let canonical = Recipe::named("canonical").unwrap();
        assert_eq!(canonical.for_anchors(3), canonical);
    }

    #[test]
    fn senseless_recipes_are_refused() {
        let with = |change: fn(&mut Recipe)| {
            let mut recipe = Recipe::fused();
            change(&mut recipe);
            recipe.validate()
        };
        assert_eq!(with(|r| r.parts.clear()), Err(RecipeError::Empty));
        assert_eq!(with(|r| r.calibration = None), Err(RecipeError::Scales));
        assert!(with(|r| r.parts[1].weight = f64::NAN).is_err());
        assert!(with(|r| r.calibration = Some(Calibration { cohort: 5, top: 9 })).is_err());
        assert!(with(|r| r.parts[0].part.rows_mut().unwrap().k = 0).is_err());
    }
}
