//! Images against texts.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::parts::{ErrorBody, WithoutIn, check_batch, on, pictures};
use crate::answer;
use crate::error::Refusal;
use crate::state::App;

/// Images and texts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Similarity {
    /// The set; the first one if none is named.
    #[serde(default)]
    set: Option<String>,
    /// Image files in base64, `data:` URLs, or URLs of hosts that the server may fetch from.
    images: Vec<String>,
    /// Texts, compared as they are.
    texts: Vec<String>,
    /// Excluded pairs.
    #[serde(default)]
    without: Option<WithoutIn>,
    /// A kept generation; the live one if none is named.
    #[serde(default)]
    generation: Option<u64>,
}

/// A score for each image and text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Similarities {
    /// The set that answered.
    set: String,
    /// The generation that every score is of.
    generation: u64,
    /// A row an image, in it a score a text: higher fits better.
    similarities: Vec<Vec<f32>>,
}

/// How well images and texts fit each other.
#[utoipa::path(
    post,
    path = "/v1/similarity",
    tag = "answers",
    operation_id = "similarity",
    request_body = Similarity,
    responses(
        (status = 200, description = "The scores", body = Similarities),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn similarity(
    State(app): State<App>,
    Body(asked): Body<Similarity>,
) -> Result<Json<Similarities>, Refusal> {
    let set = app.set(asked.set.as_deref())?;
    check_batch("images", asked.images.len(), app.limits())?;
    check_batch("texts", asked.texts.len(), app.limits())?;
    let on = on(asked.generation, asked.without);
    let pictures = pictures(asked.images);
    let (ground, similarities) = answer::similarities(&app, set, on, pictures, asked.texts).await?;
    Ok(Json(Similarities {
        set: set.name().to_owned(),
        generation: ground.generation(),
        similarities,
    }))
}
