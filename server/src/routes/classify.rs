//! Classification of images in batches: as files, as JSON, or as precomputed vectors.

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{JsonBody, parse_as, whole_number, within};
use super::reasons::ReasonsOut;
use super::shared::{
    AggregateIn, ErrorBody, ExclusionIn, LabelPrediction, TemplatesIn, check_batch, on, pictures,
};
use crate::answer::{self, ClassifyQuery, ExplainedLabels, ImageInputs};
use crate::error::Refusal;
use crate::inputs::picture::RequestPicture;
use crate::sets::heads::LabelHeadSpec;
use crate::state::AppState;

/// The default number of labels per image.
const TOP: usize = 5;
/// The pairs for and against a label in an explanation, each.
const PAIRS: usize = 6;

/// Images or vectors, and the labels to choose from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassifyRequest {
    /// The anchor set; the first one by default.
    #[serde(default)]
    pub set: Option<String>,
    /// Image files in base64, `data:` URLs, or URLs on hosts that the server may fetch from.
    #[serde(default)]
    images: Vec<String>,
    /// Instead of images: their unit vectors from the image encoder of the anchor set.
    #[serde(default)]
    vectors: Vec<Vec<f32>>,
    /// The labels; alternative names of a label are separated by `|`.
    labels: Vec<String>,
    /// Instead of encoding the labels: the unit vector of each from the text encoder of the anchor set. Templates
    /// and aggregate do not apply, and an empty list of labels numbers them from 0.
    #[serde(default)]
    label_vectors: Vec<Vec<f32>>,
    /// Prompt templates; `a photo of a {}.` by default.
    #[serde(default)]
    templates: Option<TemplatesIn>,
    /// How the prompts of a label are combined into one score; `mean` by default.
    #[serde(default)]
    aggregate: Option<AggregateIn>,
    /// The most labels per image; 5 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    top: Option<usize>,
    /// Whether to explain the best label by its pairs.
    #[serde(default)]
    explain: Option<bool>,
    /// Excluded pairs.
    #[serde(default)]
    without: Option<ExclusionIn>,
    /// A kept generation; the live one by default.
    #[serde(default)]
    generation: Option<u64>,
}

/// The same request as a form: `image` files, and the fields of the JSON form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes a form")]
pub(super) struct ClassifyForm {
    /// An image file; may be given several times.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    image: Vec<String>,
    /// A label; may be given several times, or once as a JSON list.
    labels: Vec<String>,
    /// A prompt template; may be given several times, or once as a published name or a JSON list.
    templates: Option<Vec<String>>,
    /// The anchor set; the first one by default.
    set: Option<String>,
    /// The most labels per image.
    top: Option<usize>,
    /// Whether to explain the best label by its pairs.
    explain: Option<bool>,
    /// How the prompts of a label are combined into one score.
    aggregate: Option<AggregateIn>,
    /// Excluded pairs, as JSON or as a filter such as `source=shop`.
    without: Option<ExclusionIn>,
    /// A kept generation; the live one by default.
    generation: Option<u64>,
}

/// One result per image or vector, in order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassifyResponse {
    /// The anchor set that answered.
    set: String,
    /// The generation that all results come from.
    generation: u64,
    /// One per image.
    results: Vec<ImageResult>,
    /// Notes on labels that may be meant otherwise, such as names that all begin with a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// The labels of an image, or why there are none.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct ImageResult {
    /// The labels, best first.
    predictions: Vec<LabelPrediction>,
    /// The explanation of the best label, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanations: Option<Vec<ReasonsOut>>,
    /// Why this image could not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Zero-shot classification of a batch.
