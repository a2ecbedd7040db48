//! Reports of evaluations.
//!
//! The top level has the keys that CLIP_benchmark writes (`dataset`, `model`, `pretrained`, `task`,
//! `metrics`, `language`), so its `build` command reads our files unchanged; the rest is under
//! `asif`. Shares are fractions between 0 and 1, as there.

use serde::Serialize;
use serde_json::{Map, Value};

use super::confusion::ConfusionMatrix;
use super::dataset::{ClassificationTask, Dataset};
use super::interval::IntervalEstimate;
use super::retrieval::{BidirectionalRecall, RetrievalMetrics};
use super::zeroshot::ZeroshotMetrics;
use crate::space::prompts::PromptTemplates;

/// The number of confusions in a report, the most frequent first.
const CONFUSIONS: usize = 10;

/// The setup of an evaluation: encoders, anchors and settings.
#[derive(Debug, Clone, Default)]
pub struct EvaluationSetup {
    /// The encoders, such as `efficientnet-lite0 + all-minilm-l6-v2`.
    pub model: String,
    /// The value of the key `pretrained`: the anchors, such as `13957 anchors`.
    pub anchors: String,
    /// Language of class names and prompts; empty means `en`.
    pub language: String,
    /// Every setting that the figures depend on, such as `k`, `p` and the aggregation.
    pub settings: Map<String, Value>,
    /// Notes on the figures, such as known leaks.
    pub notes: Vec<String>,
}

/// The report of a zero-shot classification.
#[derive(Debug, Clone, Serialize)]
pub struct ZeroshotReport {
    /// The data set's name.
    pub dataset: String,
    /// [`EvaluationSetup::model`].
    pub model: String,
    /// [`EvaluationSetup::anchors`].
    pub pretrained: String,
    /// `zeroshot_classification`.
    pub task: &'static str,
    /// The figures.
    pub metrics: ZeroshotFigures,
    /// [`EvaluationSetup::language`].
    pub language: String,
    /// Details for which CLIP_benchmark has no key.
    pub asif: ZeroshotDetails,
}

/// Figures under the names of CLIP_benchmark.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ZeroshotFigures {
    /// Top-1.
    pub acc1: f64,
    /// Top-5; null below five classes.
    pub acc5: Option<f64>,
    /// Mean per-class recall.
    pub mean_per_class_recall: f64,
}

/// Details for which CLIP_benchmark has no key.
#[derive(Debug, Clone, Serialize)]
pub struct ZeroshotDetails {
    /// Images measured.
    pub images: usize,
    /// Classes to choose between.
    pub classes: usize,
    /// Top-1 by chance: 1 / classes.
    pub chance: f64,
    /// Images without a score; they count as errors.
    pub unscored: usize,
    /// The figures with their 95 % intervals.
    pub intervals: ZeroshotIntervals,
    /// The most frequent confusions, the worst first.
    pub confusions: Vec<NamedConfusion>,
    /// Each class with its recall, in the order of the folders.
    pub per_class: Vec<NamedRecall>,
    /// All answers of each class; a file of its own where it is written.
    #[serde(skip)]
    pub matrix: ConfusionMatrix,
    /// The prompt templates.
    pub templates: Vec<String>,
    /// [`EvaluationSetup::settings`].
    pub settings: Map<String, Value>,
    /// The source of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The licence of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// [`EvaluationSetup::notes`], and the data set's own.
    pub notes: Vec<String>,
}

/// Figures with their 95 % intervals: Wilson for the first two, bootstrap for the third.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ZeroshotIntervals {
    /// Top-1.
    pub acc1: IntervalEstimate,
    /// Top-5.
    pub acc5: Option<IntervalEstimate>,
    /// Mean per-class recall.
    pub mean_per_class_recall: IntervalEstimate,
}

/// Images of one class taken for another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedConfusion {
    /// Their class.
    pub truth: String,
    /// The predicted class.
    pub predicted: String,
    /// The number of such images.
    pub count: usize,
    /// The number of images of the class `truth`.
    pub of: usize,
}

/// The recall of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedRecall {
    /// The class.
    pub class: String,
    /// Its images.
    pub images: usize,
    /// The number of images classified correctly.
    pub correct: usize,
    /// Their share; null for a class without images.
    pub recall: Option<f64>,
}

