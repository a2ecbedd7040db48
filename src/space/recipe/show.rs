//! Recipes as one line of text.

use std::fmt;

use super::{FEW, HubnessCorrection, Recipe, ScoreCalibration, WeightedPart};

impl fmt::Display for Recipe {
    /// One line: `1 asif (k 200, p 4, centred, negatives clamp) + ... | calibrated on 1000, best 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, WeightedPart { weight, part }) in self.parts.iter().enumerate() {
            let joint = if i == 0 { "" } else { " + " };
            write!(f, "{joint}{weight} {part}")?;
        }
        match self.calibration {
            Some(calibration) => write!(f, " | {calibration}"),
            None => Ok(()),
        }
    }
}

/// A calibration as text; `of` names its cohort, such as `1000 anchors`.
fn calibrated(calibration: &ScoreCalibration, of: &str) -> String {
    let top = calibration.top;
    match calibration.hubness {
        HubnessCorrection::SNorm => format!("calibrated on {of}, best {top}"),
        HubnessCorrection::Csls => format!("CSLS on {of}, best {top}"),
        HubnessCorrection::Nnn { alpha } => format!("NNN on {of}, best {top}, alpha {alpha}"),
        HubnessCorrection::None => format!("one scale from {of}, no hubness correction"),
    }
}

impl Recipe {
    /// The recipe that is used with so many anchors, as one line: see `Recipe::for_anchors`. If there are
    /// fewer anchors than the cohort wants, all of them are the cohort.
    pub fn in_use(&self, anchors: usize) -> String {
        let mut used = self.for_anchors(anchors);
        let Some(mut calibration) = used.calibration.filter(|c| c.cohort > anchors) else {
            return used.to_string();
        };
        calibration.top = calibration.top_of(anchors).min(anchors);
        used.calibration = None;
        let calibrated = calibrated(&calibration, &format!("all {anchors} anchors"));
        format!("{used} | {calibrated}")
    }

    /// A note that a simpler space than the recipe is used because there are so few anchors, if that is so.
    pub fn few_anchors(&self, anchors: usize) -> Option<String> {
        (self.for_anchors(anchors) != *self).then(|| {
            let pairs = if anchors == 1 { "pair" } else { "pairs" };
            format!(
                "with {anchors} {pairs}, fewer than {FEW}, the space is plain relative rows (asif); from \
                 {FEW} pairs on the whole recipe is used"
            )
        })
    }
}

impl fmt::Display for ScoreCalibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&calibrated(self, &format!("{} anchors", self.cohort)))
    }
}
