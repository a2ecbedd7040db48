//! The explanation of one label of one image by its pairs.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{JsonBody, within};
use super::reasons::ReasonsOut;
use super::shared::{AggregateIn, ErrorBody, ExclusionIn, LabelPrediction, TemplatesIn, on};
use crate::answer::{self, ClassifyQuery, ExplainedLabels, ImageInputs};
use crate::error::Refusal;
use crate::inputs::picture::RequestPicture;
use crate::sets::heads::LabelHeadSpec;
use crate::state::AppState;

/// The default number of pairs for and against the label, each.
const PAIRS: usize = 6;
/// The most pairs for and against the label, each.
const MOST: usize = 200;

/// An image, labels, and the label to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainRequest {
    /// The anchor set; the first one by default.
    #[serde(default)]
    set: Option<String>,
    /// An image file in base64, a `data:` URL, or a URL on a host that the server may fetch from.
    #[serde(default)]
    image: Option<String>,
    /// Instead of an image: its unit vector from the image encoder of the anchor set.
    #[serde(default)]
    vector: Option<Vec<f32>>,
    /// The labels to choose from.
    labels: Vec<String>,
    /// Instead of encoding the labels: the unit vector of each from the text encoder of the anchor set. Templates
    /// and aggregate do not apply, and an empty list of labels numbers them from 0.
    #[serde(default)]
    label_vectors: Vec<Vec<f32>>,
    /// The label to explain; the best one by default.
    #[serde(default)]
    label: Option<String>,
    /// Prompt templates; `a photo of a {}.` by default.
    #[serde(default)]
    templates: Option<TemplatesIn>,
    /// How the prompts of a label are combined into one score; `mean` by default.
    #[serde(default)]
    aggregate: Option<AggregateIn>,
    /// Excluded pairs.
    #[serde(default)]
    without: Option<ExclusionIn>,
    /// A kept generation; the live one by default.
    #[serde(default)]
    generation: Option<u64>,
    /// How many pairs to list for the label, and how many against it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 200)]
    top: Option<usize>,
}

/// The explanation of a label.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExplainResponse {
    /// The anchor set that answered.
    set: String,
    /// The generation that answered.
    generation: u64,
    /// The softmax score of the label.
    score: f32,
    /// The label, its similarity and its pairs.
    #[serde(flatten)]
    reasons: ReasonsOut,
    /// All labels, best first.
    predictions: Vec<LabelPrediction>,
}

/// Explains the score of a label for an image by the anchor pairs that contribute to it.
#[utoipa::path(
    post,
    path = "/v1/explain",
    tag = "answers",
    operation_id = "explain",
    request_body = ExplainRequest,
    responses(
        (status = 200, description = "The label and its pairs", body = ExplainResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn explain(
    State(app): State<AppState>,
    JsonBody(asked): JsonBody<ExplainRequest>,
) -> Result<Json<ExplainResponse>, Refusal> {
    let set = app.set(asked.set.as_deref())?;
    let templates = TemplatesIn::read(asked.templates.as_ref())?;
    let aggregate = asked.aggregate.unwrap_or_default().into();
    let words = match asked.label_vectors.is_empty() {
        true => LabelHeadSpec::new(&asked.labels, templates, aggregate, app.limits())?,
        false => LabelHeadSpec::of_vectors(&asked.labels, asked.label_vectors, app.limits())?,
    };
    let inputs = match (asked.image, asked.vector) {
        (Some(image), None) => ImageInputs::Pictures(vec![RequestPicture::Text(image)]),
        (None, Some(vector)) => ImageInputs::Vectors(vec![vector]),
        (Some(_), Some(_)) => {
            let message = "both an image and a vector are given; give only one of them";
            return Err(Refusal::wrong_fields(message));
        }
        (None, None) => {
            let message = "the field `image` is missing; give an image, or its vector as `vector`";
            return Err(Refusal::wrong_fields(message));
        }
    };
    let pairs = within("top", asked.top.unwrap_or(PAIRS), 1, MOST)?;
    let why = match &asked.label {
        None => ExplainedLabels::Best { labels: 1, pairs },
        Some(label) => {
            let class = words.labels().iter().position(|known| known == label);
            let class = class.ok_or_else(|| {
                Refusal::invalid("no_such_label", "`label` is not one of `labels`")
            })?;
            ExplainedLabels::Label { class, pairs }
        }
    };
    let question = ClassifyQuery {
        on: on(asked.generation, asked.without),
        inputs,
        words,
        top: usize::MAX,
        why,
    };
    let mut answers = answer::classify(&app, set, question).await?;
    let mut answer = match answers.results.pop() {
        Some(Ok(answer)) => answer,
        Some(Err(rejected)) => return Err(Refusal::invalid("unusable_input", rejected.reason)),
        None => return Err(Refusal::internal("no answer for the image")),
    };
    let reasons = answer.reasons.pop();
    let reasons = reasons.ok_or_else(|| Refusal::internal("no explanation for the label"))?;
    let of_label = answer.predictions.iter().find(|p| p.label == reasons.label);
    Ok(Json(ExplainResponse {
        set: set.name().to_owned(),
        generation: answers.served.generation(),
        score: of_label.expect("all labels are ranked").score,
        reasons: ReasonsOut::of(set.name(), &answers.served, reasons),
        predictions: answer
            .predictions
            .into_iter()
            .map(LabelPrediction::from)
            .collect(),
    }))
}
