//! Answers as a page: each image with its labels, and the anchor pairs behind the first one.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader};

use super::html::{AnchorCard, Bar, ImageCard, Thumb, contact_sheet, thumbnail};
use crate::anchors::{AnchorSet, AnchorsError};
use crate::classify::{Answer, Classifier};

/// Anchors that are shown behind an answer.
const ANCHORS: usize = 6;
/// The longer side of the pictures, in pixels.
const IMAGE_SIDE: u32 = 480;
const ANCHOR_SIDE: u32 = 160;

/// The page of these answers, with at most `top` labels each.
///
/// An anchor whose picture can no longer be read is shown without it; an image, not at all.
///
/// # Errors
/// When the record of an anchor is damaged.
pub fn page(
    set: &AnchorSet,
    classifier: &Classifier<'_>,
    answers: &[(&Path, &Answer)],
    top: usize,
) -> Result<String, AnchorsError> {
    let mut cards = Vec::with_capacity(answers.len());
    for (image, answer) in answers {
        let Some(thumbnail) = picture(image, IMAGE_SIDE) else {
            continue;
        };
        let ranked = classifier.ranked(answer, top);
        let parts = ranked
            .first()
            .map(|p| classifier.explain(answer, p.class))
            .transpose()?
            .unwrap_or_default()
            .contributions;
        let mut anchors = Vec::new();
        for part in parts.iter().take(ANCHORS) {
            let record = set.record(part.anchor)?;
            anchors.push(AnchorCard {
                thumbnail: picture(Path::new(&record.image), ANCHOR_SIDE),
                source: record.meta_text("source"),
                licence: record
                    .meta_text("licence")
                    .or_else(|| record.meta_text("license")),
                id: record.id,
                captions: record.captions,
                contribution_share: f64::from(part.share),
            });
        }
        let name = image
            .file_name()
            .unwrap_or(image.as_os_str())
            .to_string_lossy()
            .into_owned();
        cards.push(ImageCard {
            name,
            thumbnail,
            predictions: ranked
                .into_iter()
                .map(|p| Bar {
                    label: p.label,
                    score: p.score,
                    similarity: p.similarity,
                })
                .collect(),
            anchors,
        });
    }
    let facts = [
        ("anchor pairs", set.len().to_string()),
        (
            "image encoder",
            set.manifest().image_encoder.identity.name.clone(),
        ),
        (
            "text encoder",
            set.manifest().text_encoder.identity.name.clone(),
        ),
        ("space", classifier.recipe().to_string()),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value));
    Ok(contact_sheet(
        "Labels, and the pairs behind them",
        &facts,
        &cards,
    ))
}

fn picture(path: &Path, side: u32) -> Option<Thumb> {
    let bytes = fs_err::read(path).ok()?;
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .ok()?;
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    image.apply_orientation(orientation);
    thumbnail(&image, side).ok()
}
