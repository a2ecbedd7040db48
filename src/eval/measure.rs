//! Evaluates an anchor set in a space on a data set: from files to a report.

use ndarray::Array2;
use serde_json::{Map, json};

use super::classes::DatasetClass;
use super::dataset::{ClassificationTask, Dataset, EvaluationTask, RetrievalTask};
use super::predictions::{PredictionRow, PredictionTarget, PredictionWriter};
use super::report::{EvaluationSetup, RetrievalReport, ZeroshotReport};
use super::{MetricsError, retrieval, zeroshot};
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::{AnchorSet, AnchorsError, Searcher};
use crate::bad_inputs::BadInputs;
use crate::classify::{ClassifiedImage, Classifier, HeadOptions};
use crate::embed::{EmbedError, Embedder, EmbeddingResult, InputRejection, WorkControl};
use crate::modality::Modality;
use crate::space::prompts::{LabelList, PromptTemplates, PromptsError};
use crate::space::{ClassHead, PromptAggregation, Recipe};
use crate::vector_files::{VectorBlock, VectorReader, row_file, row_place};

/// An evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// The data set is for another task.
    #[error(
        "{name}: expected a data set for {wanted}, found one for {found}; give another data set, or measure {found}"
    )]
    Task {
        /// The data set.
        name: String,
        /// Its task.
        found: &'static str,
        /// The expected task.
        wanted: &'static str,
    },
    /// The anchor set cannot be searched.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// Images or texts could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The class names cannot be used as labels.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
    /// The scores and labels do not match.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The predictions cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The anchor set and encoders that are evaluated.
#[derive(Clone, Copy)]
pub struct EvaluationSubject<'a> {
    /// The anchor set.
    pub set: &'a AnchorSet,
    /// The encoders that built it.
    pub embedder: &'a Embedder,
    /// Progress and cancellation.
    pub watch: WorkControl<'a>,
}

/// The rows of a data set that are written while it is measured.
struct RecordedRows<'a> {
    classifier: &'a Classifier<'a>,
    dataset: &'a str,
    task: &'a ClassificationTask,
    out: Option<&'a mut PredictionWriter>,
}

impl RecordedRows<'_> {
    /// Writes the answer of an input, if rows are written.
    fn write(
        &mut self,
        row: usize,
        input: impl FnOnce() -> String,
        answer: Result<&ClassifiedImage, &InputRejection>,
    ) -> std::io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let ranked = answer.map(|answer| self.classifier.ranked(answer, out.top().max(1)));
        out.write(&PredictionRow {
            row: row as u64,
            input: &input(),
            target: Some(PredictionTarget {
                dataset: self.dataset,
                class: &self.task.classes[self.task.labels[row]].name,
            }),
            answer: ranked
                .as_deref()
                .map_err(|rejected| rejected.reason.as_str()),
        })
    }
}

/// Vectors that are classified at a time.
const VECTORS: usize = 256;

/// A report, and the images that could not be used.
#[derive(Debug)]
pub struct MeasuredReport<R> {
    /// The figures.
    pub report: R,
    /// Images that could not be used; they count as errors.
    pub rejected: Vec<InputRejection>,
}

/// The labelled images of a data set.
///
/// # Errors
/// [`MeasureError::Task`] when it has none.
pub(in crate::eval) fn classification(
    dataset: &Dataset,
) -> Result<&ClassificationTask, MeasureError> {
    match &dataset.task {
        EvaluationTask::Classification(task) => Ok(task),
        EvaluationTask::Retrieval(_) => Err(MeasureError::Task {
            name: dataset.name.clone(),
            found: "retrieval",
            wanted: "zeroshot",
        }),
    }
}

