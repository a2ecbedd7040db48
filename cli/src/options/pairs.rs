//! How sources of pairs are read.

use asif::pairs::{CaptionChoice, PairOptions};
use clap::{Args, ValueEnum};

use crate::errors::exit::UsageError;

/// How sources of pairs are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading pairs")]
pub struct PairArgs {
    /// The column or field that holds the image, in place of image, image_path or file_name.
    #[arg(long, env = "ASIF_IMAGE_COLUMN", value_name = "NAME")]
    image_column: Option<String>,

    /// The column or field that holds the caption or captions, in place of captions, caption or text.
    #[arg(long, env = "ASIF_CAPTION_COLUMN", value_name = "NAME")]
    caption_column: Option<String>,

    /// What becomes of several captions of an image.
    #[arg(long, env = "ASIF_CAPTIONS", value_enum, default_value_t = CaptionArg::Mean)]
    captions: CaptionArg,

    /// Caption images that have no text with the name of the folder that they lie in, in place of {}: a photo of
    /// a {}.
    #[arg(long, env = "ASIF_CLASS_TEMPLATE", value_name = "TEXT")]
    class_template: Option<String>,

    /// Stop when more than N rows are bad. Files that are no part of the pairs by their name do not count.
    #[arg(long, env = "ASIF_MAX_ERRORS", value_name = "N")]
    max_errors: Option<u64>,

    /// Let lists that come with their pictures (those in a folder, Parquet, COCO and token files) name images outside
    /// their folder. What they name is read and kept in the anchor set, so allow it only if you know the list.
    #[arg(long, env = "ASIF_ALLOW_OUTSIDE")]
    allow_outside: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CaptionArg {
    /// One pair with the mean of their vectors.
    Mean,
    /// A pair each.
    Each,
    /// One pair with the longest.
    Longest,
    /// One pair with the first.
    First,
}

impl PairArgs {
    /// How many bad rows are accepted.
    pub fn max_errors(&self) -> Option<u64> {
        self.max_errors
    }

    /// Refuses, beside vectors, what is said of lists of pairs.
    ///
    /// # Errors
    /// [`UsageError`] if something is.
    pub fn refuse_with_vectors(&self) -> Result<(), UsageError> {
        let given = [
            (self.image_column.is_some(), "--image-column"),
            (self.caption_column.is_some(), "--caption-column"),
            (!matches!(self.captions, CaptionArg::Mean), "--captions"),
            (self.class_template.is_some(), "--class-template"),
            (self.allow_outside, "--allow-outside"),
        ];
        match given.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => Err(UsageError(format!(
                "{option} says how the lists of --pairs are read; metadata of vectors has the columns id, image and \
                 captions (docs/vectors.md), so rename its columns instead"
            ))),
            None => Ok(()),
        }
    }

    /// The options.
    ///
    /// # Errors
    /// For a template without a place for the name.
    pub fn options(&self) -> Result<PairOptions, UsageError> {
        if let Some(template) = self
            .class_template
            .as_ref()
            .filter(|text| !text.contains("{}"))
        {
            return Err(UsageError(format!(
                "--class-template {template:?}: expected {{}} where the name of the folder belongs, such as \
                 'a photo of a {{}}'"
            )));
        }
        Ok(PairOptions {
            image_column: self.image_column.clone(),
            caption_column: self.caption_column.clone(),
            captions: match self.captions {
                CaptionArg::Mean => CaptionChoice::Mean,
                CaptionArg::Each => CaptionChoice::Each,
                CaptionArg::Longest => CaptionChoice::Longest,
                CaptionArg::First => CaptionChoice::First,
            },
            class_template: self.class_template.clone(),
            max_errors: self.max_errors,
            allow_outside: self.allow_outside,
        })
    }
}
