//! Checks that encoders are those that an anchor set was built with.

use super::AnchorSet;
use crate::anchors::error::{AnchorsError, EncoderMismatch};
use crate::embed::Embedder;
use crate::encode::EncoderIdentity;
use crate::modality::Modality;
use crate::space::vector::dot;

/// The minimum cosine of two canary embeddings of the same encoder.
const ACCEPTED_COSINE: f64 = 0.99999;

impl AnchorSet {
    /// Rejects encoders other than those that built the anchor set.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] naming both.
    pub(crate) fn check_encoders(&self, embedder: &Embedder) -> Result<(), AnchorsError> {
        self.check(Modality::Image, embedder.image().identity())?;
        self.check(Modality::Text, embedder.text().identity())
    }

    /// The factors that turn a vector of `given` into a vector of this anchor set,
    /// `[dim]`: the weights of the encoders may differ. Empty where none is needed.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] when the encoders differ.
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

    /// Accepts other encoders as those that built the anchor set, if they give the same vectors for their
    /// canary inputs, for example another export of the same model. Later checks of these encoders succeed.
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

    /// Rejects an encoder other than the one that built the anchor set.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] naming both.
    pub(crate) fn check(
        &self,
        modality: Modality,
        given: &EncoderIdentity,
    ) -> Result<(), AnchorsError> {
        let built = &self.encoder(modality).identity;
        if built.fingerprint == given.fingerprint || self.accepted.contains(&given.fingerprint) {
            return Ok(());
        }
        let short = |print: &str| print.chars().take(12).collect();
        Err(AnchorsError::OtherEncoder(Box::new(EncoderMismatch {
            set: self.path.clone(),
            modality,
            built: built.name.clone(),
            built_print: short(&built.fingerprint),
            given: given.name.clone(),
            given_print: short(&given.fingerprint),
        })))
    }
}