/// Zero-shot classification of a labelled data set.
///
/// `templates` replace those of the data set, which replace the default ones. The answer of each image goes to
/// `predictions`.
///
/// # Errors
/// A [`MeasureError`]; an image that cannot be used is not an error.
pub fn measure_zeroshot(
    subject: EvaluationSubject<'_>,
    dataset: &Dataset,
    templates: Option<&PromptTemplates>,
    options: HeadOptions,
    predictions: Option<&mut PredictionWriter>,
) -> Result<MeasuredReport<ZeroshotReport>, MeasureError> {
    let task = classification(dataset)?;
    let default = PromptTemplates::default();
    let templates = templates.or(task.templates.as_ref()).unwrap_or(&default);
    let labels = LabelList::new(task.classes.iter().map(|c| c.name.as_str()))?;
    let EvaluationSubject {
        set,
        embedder,
        watch,
    } = subject;
    let classifier = Classifier::new(set, embedder, &labels, templates, options.clone(), watch)?;
    watch
        .progress
        .begin("images", Some(task.images.len() as u64));
    let answers = classifier.classify(&task.images, watch)?;
    watch.progress.end();
    // Rows of images that could not be used stay NaN, which counts as wrong.
    let mut scores = Array2::from_elem((answers.len(), labels.as_slice().len()), f32::NAN);
    let mut rejected = Vec::new();
    let mut recorded = RecordedRows {
        classifier: &classifier,
        dataset: &dataset.name,
        task,
        out: predictions,
    };
    for (row, answer) in answers.into_iter().enumerate() {
        let input = || task.images[row].display().to_string();
        recorded.write(row, input, answer.as_ref())?;
        match answer {
            Ok(answer) => {
                let similarities = ndarray::aview1(&answer.similarities);
                scores.row_mut(row).assign(&similarities);
            }
            Err(reason) => rejected.push(reason),
        }
    }
    let metrics = zeroshot(scores.view(), &task.labels)?;
    let about = about(set, classifier.recipe(), options.mode, Some(&options));
    let report = ZeroshotReport::new(about, dataset, task, templates, &metrics);
    Ok(MeasuredReport { report, rejected })
}

/// As [`measure_zeroshot`], of images that are vectors: row `i` of `images` has the class `labels[i]`, an index into
/// the labels of `classifier`, which was made with `options`. `name` is that of the data set in the report, and what is
/// written to `predictions` as the input is the file of the row.
///
/// # Errors
/// A [`MeasureError`]; a row that is not a vector is not an error.
pub fn measure_zeroshot_vectors(
    set: &AnchorSet,
    classifier: &Classifier<'_>,
    name: &str,
    mut images: VectorReader,
    labels: Vec<usize>,
    options: &HeadOptions,
    predictions: Option<&mut PredictionWriter>,
) -> Result<MeasuredReport<ZeroshotReport>, MeasureError> {
    let classes = classifier.labels().iter().map(|label| DatasetClass {
        folder: label.clone(),
        name: label.clone(),
    });
    let task = ClassificationTask {
        classes: classes.collect(),
        images: Vec::new(),
        labels,
        templates: None,
    };
    let dataset = Dataset {
        name: name.to_owned(),
        source: None,
        licence: None,
        note: None,
        left_out: Vec::new(),
        task: EvaluationTask::Classification(task.clone()),
    };
    let (dim, parts) = (images.dim(), images.parts());
    let mut scores = Array2::from_elem((images.rows() as usize, task.classes.len()), f32::NAN);
    let mut rejected = Vec::new();
    let (mut block, mut begin) = (VectorBlock::default(), 0);
    let failed = |error| MeasureError::Anchors(AnchorsError::Vectors(error));
    let mut recorded = RecordedRows {
        classifier,
        dataset: name,
        task: &task,
        out: predictions,
    };
    loop {
        let rows = images.next_block(VECTORS, &mut block).map_err(failed)?;
        if rows == 0 {
            break;
        }
        let mut faults = block.faults.iter().peekable();
        let vectors = block.values.chunks_exact(dim).enumerate();
        let vectors = vectors.map(|(row, vector)| match faults.next_if(|(at, _)| *at == row) {
            None => Ok(vector.to_vec()),
            Some((_, fault)) => {
                let place = row_place(&parts, (begin + row) as u64);
                Err(InputRejection::from(format!("{place}: {fault}")))
            }
        });
        let (good, bad) = BadInputs::split(vectors);
        for (row, answer) in bad
            .put_back(classifier.answers(good)?)
            .into_iter()
            .enumerate()
        {
            let input = || row_file(&parts, (begin + row) as u64);
            recorded.write(begin + row, input, answer.as_ref())?;
            match answer {
                Ok(answer) => {
                    let similarities = ndarray::aview1(&answer.similarities);
                    scores.row_mut(begin + row).assign(&similarities);
                }
                Err(reason) => rejected.push(reason),
            }
        }
        begin += rows;
    }
    let metrics = zeroshot(scores.view(), &task.labels)?;
    let about = about(set, classifier.recipe(), options.mode, Some(options));
    let templates = PromptTemplates::default();
    let report = ZeroshotReport::new(about, &dataset, &task, &templates, &metrics);
    Ok(MeasuredReport { report, rejected })
}

