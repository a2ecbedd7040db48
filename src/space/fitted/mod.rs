//! A fitted space, which turns vectors into codes, scores and explanations.
//!
//! ```text
//! recipe + anchors ──> second moments ──> maps ──> weights of all anchors ──> cohort's codes
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `fitter` | fits the parts of a recipe, and computes what they share once |
//! | `part` | a fitted part |

mod fitter;
mod part;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

pub(crate) use fitter::{FrameKey, SpaceFitter};
pub(crate) use part::{FittedPart, FittedRows};

use super::anchors::{AnchorSource, NearestAnchors, NearestQuery};
use super::cohort::CalibrationCohort;
use super::explain::{AnchorContribution, PartAmount, ScoreExplanation};
use super::parts::ScoreSplit;
use super::recipe::ScoreCalibration;
use super::representation::weight;
use super::{PartCode, Recipe, RelativeRow, Representation};
use crate::modality::{Modality, PerModality};

/// How many inputs are calibrated at a time: as many as a kernel multiplies at once.
const TOGETHER: usize = asif_index::simd::TILE;

/// A recipe fitted to one generation of anchors, without the anchors themselves. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FittedSpace {
    recipe: Arc<Recipe>,
    parts: Arc<[FittedPart]>,
    cohort: Option<Arc<CalibrationCohort>>,
}

impl FittedSpace {
    /// Fits a [valid](Recipe::validate) recipe. The result depends on the anchors only, to the bit.
    ///
    /// Cost: a centred space reads every vector once; one with maps multiplies every vector by them;
    /// calibration searches the anchors for each member of the cohort.
    ///
    /// # Errors
    /// When there are too few pairs for the recipe, or a file is damaged.
    pub fn fit<A: AnchorSource>(anchors: &A, recipe: &Recipe) -> Result<Self, A::Error> {
        // A recipe for many anchors may be simplified for few.
        let recipe = recipe.for_anchors(anchors.len());
        let mut fitter = SpaceFitter::new(anchors);
        let parts = recipe.parts.iter().map(|part| part.part.fit(&mut fitter));
        let parts: Vec<FittedPart> = parts.collect::<Result<_, _>>()?;
        let mut space = Self {
            recipe: Arc::new(recipe),
            parts: parts.into(),
            cohort: None,
        };
        // Last, because the cohort is represented by the fitted parts.
        if let Some(calibration) = space.recipe.calibration {
            space.cohort = Some(Arc::new(space.cohort(anchors, calibration)?));
        }
        Ok(space)
    }

