//! Validates a recipe.

use super::error::{RecipeError, positive};
use super::{HubnessCorrection, Recipe, ScoreCalibration, WeightedPart};

impl Recipe {
    /// Validates the recipe.
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
        if let Some(ScoreCalibration {
            cohort,
            top,
            hubness,
        }) = self.calibration
        {
            if top < 2 || top > cohort {
                return Err(RecipeError::Cohort { top, cohort });
            }
            if let HubnessCorrection::Nnn { alpha } = hubness {
                positive("alpha", alpha)?;
            }
        }
        for WeightedPart { weight, part } in &self.parts {
            positive("weight", *weight)?;
            part.validate()?;
        }
        Ok(())
    }
}
