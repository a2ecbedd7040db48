//! The s-norm cohort: the anchors that scores are calibrated on.

use rayon::prelude::*;

use super::bank::{CodeBank, PartCode};
use super::calibrate::{ScoreNormalization, ScoreNormalizer, spread};
use super::recipe::{Recipe, ScoreCalibration};
use crate::modality::{Modality, PerModality};

/// The anchors that scores are calibrated on: the codes of their images and texts in each part, and how an
/// input's scores with them become its levels.
#[derive(Debug)]
pub(crate) struct CalibrationCohort {
    /// The codes of the images and of the texts, one bank a part.
    sides: PerModality<Vec<CodeBank>>,
    levellers: Vec<ScoreNormalizer>,
}

impl CalibrationCohort {
    /// Builds a cohort from the codes of its images and texts, `[members][parts]` each, over `anchors`
    /// anchors.
    ///
    /// Cost: where the recipe [has units](Recipe::has_units), all members of one side are compared
    /// with all of the other, in each part.
    pub(crate) fn new(
        anchors: usize,
        codes: &PerModality<Vec<Vec<PartCode>>>,
        recipe: &Recipe,
        calibration: &ScoreCalibration,
    ) -> Self {
        let parts = recipe.parts.len();
        let sides = codes.as_ref().map(|members| {
            let of_part = |part| members.iter().map(move |m| &m[part]);
            let bank = |part| CodeBank::new(anchors, of_part(part));
            (0..parts).map(bank).collect::<Vec<_>>()
        });
        let levellers = (0..parts).map(|part| {
            let unit = || {
                let banks = sides.as_ref().map(|banks| &banks[part]);
                let members = codes.as_ref().map(|members| members.iter());
                part_unit(banks, members.map(|all| all.map(|m| &m[part]).collect()))
            };
            ScoreNormalizer::of_part(recipe, calibration, codes.image.len(), unit)
        });
        Self {
            levellers: levellers.collect(),
            sides,
        }
    }

    /// The levels of some inputs, `[inputs][parts]`, from their codes, `[inputs][parts]`. Several inputs
    /// at once are faster than one by one.
    pub(crate) fn levels(
        &self,
        side: Modality,
        inputs: &[&[PartCode]],
    ) -> Vec<Vec<ScoreNormalization>> {
        let mut levels = vec![Vec::with_capacity(self.levellers.len()); inputs.len()];
        // An image is levelled by the cohort's texts and a text by its images: scores only exist between sides.
        let others = self.sides[side.other()].iter().zip(&self.levellers);
        for (part, (bank, leveller)) in others.enumerate() {
            let codes: Vec<&PartCode> = inputs.iter().map(|codes| &codes[part]).collect();
            let scores = bank.all_scores(&codes);
            let of_each = scores.chunks_exact(bank.len().max(1));
            for (levels, scores) in levels.iter_mut().zip(of_each) {
                levels.push(leveller.level(scores.to_vec()));
            }
        }
        levels
    }
}

/// The [unit](spread) of a part from its cohort: all members of one side, by their codes, are compared with
/// all of the other, by their banks.
pub(crate) fn part_unit(
    banks: PerModality<&CodeBank>,
    members: PerModality<Vec<&PartCode>>,
) -> f64 {
    let scores = Modality::BOTH.into_par_iter().flat_map(|side| {
        let others = banks[side.other()];
        members[side].par_iter().map(|code| others.scores(code))
    });
    spread(scores.collect())
}
