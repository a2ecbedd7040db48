//! Files of vectors in the place of pairs, images and labels.

use std::path::{Path, PathBuf};

use asif::anchors::{AnchorSet, AnchorsError};
use asif::classify::Classifier;
use asif::encode::EncoderEntry;
use asif::modality::{Modality, PerModality};
use asif::vector_files::{VectorReader, VectorSources, check_dim, row_place};
use clap::Args;

use crate::context::CommandContext;
use crate::errors::exit::{BadInput, UsageError};
use crate::options::args::EncoderArgs;
use crate::options::query::{LabelArgs, QuerySession};

/// Pairs as vectors that other tools made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vectors")]
pub struct VectorPairArgs {
    /// Image vectors instead of images: .npy, .npz, .safetensors or .parquet, or a folder of several such files,
    /// which are read in natural order (`part_2` before `part_10`). FILE#NAME is one array or column of several.
    #[arg(
        long,
        env = "ASIF_IMAGE_VECTORS",
        value_name = "FILE_OR_DIR",
        requires = "text_vectors"
    )]
    image_vectors: Option<PathBuf>,

    /// Text vectors, one for each row of the image vectors.
    #[arg(
        long,
        env = "ASIF_TEXT_VECTORS",
        value_name = "FILE_OR_DIR",
        requires = "image_vectors"
    )]
    text_vectors: Option<PathBuf>,

    /// Ids, captions, paths of images and other fields of vectors, row by row: .jsonl, .csv, .tsv or .parquet, or a
    /// folder of them. A pair without an id has its image's path as id, else the number of its row, from 0.
    #[arg(
        long,
        env = "ASIF_METADATA",
        value_name = "FILE_OR_DIR",
        requires = "image_vectors"
    )]
    metadata: Option<PathBuf>,

    /// A folder as clip-retrieval writes it and autofaiss reads it: img_emb/, text_emb/ and, if it is there,
    /// metadata/.
    #[arg(
        long,
        env = "ASIF_VECTORS",
        value_name = "DIR",
        conflicts_with_all = ["image_vectors", "text_vectors", "metadata"]
    )]
    vectors: Option<PathBuf>,

    /// What made the image vectors, where it is not an encoder that is here (--image-encoder): a name, which is
    /// recorded. Such an anchor set is asked with vectors.
    #[arg(
        long,
        env = "ASIF_IMAGE_ENCODER_NAME",
        value_name = "TEXT",
        conflicts_with = "image_encoder"
    )]
    image_encoder_name: Option<String>,

    /// What made the text vectors, as for images.
    #[arg(
        long,
        env = "ASIF_TEXT_ENCODER_NAME",
        value_name = "TEXT",
        conflicts_with = "text_encoder"
    )]
    text_encoder_name: Option<String>,
}

/// The name of an encoder that nobody named.
const UNNAMED: &str = "unnamed";

impl VectorPairArgs {
    /// The pairs, if they are given as vectors.
    pub fn sources(&self) -> anyhow::Result<Option<VectorSources>> {
        let opened = match (&self.vectors, &self.image_vectors, &self.text_vectors) {
            (Some(folder), ..) => VectorSources::of_folder(folder),
            (None, Some(image), Some(text)) => {
                VectorSources::open(image, text, self.metadata.as_deref())
            }
            _ if self.image_encoder_name.is_some() || self.text_encoder_name.is_some() => {
                let said = "--image-encoder-name and --text-encoder-name say what made vectors; give --vectors \
                            DIR, or --image-vectors and --text-vectors";
                return Err(UsageError(said.to_owned()).into());
            }
            _ => return Ok(None),
        };
        Ok(Some(opened.map_err(AnchorsError::from)?))
    }

    /// What made the vectors of a modality, where it is said.
    pub fn told_encoder(
        &self,
        encoders: &EncoderArgs,
        dim: usize,
        modality: Modality,
        context: &CommandContext,
    ) -> anyhow::Result<Option<EncoderEntry>> {
        let name = match modality {
            Modality::Image => &self.image_encoder_name,
            Modality::Text => &self.text_encoder_name,
        };
        match name {
            Some(name) => Ok(Some(EncoderEntry::elsewhere(name, modality, dim))),
            None => encoders.entry(context, modality),
        }
    }

    /// What made the vectors of both modalities, as a new anchor set records it.
    pub fn encoders(
        &self,
        sources: &VectorSources,
        encoders: &EncoderArgs,
        context: &CommandContext,
    ) -> anyhow::Result<PerModality<EncoderEntry>> {
        PerModality::try_of(|modality| {
            let dim = sources.vectors[modality].dim();
            let told = self.told_encoder(encoders, dim, modality, context)?;
            Ok(told.unwrap_or_else(|| EncoderEntry::elsewhere(UNNAMED, modality, dim)))
        })
    }
}

/// Notes the columns of metadata that are left out.
pub fn note_left_out(sources: &VectorSources, context: &CommandContext) {
    let Some(metadata) = &sources.metadata else {
        return;
    };
    if !metadata.left_out().is_empty() {
        context.note(format!(
            "asif: {}: left out the columns {}, whose cells are vectors, bytes or times",
            metadata.path().display(),
            metadata.left_out().join(", ")
        ));
    }
}