impl ZeroshotReport {
    /// Builds the report. `metrics` must be those of `task`, class for class.
    pub fn new(
        about: EvaluationSetup,
        dataset: &Dataset,
        task: &ClassificationTask,
        templates: &PromptTemplates,
        metrics: &ZeroshotMetrics,
    ) -> Self {
        let name = |class: usize| task.classes[class].name.clone();
        let confusions = metrics
            .confusions
            .iter()
            .take(CONFUSIONS)
            .map(|one| NamedConfusion {
                truth: name(one.truth),
                predicted: name(one.predicted),
                count: one.count,
                of: metrics.per_class[one.truth].images,
            });
        let per_class = metrics
            .per_class
            .iter()
            .enumerate()
            .map(|(class, one)| NamedRecall {
                class: name(class),
                images: one.images,
                correct: one.correct,
                recall: (one.images > 0).then(|| one.correct as f64 / one.images as f64),
            });
        let details = ZeroshotDetails {
            images: metrics.images,
            classes: metrics.classes,
            chance: 1.0 / metrics.classes.max(1) as f64,
            unscored: metrics.unscored,
            intervals: ZeroshotIntervals {
                acc1: metrics.acc1,
                acc5: metrics.acc5,
                mean_per_class_recall: metrics.mean_per_class_recall,
            },
            confusions: confusions.collect(),
            per_class: per_class.collect(),
            matrix: ConfusionMatrix::new(
                task.classes
                    .iter()
                    .map(|class| class.name.clone())
                    .collect(),
                metrics,
            ),
            templates: templates.iter().map(str::to_owned).collect(),
            settings: about.settings,
            source: dataset.source.clone(),
            licence: dataset.licence.clone(),
            notes: notes(about.notes, dataset),
        };
        Self {
            dataset: dataset.name.clone(),
            model: about.model,
            pretrained: about.anchors,
            task: "zeroshot_classification",
            metrics: ZeroshotFigures {
                acc1: metrics.acc1.value,
                acc5: metrics.acc5.map(|estimate| estimate.value),
                mean_per_class_recall: metrics.mean_per_class_recall.value,
            },
            language: language(about.language),
            asif: details,
        }
    }
}

/// The report of a retrieval.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievalReport {
    /// The data set's name.
    pub dataset: String,
    /// [`EvaluationSetup::model`].
    pub model: String,
    /// [`EvaluationSetup::anchors`].
    pub pretrained: String,
    /// `zeroshot_retrieval`.
    pub task: &'static str,
    /// The figures, all captions counted.
    pub metrics: RetrievalFigures,
    /// [`EvaluationSetup::language`].
    pub language: String,
    /// Details for which CLIP_benchmark has no key.
    pub asif: RetrievalDetails,
}

/// Figures with the keys of CLIP_benchmark: `image_retrieval` searches for an image by its text, and
/// `text_retrieval` for a text by its image.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RetrievalFigures {
    /// The image was among the first 1.
    #[serde(rename = "image_retrieval_recall@1")]
    pub image_1: f64,
    /// The image was among the first 5.
    #[serde(rename = "image_retrieval_recall@5")]
    pub image_5: f64,
    /// The image was among the first 10.
    #[serde(rename = "image_retrieval_recall@10")]
    pub image_10: f64,
    /// A text of the image was among the first 1.
    #[serde(rename = "text_retrieval_recall@1")]
    pub text_1: f64,
    /// A text of the image was among the first 5.
    #[serde(rename = "text_retrieval_recall@5")]
    pub text_5: f64,
    /// A text of the image was among the first 10.
    #[serde(rename = "text_retrieval_recall@10")]
    pub text_10: f64,
}

/// Details for which CLIP_benchmark has no key.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievalDetails {
    /// Images measured.
    pub images: usize,
    /// Captions of all images.
    pub captions: usize,
    /// Any caption of an image counts as right, every caption is a query; with 95 % intervals.
    pub all_captions: BidirectionalRecall,
    /// As if each image had its first caption only; with 95 % intervals.
    pub first_caption: BidirectionalRecall,
    /// [`EvaluationSetup::settings`].
    pub settings: Map<String, Value>,
    /// The source of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The licence of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// [`EvaluationSetup::notes`], and the data set's own.
    pub notes: Vec<String>,
}

impl RetrievalReport {
    /// Builds the report.
    pub fn new(about: EvaluationSetup, dataset: &Dataset, metrics: &RetrievalMetrics) -> Self {
        let BidirectionalRecall {
            image_to_text,
            text_to_image,
        } = metrics.all_captions;
        Self {
            dataset: dataset.name.clone(),
            model: about.model,
            pretrained: about.anchors,
            task: "zeroshot_retrieval",
            metrics: RetrievalFigures {
                image_1: text_to_image.at_1.value,
                image_5: text_to_image.at_5.value,
                image_10: text_to_image.at_10.value,
                text_1: image_to_text.at_1.value,
                text_5: image_to_text.at_5.value,
                text_10: image_to_text.at_10.value,
            },
            language: language(about.language),
            asif: RetrievalDetails {
                images: metrics.images,
                captions: metrics.captions,
                all_captions: metrics.all_captions,
                first_caption: metrics.first_caption,
                settings: about.settings,
                source: dataset.source.clone(),
                licence: dataset.licence.clone(),
                notes: notes(about.notes, dataset),
            },
        }
    }
}

fn notes(mut given: Vec<String>, dataset: &Dataset) -> Vec<String> {
    given.extend(
        dataset
            .note
            .as_ref()
            .map(|note| format!("{}: {note}", dataset.name)),
    );
    let left_out = dataset.left_out.iter();
    given.extend(left_out.map(|what| format!("{}: {what}", dataset.name)));
    given
}

fn language(given: String) -> String {
    if given.is_empty() {
        "en".to_owned()
    } else {
        given
    }
}