#[utoipa::path(
    post,
    path = "/v1/classify",
    tag = "answers",
    operation_id = "classify",
    request_body(content(
        (ClassifyRequest = "application/json"),
        (ClassifyForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "One result per image", body = ClassifyResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn classify(
    State(app): State<AppState>,
    ClassifyPayload(asked, files): ClassifyPayload,
) -> Result<Json<ClassifyResponse>, Refusal> {
    let set = app.set(asked.set.as_deref())?;
    let inputs = match (
        asked.vectors.is_empty(),
        files.is_empty() && asked.images.is_empty(),
    ) {
        (true, _) => {
            let mut all: Vec<RequestPicture> =
                files.into_iter().map(RequestPicture::Bytes).collect();
            all.extend(pictures(asked.images));
            check_batch("images", all.len(), app.limits())?;
            ImageInputs::Pictures(all)
        }
        (false, true) => {
            check_batch("vectors", asked.vectors.len(), app.limits())?;
            ImageInputs::Vectors(asked.vectors)
        }
        (false, false) => {
            let message = "both images and vectors are given; give only one of them";
            return Err(Refusal::wrong_fields(message));
        }
    };
    let templates = TemplatesIn::read(asked.templates.as_ref())?;
    let aggregate = asked.aggregate.unwrap_or_default().into();
    let words = match asked.label_vectors.is_empty() {
        true => LabelHeadSpec::new(&asked.labels, templates, aggregate, app.limits())?,
        false => LabelHeadSpec::of_vectors(&asked.labels, asked.label_vectors, app.limits())?,
    };
    let notes = words.notes().to_vec();
    let question = ClassifyQuery {
        on: on(asked.generation, asked.without),
        inputs,
        words,
        top: within("top", asked.top.unwrap_or(TOP), 1, usize::MAX)?,
        why: match asked.explain {
            Some(true) => ExplainedLabels::Best {
                labels: 1,
                pairs: PAIRS,
            },
            _ => ExplainedLabels::No,
        },
    };
    let answers = answer::classify(&app, set, question).await?;
    let served = answers.served;
    let results = answers.results.into_iter().map(|result| match result {
        Ok(answer) => {
            let reasons = answer.reasons.into_iter();
            let reasons = reasons.map(|r| ReasonsOut::of(set.name(), &served, r));
            let reasons: Vec<ReasonsOut> = reasons.collect();
            ImageResult {
                predictions: answer
                    .predictions
                    .into_iter()
                    .map(LabelPrediction::from)
                    .collect(),
                explanations: (!reasons.is_empty()).then_some(reasons),
                error: None,
            }
        }
        Err(rejected) => ImageResult {
            error: Some(rejected.reason),
            ..ImageResult::default()
        },
    });
    Ok(Json(ClassifyResponse {
        results: results.collect(),
        notes,
        set: set.name().to_owned(),
        generation: served.generation(),
    }))
}

/// A request in either form, with the files of a form.
pub(super) struct ClassifyPayload(ClassifyRequest, Vec<Bytes>);

impl<S: Send + Sync> FromRequest<S> for ClassifyPayload {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE);
        let is_form = kind.and_then(|k| k.to_str().ok()).is_some_and(|k| {
            k.trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        });
        if !is_form {
            let JsonBody(asked) = JsonBody::from_request(request, state).await?;
            return Ok(Self(asked, Vec::new()));
        }
        let form = Multipart::from_request(request, state).await;
        let form = form.map_err(|_| {
            let message = "the content type multipart/form-data has no boundary; send it with \
                           `boundary=...`, as HTTP libraries and curl -F do";
            Refusal::invalid("malformed_form", message)
        })?;
        from_form(form).await
    }
}

async fn from_form(mut form: Multipart) -> Result<ClassifyPayload, Refusal> {
    let malformed = |e: axum::extract::multipart::MultipartError| {
        Refusal::invalid(
            "malformed_form",
            format!(
                "the form cannot be read: {}; send multipart/form-data",
                e.body_text()
            ),
        )
    };
    let (mut asked, mut files) = (ClassifyRequest::default(), Vec::new());
    let (mut templates, mut seen) = (Vec::new(), BTreeSet::new());
    let mut labels_are_json = false;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "image" || name == "images" {
            files.push(field.bytes().await.map_err(malformed)?);
            continue;
        }
        let bytes = field.bytes().await.map_err(malformed)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            let message =
                format!("`{name}`: expected text in UTF-8, found other bytes; send it in UTF-8");
            return Err(Refusal::wrong_fields(message));
        };
        let text = text.to_owned();
        let is_list = matches!(name.as_str(), "labels" | "templates");
        if !is_list && !seen.insert(name.clone()) {
            return Err(Refusal::wrong_fields(format!(
                "`{name}` is given twice; give it once"
            )));
        }
        match name.as_str() {
            "labels" => {
                labels_are_json |= is_json_list(&text);
                extend(&mut asked.labels, "labels", text)?;
            }
            "templates" => extend(&mut templates, "templates", text)?,
            "set" => asked.set = Some(text),
            "top" => {
                let top = whole_number("top", &text)?;
                asked.top = Some(usize::try_from(top).unwrap_or(usize::MAX));
            }
            "explain" => {
                asked.explain = Some(match text.trim() {
                    "true" => true,
                    "false" => false,
                    other => return Err(wrong_field("explain", "true or false", other)),
                });
            }
            "generation" => asked.generation = Some(whole_number("generation", &text)?),
            "aggregate" => {
                asked.aggregate = Some(match text.trim() {
                    "mean" => AggregateIn::Mean,
                    "max" => AggregateIn::Max,
                    "mean-score" => AggregateIn::MeanScore,
                    other => {
                        let known = "one of mean, max, mean-score";
                        return Err(wrong_field("aggregate", known, other));
                    }
                });
            }
            "without" => {
                asked.without = Some(match text.starts_with('{') {
                    true => parse_as("ExclusionIn", text.as_bytes())?,
                    false => ExclusionIn::Where(text),
                });
            }
            other => {
                let message = format!(
                    "the form has an unknown field {other:?}; known are image, labels, templates, set, \
                     top, explain, aggregate, without and generation"
                );
                return Err(Refusal::wrong_fields(message));
            }
        }
    }
    // Clients that send a form by hand write `labels=cat,dog`, as on a command line: one label would
    // silently fit every image.
    if let ([only], false) = (asked.labels.as_slice(), labels_are_json)
        && only.contains(',')
    {
        let shown: String = only.chars().take(60).collect();
        return Err(Refusal::wrong_fields(format!(
            "`labels`: {shown:?} is one label with a comma in it; send each label as a field of its own, or all as \
             a JSON list such as [\"cat\",\"dog\"]"
        )));
    }
    asked.templates = match templates.len() {
        0 => None,
        1 if !templates[0].contains('{') => templates.pop().map(TemplatesIn::Name),
        _ => Some(TemplatesIn::List(templates)),
    };
    Ok(ClassifyPayload(asked, files))
}

/// Whether a field is meant as a JSON list.
fn is_json_list(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

/// Adds the entries of a field that is a JSON list; any other field is one entry.
fn extend(list: &mut Vec<String>, field: &str, text: String) -> Result<(), Refusal> {
    match is_json_list(&text) {
        true => match serde_json::from_str::<Vec<String>>(&text) {
            Ok(entries) => list.extend(entries),
            Err(_) => return Err(wrong_field(field, "a text, or a JSON list of texts", &text)),
        },
        false => list.push(text),
    }
    Ok(())
}

fn wrong_field(field: &str, expected: &str, found: &str) -> Refusal {
    let shown: String = found.chars().take(60).collect();
    let message = format!("`{field}`: expected {expected}, found {shown:?}");
    Refusal::wrong_fields(message)
}
