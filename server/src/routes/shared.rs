//! Types that several requests and responses share.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::GenerationSelector;
use crate::error::Refusal;
use crate::inputs::picture::RequestPicture;
use crate::options::ServeLimits;
use crate::sets::set::PairExclusion;
use asif::classify::RankedLabel;
use asif::space::PromptAggregation;
use asif::space::prompts::{PromptTemplates, named};

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// The reason.
    error: ErrorDetail,
}

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// A message for people: what is wrong, and what to do.
    message: String,
    /// The kind of error.
    r#type: String,
    /// The error code, for programs.
    code: String,
    /// The id of the request, as in the log.
    request_id: String,
}

/// A label with its score.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LabelPrediction {
    /// The label.
    label: String,
    /// The softmax over all labels, in 0..=1.
    score: f32,
    /// The score of the image and the label in the space.
    similarity: f32,
}

impl From<RankedLabel> for LabelPrediction {
    fn from(prediction: RankedLabel) -> Self {
        let RankedLabel {
            label,
            score,
            similarity,
            ..
        } = prediction;
        Self {
            label,
            score,
            similarity,
        }
    }
}

/// Prompt templates: a published name (`clip:imagenet`), or a list with `{}` in place of the label.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum TemplatesIn {
    /// A name.
    Name(String),
    /// The templates themselves.
    List(Vec<String>),
}

impl TemplatesIn {
    /// The templates; a name is never a file.
    pub fn read(given: Option<&Self>) -> Result<PromptTemplates, Refusal> {
        match given {
            None => Ok(PromptTemplates::default()),
            Some(Self::List(list)) => Ok(PromptTemplates::parse(list)?),
            Some(Self::Name(name)) => match named::find(name) {
                Some(set) => Ok(set.templates()?),
                None => {
                    let names: Vec<&str> = named::ALL.iter().map(|set| set.name).collect();
                    let names = names.join(", ");
                    Err(Refusal::invalid(
                        "no_such_templates",
                        format!(
                            "no templates have this name; known names are {names}; or give a list"
                        ),
                    ))
                }
            },
        }
    }
}

/// How the prompts of a label are combined into one score.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AggregateIn {
    /// The score of the mean prompt (CLIP).
    #[default]
    Mean,
    /// The best prompt's score (the ASIF paper).
    Max,
    /// The mean of the prompts' scores.
    MeanScore,
}

impl From<AggregateIn> for PromptAggregation {
    fn from(aggregate: AggregateIn) -> Self {
        match aggregate {
            AggregateIn::Mean => Self::Mean,
            AggregateIn::Max => Self::Max,
            AggregateIn::MeanScore => Self::MeanScore,
        }
    }
}

/// Excluded pairs: the answer is that of the anchor set without them.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ExclusionIn {
    /// Every pair with these values in its metadata, such as `source=shop`.
    Where(String),
    /// Every pair that matches a filter or an id.
    Named(ExclusionFields),
}

/// Pairs by metadata, by id, or both.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExclusionFields {
    /// Metadata filters such as `source=shop`; each must match a pair.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    r#where: BTreeSet<String>,
    /// Ids of live pairs.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ids: BTreeSet<String>,
}

/// The generation and the exclusion of a request.
pub(super) fn on(generation: Option<u64>, without: Option<ExclusionIn>) -> GenerationSelector {
    GenerationSelector {
        generation,
        without: without.map(|without| match without {
            ExclusionIn::Where(filter) => PairExclusion {
                filters: [filter].into(),
                ids: BTreeSet::new(),
            },
            ExclusionIn::Named(ExclusionFields { r#where, ids }) => PairExclusion {
                filters: r#where,
                ids,
            },
        }),
    }
}

/// Refuses an empty batch and one that is too large.
pub(super) fn check_batch(what: &str, n: usize, limits: &ServeLimits) -> Result<(), Refusal> {
    match n {
        0 => Err(Refusal::invalid(
            "empty",
            format!("no {what}; give at least one"),
        )),
        n if n > limits.batch => Err(Refusal::too_large(format!(
            "{n} {what}, at most {} are accepted at once; split them into several requests",
            limits.batch
        ))),
        _ => Ok(()),
    }
}

/// Pictures from texts in base64, `data:` URLs or other URLs.
pub(super) fn pictures(texts: Vec<String>) -> Vec<RequestPicture> {
    texts.into_iter().map(RequestPicture::Text).collect()
}
