//! The zero-shot-image-classification API of Hugging Face.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{JsonBody, PathParams};
use super::reasons::ReasonsOut;
use super::shared::ErrorBody;
use crate::answer::{self, ClassifyQuery, ExplainedLabels, GenerationSelector, ImageInputs};
use crate::error::Refusal;
use crate::inputs::picture::RequestPicture;
use crate::sets::heads::LabelHeadSpec;
use crate::state::AppState;
use asif::space::PromptAggregation;
use asif::space::prompts::PromptTemplates;

/// How many labels are explained, and by how many pairs for and against each.
const EXPLAINED: ExplainedLabels = ExplainedLabels::Best {
    labels: 10,
    pairs: 6,
};

/// An image and the labels to choose from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShotRequest {
    /// An image file in base64, a `data:` URL, or a URL on a host that the server may fetch from.
    inputs: String,
    /// The labels and their template.
    parameters: ZeroShotParameters,
    /// Accepted for compatibility with Hugging Face, and ignored.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "clients send it")]
    options: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The labels and their template.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShotParameters {
    /// The labels to choose from.
    candidate_labels: Vec<String>,
    /// A prompt template with `{}` in place of the label; `a photo of a {}.` by default.
    #[serde(default)]
    hypothesis_template: Option<String>,
    /// Whether to explain the best labels by their pairs.
    #[serde(default)]
    explanation: Option<bool>,
}

/// A label with its score.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LabelScore {
    /// The label.
    label: String,
    /// The softmax over all labels.
    score: f32,
    /// The explanation, if requested, for the best ten labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ReasonsOut>,
}

/// Zero-shot classification with the first anchor set, compatible with Hugging Face.
#[utoipa::path(
    post,
    path = "/",
    tag = "answers",
    operation_id = "zero_shot",
    request_body = ZeroShotRequest,
    responses(
        (status = 200, description = "All labels, best first", body = Vec<LabelScore>),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn first(
    State(app): State<AppState>,
    JsonBody(body): JsonBody<ZeroShotRequest>,
) -> Result<Json<Vec<LabelScore>>, Refusal> {
    zero_shot(&app, None, body).await
}

/// Zero-shot classification with a named anchor set, compatible with Hugging Face.
#[utoipa::path(
    post,
    path = "/models/{name}",
    tag = "answers",
    operation_id = "zero_shot_named",
    params(("name" = String, Path, description = "The name of an anchor set")),
    request_body = ZeroShotRequest,
    responses(
        (status = 200, description = "All labels, best first", body = Vec<LabelScore>),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn named(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    JsonBody(body): JsonBody<ZeroShotRequest>,
) -> Result<Json<Vec<LabelScore>>, Refusal> {
    zero_shot(&app, Some(&name), body).await
}

async fn zero_shot(
    app: &AppState,
    name: Option<&str>,
    body: ZeroShotRequest,
) -> Result<Json<Vec<LabelScore>>, Refusal> {
    let set = app.set(name)?;
    let ZeroShotRequest {
        inputs, parameters, ..
    } = body;
    let templates = match &parameters.hypothesis_template {
        Some(template) => PromptTemplates::parse([template])?,
        None => PromptTemplates::default(),
    };
    let labels = &parameters.candidate_labels;
    let question = ClassifyQuery {
        on: GenerationSelector::default(),
        inputs: ImageInputs::Pictures(vec![RequestPicture::Text(inputs)]),
        words: LabelHeadSpec::new(labels, templates, PromptAggregation::Mean, app.limits())?,
        top: usize::MAX,
        why: match parameters.explanation {
            Some(true) => EXPLAINED,
            _ => ExplainedLabels::No,
        },
    };
    let mut answers = answer::classify(app, set, question).await?;
    let answer = match answers.results.pop() {
        Some(Ok(answer)) => answer,
        Some(Err(rejected)) => return Err(Refusal::invalid("unusable_input", rejected.reason)),
        None => return Err(Refusal::internal("no answer for the image")),
    };
    let mut reasons = answer.reasons.into_iter();
    let scores = answer.predictions.into_iter().map(|prediction| {
        let why = reasons.next();
        LabelScore {
            label: prediction.label,
            score: prediction.score,
            explanation: why.map(|r| ReasonsOut::of(set.name(), &answers.served, r)),
        }
    });
    Ok(Json(scores.collect()))
}
