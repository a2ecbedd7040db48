//! Scores of images with texts.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::JsonBody;
use super::shared::{ErrorBody, ExclusionIn, check_batch, on, pictures};
use crate::answer;
use crate::error::Refusal;
use crate::state::AppState;

/// Images and texts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimilarityRequest {
    /// The anchor set; the first one by default.
    #[serde(default)]
    set: Option<String>,
    /// Image files in base64, `data:` URLs, or URLs on hosts that the server may fetch from.
    images: Vec<String>,
    /// Texts, used without templates.
    texts: Vec<String>,
    /// Excluded pairs.
    #[serde(default)]
    without: Option<ExclusionIn>,
    /// A kept generation; the live one by default.
    #[serde(default)]
    generation: Option<u64>,
}

/// A score for each image and text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SimilarityResponse {
    /// The anchor set that answered.
    set: String,
    /// The generation that all scores come from.
    generation: u64,
    /// One row per image with one score per text; higher is more similar.
    similarities: Vec<Vec<f32>>,
}

/// The similarity of images and texts.
#[utoipa::path(
    post,
    path = "/v1/similarity",
    tag = "answers",
    operation_id = "similarity",
    request_body = SimilarityRequest,
    responses(
        (status = 200, description = "The scores", body = SimilarityResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn similarity(
    State(app): State<AppState>,
    JsonBody(asked): JsonBody<SimilarityRequest>,
) -> Result<Json<SimilarityResponse>, Refusal> {
    let set = app.set(asked.set.as_deref())?;
    check_batch("images", asked.images.len(), app.limits())?;
    check_batch("texts", asked.texts.len(), app.limits())?;
    let on = on(asked.generation, asked.without);
    let pictures = pictures(asked.images);
    let (served, similarities) = answer::similarities(&app, set, on, pictures, asked.texts).await?;
    Ok(Json(SimilarityResponse {
        set: set.name().to_owned(),
        generation: served.generation(),
        similarities,
    }))
}