    /// The recipe in use, which may be simpler than the one given: see [`Recipe::for_anchors`].
    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The representations of finite unit vectors of one side, `[n, dim]` row-major.
    ///
    /// # Errors
    /// When the anchors cannot be searched.
    pub fn represent<A: AnchorSource>(
        &self,
        anchors: &A,
        side: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Representation>, A::Error> {
        let codes = self.codes(anchors, side, vectors)?.into_iter();
        let mut inputs: Vec<Representation> = codes
            .map(|codes| Representation {
                codes,
                levels: Vec::new(),
            })
            .collect();
        if let Some(cohort) = &self.cohort {
            let level = |inputs: &mut [Representation]| {
                let codes: Vec<&[PartCode]> = inputs.iter().map(|input| &input.codes[..]).collect();
                let levels = cohort.levels(side, &codes);
                for (input, levels) in inputs.iter_mut().zip(levels) {
                    input.levels = levels;
                }
            };
            // In groups, so that a bank is read once for several inputs.
            inputs.par_chunks_mut(TOGETHER).for_each(level);
        }
        Ok(inputs)
    }

    /// The relative rows of unit vectors, `[n, dim]`, in the first part that has rows; empty rows if no
    /// part has.
    ///
    /// # Errors
    /// As [`represent`](Self::represent).
    pub(crate) fn rows<A: AnchorSource>(
        &self,
        anchors: &A,
        side: Modality,
        vectors: &[f32],
    ) -> Result<Vec<RelativeRow>, A::Error> {
        match self.parts.iter().find_map(FittedPart::rows) {
            Some(rows) => Ok(searched(anchors, side, &[rows], vectors)?
                .into_iter()
                .flatten()
                .collect()),
            None => {
                let n = vectors.len() / anchors.dims()[side].max(1);
                Ok(vec![RelativeRow::default(); n])
            }
        }
    }

    /// The `k` nearest anchors of unit vectors, `[n, dim]`, in the coordinates of the first part that has
    /// rows; empty if no part has.
    ///
    /// # Errors
    /// As [`represent`](Self::represent).
    pub(crate) fn nearest<A: AnchorSource>(
        &self,
        anchors: &A,
        side: Modality,
        k: usize,
        vectors: &[f32],
    ) -> Result<Vec<NearestAnchors>, A::Error> {
        let Some(rows) = self.parts.iter().find_map(FittedPart::rows) else {
            let n = vectors.len() / anchors.dims()[side].max(1);
            return Ok(vec![NearestAnchors::new(); n]);
        };
        let frame = &rows.frames[side];
        let found = anchors.nearest(side, &[NearestQuery { frame, k }], vectors)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Explains the score of an image and a text of this space by the anchors behind it.
    ///
    /// Each part splits as far as its kind allows: see
    /// `PartSettings::split`. The summands of the calibration are the
    /// explanation's offset. Everything adds up to the score.
    ///
    /// # Errors
    /// When a stored vector cannot be read.
    pub fn explain<A: AnchorSource>(
        &self,
        anchors: &A,
        image: &Representation,
        text: &Representation,
    ) -> Result<ScoreExplanation, A::Error> {
        let shares = self.recipe.shares();
        let mut amounts: HashMap<u32, f64> = HashMap::new();
        let mut explanation = ScoreExplanation {
            score: image.score(text, &shares),
            ..ScoreExplanation::default()
        };
        let codes = image.codes.iter().zip(&text.codes);
        let parts = self.recipe.parts.iter().zip(self.parts.iter());
        for (at, ((part, fitted), (x, y))) in parts.zip(codes).enumerate() {
            let (factor, summand) = weight(&shares, &image.levels, &text.levels, at);
            explanation.offset += summand;
            let mut amount = PartAmount {
                part: part.part.name(),
                amount: 0.0,
            };
            match part.part.split(fitted, anchors, x, y)? {
                ScoreSplit::ByAnchor(products) => {
                    for (anchor, product) in products {
                        amount.amount += factor * product;
                        *amounts.entry(anchor).or_default() += factor * product;
                    }
                }
                ScoreSplit::Whole(product) => {
                    amount.amount = factor * product;
                    explanation.unsplit.push(amount);
                }
            }
            explanation.parts.push(amount);
        }
        explanation.contributions = AnchorContribution::sorted(amounts);
        Ok(explanation)
    }

    /// The codes of each vector, `[n][parts]`.
    fn codes<A: AnchorSource>(
        &self,
        anchors: &A,
        side: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Vec<PartCode>>, A::Error> {
        let with_rows: Vec<&FittedRows> = self.parts.iter().filter_map(FittedPart::rows).collect();
        // For all parts in one pass, because reading the anchors costs more than comparing them.
        let mut rows = searched(anchors, side, &with_rows, vectors)?.into_iter();
        let n = vectors.len() / anchors.dims()[side].max(1);
        let mut codes: Vec<Vec<PartCode>> = vec![Vec::with_capacity(self.parts.len()); n];
        for part in self.parts.iter() {
            let of_part: Vec<PartCode> = match part {
                FittedPart::Rows(_) => {
                    let rows = rows.next().expect("each part with rows was searched");
                    rows.into_iter().map(PartCode::Row).collect()
                }
                FittedPart::Mapped(maps) => PartCode::coordinates(&maps[side], vectors),
            };
            debug_assert_eq!(of_part.len(), n, "a code for each vector");
            codes
                .iter_mut()
                .zip(of_part)
                .for_each(|(all, code)| all.push(code));
        }
        Ok(codes)
    }

    /// The cohort: evenly spaced anchors, so that it depends on their number only.
    fn cohort<A: AnchorSource>(
        &self,
        anchors: &A,
        calibration: ScoreCalibration,
    ) -> Result<CalibrationCohort, A::Error> {
        let members = evenly(calibration.cohort, anchors.len());
        let codes = PerModality::try_of(|side| {
            let mut vectors = Vec::with_capacity(members.len() * anchors.dims()[side]);
            for &anchor in &members {
                vectors.extend_from_slice(anchors.vector(anchor, side)?);
            }
            self.codes(anchors, side, &vectors)
        })?;
        Ok(CalibrationCohort::new(
            anchors.len(),
            &codes,
            &self.recipe,
            &calibration,
        ))
    }
}

/// At most `size` of `n` anchors, evenly spaced.
pub(super) fn evenly(size: usize, n: usize) -> Vec<u32> {
    let size = size.min(n);
    // In u64 on every machine: the product exceeds 32 bits.
    let place = |i: usize| (i as u64 * n as u64 / size as u64) as u32;
    (0..size).map(place).collect()
}

/// The relative rows of unit vectors in some parts, `[parts][n]`.
fn searched<A: AnchorSource>(
    anchors: &A,
    side: Modality,
    parts: &[&FittedRows],
    vectors: &[f32],
) -> Result<Vec<Vec<RelativeRow>>, A::Error> {
    let queries = parts.iter().map(|part| NearestQuery {
        frame: &part.frames[side],
        k: part.params.k,
    });
    let queries: Vec<NearestQuery<'_>> = queries.collect();
    let nearest = anchors.nearest(side, &queries, vectors)?;
    let rows = parts.iter().zip(nearest).map(|(part, nearest)| {
        let row = |kept| RelativeRow::from_kept(kept, &part.params);
        nearest.into_iter().map(row).collect()
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::linear::{CanonicalParams, FitError, Moments};
    use crate::space::matrices::MatrixAnchors;
    use crate::space::{RelativeParams, SpacePart};
    use ndarray::Array2;

    /// Anchors whose vectors cannot be read one by one.
    struct UnreadableAnchors<'a>(MatrixAnchors<'a>);

    impl AnchorSource for UnreadableAnchors<'_> {
        type Error = FitError;

        fn len(&self) -> usize {
            self.0.len()
        }

        fn dims(&self) -> PerModality<usize> {
            self.0.dims()
        }

        fn mean(&self, side: Modality) -> Vec<f32> {
            self.0.mean(side)
        }

        fn moments(&self) -> Result<Arc<Moments>, FitError> {
            self.0.moments()
        }

        fn vector(&self, _: u32, _: Modality) -> Result<&[f32], FitError> {
            Err(FitError::Decomposition("reading"))
        }

        fn of_stored(
            &self,
            side: Modality,
            of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync),
        ) -> Vec<f32> {
            self.0.of_stored(side, of_block)
        }

        fn nearest(
            &self,
            side: Modality,
            queries: &[NearestQuery<'_>],
            inputs: &[f32],
        ) -> Result<Vec<Vec<NearestAnchors>>, FitError> {
            self.0.nearest(side, queries, inputs)
        }
    }

    #[test]
    fn a_vector_that_cannot_be_read_is_told_and_counts_as_nothing_nowhere() {
        let side = |shift: usize| {
            Array2::from_shape_fn((20, 3), |(i, j)| {
                ((i * 7 + j * 3 + shift) % 11) as f32 / 11.0
            })
        };
        let (images, texts) = (side(0), side(4));
        let sides = PerModality {
            image: images.view(),
            text: texts.view(),
        };
        let mut moments = Moments::new(PerModality { image: 3, text: 3 });
        moments.add(sides.as_ref().map(|rows| rows.to_slice().unwrap()));
        let sound = MatrixAnchors::new(sides, (0..20).collect(), moments);
        let unreadable = UnreadableAnchors(sound.clone());
        let canonical = CanonicalParams {
            dims: 2,
            ..CanonicalParams::default()
        };
        for (part, needs_vectors) in [
            (SpacePart::from(canonical), true),
            (SpacePart::from(RelativeParams::default()), false),
        ] {
            let space = FittedSpace::fit(&sound, &Recipe::of(part)).unwrap();
            let of = |side| {
                let vector = sound.row(3, side).to_vec();
                let mut found = space.represent(&sound, side, &vector).unwrap();
                found.remove(0)
            };
            let (image, text) = (of(Modality::Image), of(Modality::Text));
            let explained = space.explain(&sound, &image, &text).unwrap();
            assert!((explained.sum() - f64::from(explained.score)).abs() < 1e-4);
            let unread = space.explain(&unreadable, &image, &text);
            assert_eq!(unread.is_err(), needs_vectors, "{part}");
        }
    }
}