/// Image-text retrieval on a captioned data set, both ways.
///
/// # Errors
/// A [`MeasureError`]; an image or a caption that cannot be used is not an error.
pub fn measure_retrieval(
    subject: EvaluationSubject<'_>,
    dataset: &Dataset,
    space: &Recipe,
    mode: SearchMode,
) -> Result<MeasuredReport<RetrievalReport>, MeasureError> {
    let task: &RetrievalTask = match &dataset.task {
        EvaluationTask::Retrieval(task) => task,
        EvaluationTask::Classification(_) => {
            let name = dataset.name.clone();
            return Err(MeasureError::Task {
                name,
                found: "zeroshot",
                wanted: "retrieval",
            });
        }
    };
    let EvaluationSubject {
        set,
        embedder,
        watch,
    } = subject;
    set.check_encoders(embedder)?;
    let searcher = Searcher::new(set, space.clone(), mode)?;
    watch
        .progress
        .begin("images", Some(task.images.len() as u64));
    let images = embedder.images(&task.images, watch)?;
    watch
        .progress
        .begin("captions", Some(task.captions.len() as u64));
    let made = embedder.texts(&task.captions, watch)?;
    watch.progress.end();
    let named = task.captions.iter().zip(made).map(|(caption, made)| {
        made.map_err(|rejected| InputRejection {
            // A caption has no file, so its text tells which one it is.
            reason: format!("caption {caption:?}: {}", rejected.reason),
            ..rejected
        })
    });
    let (vectors, bad_captions) = BadInputs::split(named);
    let texts = searcher.represent(Modality::Text, &vectors.concat())?;
    let texts: Vec<_> = texts.into_iter().map(|t| vec![t]).collect();
    let shares = searcher.recipe().shares();
    let head = ClassHead::new(set.len(), &shares, &texts, PromptAggregation::Mean);
    let mut scores = Array2::from_elem((images.len(), task.captions.len()), f32::NAN);
    // A caption without a vector keeps a column of NaN: it finds nothing and is never found.
    let columns = bad_captions.good_places();
    let mut rejected = score_images(&searcher, &head, images, &columns, &mut scores)?;
    rejected.extend(bad_captions.into_errors());
    let metrics = retrieval(scores.view(), &task.owners)?;
    let report = RetrievalReport::new(about(set, searcher.recipe(), mode, None), dataset, &metrics);
    Ok(MeasuredReport { report, rejected })
}

fn score_images(
    searcher: &Searcher<'_>,
    head: &ClassHead,
    images: Vec<EmbeddingResult>,
    columns: &[usize],
    scores: &mut Array2<f32>,
) -> Result<Vec<InputRejection>, AnchorsError> {
    let (vectors, bad) = BadInputs::split(images);
    let inputs = bad.put_back(searcher.represent(Modality::Image, &vectors.concat())?);
    let mut rejected = Vec::new();
    for (mut out, input) in scores.rows_mut().into_iter().zip(inputs) {
        match input {
            Ok(input) => {
                let scores = columns.iter().zip(head.scores(&input));
                scores.for_each(|(&column, score)| out[column] = score);
            }
            Err(reason) => rejected.push(reason),
        }
    }
    Ok(rejected)
}

fn about(
    set: &AnchorSet,
    space: &Recipe,
    mode: SearchMode,
    head: Option<&HeadOptions>,
) -> EvaluationSetup {
    let manifest = set.manifest();
    let mut settings = Map::new();
    settings.insert("space".into(), json!(space));
    settings.insert("search".into(), json!(format!("{mode:?}").to_lowercase()));
    if let Some(head) = head {
        settings.insert("aggregate".into(), json!(head.aggregate));
    }
    EvaluationSetup {
        model: format!(
            "{} + {}",
            manifest.image_encoder.identity.name, manifest.text_encoder.identity.name
        ),
        anchors: format!("{} anchors", set.len()),
        language: "en".to_owned(),
        settings,
        notes: Vec::new(),
    }
}
