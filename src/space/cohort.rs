//! The anchors that scores are calibrated on.

use rayon::prelude::*;

use super::bank::{Bank, Code};
use super::calibrate::{Level, Leveller, spread};
use super::recipe::{Calibration, Recipe};

/// Anchors that scores are calibrated on: their codes in each part, images and texts, and what the
/// scores with them make of an input.
#[derive(Debug)]
pub struct Cohort {
    /// The image's side and the text's, part by part.
    sides: [Vec<Bank>; 2],
    levellers: Vec<Leveller>,
}

impl Cohort {
    /// Of the codes of the cohort's images and texts, `[members][parts]` each, over `anchors`
    /// anchors.
    ///
    /// Cost: where the recipe [has units](Recipe::has_units), all members of one side are compared
    /// with all of the other, in each part.
    pub fn new(
        anchors: usize,
        codes: &[Vec<Vec<Code>>; 2],
        recipe: &Recipe,
        calibration: &Calibration,
    ) -> Self {
        let parts = recipe.parts.len();
        let sides = codes.each_ref().map(|members| {
            let of_part = |part| members.iter().filter_map(move |m| m.get(part));
            let bank = |part| Bank::new(anchors, of_part(part));
            (0..parts).map(bank).collect::<Vec<_>>()
        });
        let unit = |part: usize| {
            let scores = [0, 1].into_par_iter().flat_map(|side: usize| {
                let others = &sides[1 - side][part];
                let members = codes[side].par_iter().filter_map(move |m| m.get(part));
                members.map(|code| others.scores(code))
            });
            spread(scores.collect())
        };
        let levellers = (0..parts).map(|part| {
            let unit = if recipe.has_units() { unit(part) } else { 1.0 };
            Leveller::new(calibration, codes[0].len(), unit)
        });
        Self {
            levellers: levellers.collect(),
            sides,
        }
    }

    /// The level of an input in each part, from its codes; `side` is 0 for an image, 1 for a text.
    pub fn levels(&self, side: usize, codes: &[Code]) -> Vec<Level> {
        let others = self.sides[1 - side].iter().zip(&self.levellers);
        let level = |(code, (bank, leveller)): (&Code, (&Bank, &Leveller))| {
            leveller.level(bank.scores(code))
        };
        codes.iter().zip(others).map(level).collect()
    }
}
