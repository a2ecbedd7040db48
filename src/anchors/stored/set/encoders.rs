//! Whether encoders are those that a set was built with.

use super::AnchorSet;
use crate::anchors::error::{AnchorsError, OtherEncoder};
use crate::embed::Embedder;
use crate::encode::EncoderIdentity;
use crate::modality::Modality;
use crate::space::vector::dot;

/// The least cosine of two canary embeddings that are taken for the same encoder's.
const ACCEPTED_COSINE: f64 = 0.99999;

impl AnchorSet {
    /// Refuses encoders other than those that built the set.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] naming both.
    pub fn check_encoders(&self, embedder: &Embedder) -> Result<(), AnchorsError> {
        self.check(Modality::Image, embedder.image().identity())?;
        self.check(Modality::Text, embedder.text().identity())
    }

    /// What the numbers of a vector that `given` makes are multiplied with to be one of this set,
    /// `[dim]`: the encoders may have other weights here. Empty where it is one as it is.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] when they are others.
    pub fn factors(
        &self,
        modality: Modality,
        given: &EncoderIdentity,
    ) -> Result<Vec<f32>, AnchorsError> {
        let Err(other) = self.check(modality, given) else {
            return Ok(Vec::new());
        };
        let built = &self.encoder(modality).identity;
        given.factors_to(built).ok_or(other)
    }

    /// Takes other encoders for those that built the set, if they make the same of their canary
    /// inputs: the same model from another export, say. Later checks of these encoders succeed.
    ///
    /// # Errors
    /// [`AnchorsError::Canary`] when a cosine is below 0.99999.
    pub fn accept_encoders(&mut self, embedder: &Embedder) -> Result<(), AnchorsError> {
        if self.check_encoders(embedder).is_ok() {
            return Ok(());
        }
        let (image, text) = embedder.entries()?;
        for (modality, given) in [(Modality::Image, image), (Modality::Text, text)] {
            let built = self.encoder(modality);
            if built.identity.fingerprint == given.identity.fingerprint {
                continue;
            }
            let (a, b) = (&built.canary, &given.canary);
            let norms = (dot(a, a) * dot(b, b)).sqrt();
            let cosine = if a.len() == b.len() && norms > 0.0 {
                dot(a, b) / norms
            } else {
                0.0
            };
            if cosine.is_nan() || cosine < ACCEPTED_COSINE {
                return Err(AnchorsError::Canary {
                    set: self.path.clone(),
                    modality,
                    given: given.identity.name,
                    cosine,
                });
            }
            self.accepted.push(given.identity.fingerprint);
        }
        Ok(())
    }

    fn check(&self, modality: Modality, given: &EncoderIdentity) -> Result<(), AnchorsError> {
        let built = &self.encoder(modality).identity;
        if built.fingerprint == given.fingerprint || self.accepted.contains(&given.fingerprint) {
            return Ok(());
        }
        let short = |print: &str| print.chars().take(12).collect();
        Err(AnchorsError::OtherEncoder(Box::new(OtherEncoder {
            set: self.path.clone(),
            modality,
            built: built.name.clone(),
            built_print: short(&built.fingerprint),
            given: given.name.clone(),
            given_print: short(&given.fingerprint),
        })))
    }
}