/// Vectors in the place of images and labels.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vectors")]
pub struct VectorQueryArgs {
    /// A file of image vectors made by the image encoder of the anchor set, instead of images: .npy, .npz,
    /// .safetensors or .parquet. One answer for each row, in order.
    #[arg(
        long,
        env = "ASIF_IMAGE_VECTORS",
        value_name = "FILE",
        conflicts_with = "images"
    )]
    image_vectors: Option<PathBuf>,

    /// A file of label vectors made by the text encoder of the anchor set, a row for each label. Labels are numbered
    /// from 0 unless --labels or --labels-file names them in the same order.
    #[arg(long, env = "ASIF_LABEL_VECTORS", value_name = "FILE")]
    label_vectors: Option<PathBuf>,
}

impl VectorQueryArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let both = [&self.image_vectors, &self.label_vectors].into_iter();
        both.flatten().map(PathBuf::as_path)
    }

    /// The encoders that the question needs.
    pub fn needed(&self) -> PerModality<bool> {
        PerModality {
            image: self.image_vectors.is_none(),
            text: self.label_vectors.is_none(),
        }
    }

    /// The vectors that stand for images, if they do.
    pub fn images(&self) -> anyhow::Result<Option<VectorReader>> {
        let opened = self.image_vectors.as_deref().map(VectorReader::open);
        Ok(opened.transpose().map_err(AnchorsError::from)?)
    }

    /// The labels as texts or vectors; an error if there are none.
    pub fn labels(
        &self,
        labels: &LabelArgs,
        context: &CommandContext,
    ) -> anyhow::Result<GivenLabels> {
        let Some(file) = &self.label_vectors else {
            return Ok(GivenLabels::Texts(labels.read(context)?));
        };
        let vectors = whole_table(file)?;
        let names = match labels.are_given() {
            false => (0..vectors.rows).map(|label| label.to_string()).collect(),
            true => labels.read(context)?.as_slice().to_vec(),
        };
        if names.len() != vectors.rows {
            let said = format!(
                "{}: it has {} vectors and there are {} labels; name the label of each vector, in order",
                file.display(),
                vectors.rows,
                names.len()
            );
            return Err(BadInput(said).into());
        }
        Ok(GivenLabels::Vectors {
            names,
            file: file.clone(),
            dim: vectors.dim,
            vectors: vectors.values,
        })
    }
}

/// Labels as they are given.
#[derive(Debug)]
pub enum GivenLabels {
    /// As text, to be put into prompts and encoded.
    Texts(asif::space::prompts::LabelList),
    /// As unit vectors `[labels, dim]`, with their names.
    Vectors {
        names: Vec<String>,
        file: PathBuf,
        dim: usize,
        vectors: Vec<f32>,
    },
}

impl GivenLabels {
    /// The names, in order.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Texts(labels) => labels.as_slice(),
            Self::Vectors { names, .. } => names,
        }
    }

    /// A classifier by these labels in `set`, the anchor set of the session or one without some of its pairs.
    pub fn classifier<'a>(
        &self,
        set: &'a AnchorSet,
        session: &'a QuerySession,
        templates: &asif::space::prompts::PromptTemplates,
        context: &CommandContext,
    ) -> anyhow::Result<Classifier<'a>> {
        let (embedder, options) = (&session.embedder, session.options.clone());
        Ok(match self {
            Self::Texts(labels) => {
                Classifier::new(set, embedder, labels, templates, options, context.watch())?
            }
            Self::Vectors {
                names,
                file,
                dim,
                vectors,
            } => {
                let (expected, of) = length_in(set, Modality::Text);
                check_dim(file, *dim, expected, of).map_err(AnchorsError::from)?;
                let (names, vectors) = (names.clone(), vectors.clone());
                Classifier::of_label_vectors(set, embedder, names, vectors, options)?
            }
        })
    }
}

/// The numbers of the vectors of an anchor set, and what has them.
fn length_in(set: &AnchorSet, modality: Modality) -> (usize, String) {
    let of = format!("the {modality} vectors of {}", set.path().display());
    (set.dim(modality), of)
}

/// Image vectors have the length of those of the anchor set.
///
/// # Errors
/// With the file, if they have another.
pub fn check_images(vectors: &VectorReader, set: &AnchorSet) -> Result<(), AnchorsError> {
    let (expected, of) = length_in(set, Modality::Image);
    Ok(vectors.check_dim(expected, of)?)
}

/// A table of vectors in memory, all of whose rows are vectors.
#[derive(Debug)]
pub struct VectorTable {
    pub rows: usize,
    pub dim: usize,
    /// `[rows, dim]`, of unit length.
    pub values: Vec<f32>,
}

/// Reads a file of vectors, none of whose rows may be left out.
pub fn whole_table(file: &Path) -> anyhow::Result<VectorTable> {
    let reader = VectorReader::open(file).map_err(AnchorsError::from)?;
    let (rows, dim, parts) = (reader.rows() as usize, reader.dim(), reader.parts());
    let block = reader.read_all().map_err(AnchorsError::from)?;
    if let Some((row, fault)) = block.faults.first() {
        let place = row_place(&parts, *row as u64);
        return Err(BadInput(format!("{place}: {fault}; correct or remove it")).into());
    }
    Ok(VectorTable {
        rows,
        dim,
        values: block.values,
    })
}
