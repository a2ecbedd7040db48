//! Changes the weights of a modality's encoders by rescaling the blocks of the stored vectors.

use std::borrow::Cow;
use std::path::Path;

use super::compact::merged;
use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::plan::GraphPolicy;
use crate::encode::EncoderEntry;
use crate::modality::{Modality, PerModality};
use crate::space::Recipe;

/// Publishes a generation with the live pairs in one segment, encoders that have these weights,
/// and a recipe; `command` and `detail` are recorded in the log. Nothing is
/// encoded. A rollback restores the old weights.
///
/// Weights are normalised to sum to 1 and rounded to 0.0001. The weight of a single encoder is
/// ignored.
///
/// # Errors
/// When the recipe is invalid, a record is damaged, another process is writing, or on an I/O error.
pub fn reweigh(
    set: &Path,
    weights: PerModality<&[f64]>,
    recipe: &Recipe,
    (command, detail): (&'static str, String),
    graphs: GraphPolicy,
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    recipe.validate()?;
    let mut writer = SetWriter::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    let mut factors = PerModality::<Vec<f32>>::default();
    let mut entries = PerModality::of(|modality| live.encoder(modality).clone());
    for modality in Modality::BOTH {
        let entry = &mut entries[modality];
        if let Some((identity, scale)) = entry.identity.reweighed(weights[modality]) {
            let canary = scaled(&entry.canary, &scale).into_owned();
            *entry = EncoderEntry { identity, canary };
            factors[modality] = scale;
        }
    }
    let mut manifest = if writer.dry_run() {
        live.manifest().clone()
    } else {
        let scale = |modality, vector| scaled(vector, &factors[modality]);
        merged(&live, graphs, scale)?
    };
    manifest.image_encoder = entries.image;
    manifest.text_encoder = entries.text;
    manifest.space = recipe.clone();
    writer.mark("write");
    writer.publish(NextGeneration {
        manifest,
        tombstones: None,
        command,
        detail,
        source: None,
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    })
}

/// Scales a vector by its factors; without factors it is unchanged.
pub fn scaled<'a>(vector: &'a [f32], factors: &[f32]) -> Cow<'a, [f32]> {
    if factors.is_empty() {
        return Cow::Borrowed(vector);
    }
    vector.iter().zip(factors).map(|(x, f)| x * f).collect()
}
