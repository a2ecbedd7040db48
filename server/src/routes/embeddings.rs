//! The embeddings API of OpenAI, for texts and images; a model is an anchor set.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::JsonBody;
use super::shared::{ErrorBody, check_batch};
use crate::answer::{all, rows};
use crate::error::Refusal;
use crate::inputs::encoders::SharedEncoders;
use crate::inputs::picture::{RequestPicture, is_data_url};
use crate::state::AppState;
use asif::modality::Modality;

/// The most numbers in a response with several relative vectors: each takes four bytes, and about ten as
/// JSON.
const RELATIVE: usize = 16 << 20;

/// Inputs to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmbeddingsRequest {
    /// The anchor set; the first one by default.
    #[serde(default)]
    model: Option<String>,
    /// A text, or an image as a `data:image/...;base64` URL, or a list of these.
    input: OneOrMany,
    /// `float` for lists of numbers, `base64` for the bytes of 32-bit floats.
    #[serde(default)]
    encoding_format: Option<EncodingFormat>,
    /// `absolute` for unit vectors of the encoder, `relative` for relative rows with one number per anchor.
    #[serde(default)]
    space: Option<EmbeddingSpace>,
    /// Accepted only if it is the dimension of the vectors.
    #[serde(default)]
    dimensions: Option<usize>,
    /// Accepted for compatibility with OpenAI, and ignored.
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it")]
    user: Option<String>,
}

/// One input or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// The encoding of vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EncodingFormat {
    /// As a list of numbers.
    #[default]
    Float,
    /// As little-endian 32-bit floats in base64.
    Base64,
}

/// The coordinates of a vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EmbeddingSpace {
    /// Those of the encoder: images and texts cannot be compared.
    #[default]
    Absolute,
    /// Similarities to the anchors: images and texts can be compared.
    Relative,
}

/// Vectors in the order of the inputs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmbeddingsResponse {
    /// `list`.
    object: &'static str,
    /// The vectors.
    data: Vec<EmbeddingObject>,
    /// The anchor set that answered.
    model: String,
    /// The number of tokens.
    usage: TokenUsage,
}

/// A vector.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmbeddingObject {
    /// `embedding`.
    object: &'static str,
    /// The index of its input.
    index: usize,
    /// The vector.
    embedding: EmbeddingVector,
}

/// A vector in the requested encoding.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum EmbeddingVector {
    /// Numbers.
    Numbers(Vec<f32>),
    /// Little-endian 32-bit floats in base64.
    Base64(String),
}

/// The number of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenUsage {
    /// The tokens of all texts; images have none.
    prompt_tokens: usize,
    /// The same number.
    total_tokens: usize,
}

/// Embeddings of texts and images, compatible with OpenAI.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "answers",
    operation_id = "embeddings",
    request_body = EmbeddingsRequest,
    responses(
        (status = 200, description = "The vectors", body = EmbeddingsResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn embed(
    State(app): State<AppState>,
    JsonBody(asked): JsonBody<EmbeddingsRequest>,
) -> Result<Json<EmbeddingsResponse>, Refusal> {
    let set = app.set(asked.model.as_deref())?;
    let inputs = match asked.input {
        OneOrMany::One(input) => vec![input],
        OneOrMany::Many(inputs) => inputs,
    };
    check_batch("inputs", inputs.len(), app.limits())?;
    let (images, texts): (Vec<_>, Vec<_>) = inputs
        .into_iter()
        .enumerate()
        .partition(|(_, input)| is_data_url(input));
    // Taken once: the whole answer is of one generation.
    let (encoders, served) = (set.encoders(), set.served());
    let space = asked.space.unwrap_or_default();
    // Before anything is encoded, since the size follows from the number of inputs.
    if space == EmbeddingSpace::Relative {
        check_relative(images.len() + texts.len(), served.set().len())?;
    }
    let (image_places, images): (Vec<_>, Vec<_>) = images.into_iter().unzip();
    let (text_places, texts): (Vec<usize>, Vec<String>) = texts.into_iter().unzip();
    let pictures = images.into_iter().map(RequestPicture::Text).collect();
    // Images and texts have queues of their own, so they are encoded side by side.
    let (images, vectors) = tokio::try_join!(
        encoders.pictures(pictures, served.set()),
        encoders.texts(&texts, served.set()),
    )?;
    let mut data = Vec::new();
    for (modality, places, vectors) in [
        (Modality::Image, image_places, images),
        (Modality::Text, text_places, vectors),
    ] {
        if places.is_empty() {
            continue;
        }
        for (place, vector) in places.iter().zip(&vectors) {
            if let Err(rejected) = vector {
                // Counted from 1, as people count the inputs that they sent.
                let message = format!("input {}, {modality}: {}", place + 1, rejected.reason);
                return Err(Refusal::invalid("unusable_input", message));
            }
        }
        let flat = all("input", vectors)?;
        let vectors = match space {
            EmbeddingSpace::Relative => rows(&app, served.clone(), modality, flat).await?,
            EmbeddingSpace::Absolute => {
                let rows = flat.chunks_exact(served.set().dim(modality).max(1));
                rows.map(<[f32]>::to_vec).collect()
            }
        };
        data.extend(places.into_iter().zip(vectors));
    }
    let tokens = count_tokens(&app, encoders, texts).await?;
    // Back in the order of the inputs, which were split by kind.
    data.sort_by_key(|(place, _)| *place);
    let encoding = asked.encoding_format.unwrap_or_default();
    let data = data.into_iter().map(|(index, vector)| {
        if asked
            .dimensions
            .is_some_and(|wanted| wanted != vector.len())
        {
            let n = vector.len();
            let message = format!(
                "vectors have {n} dimensions and are not truncated; send {n}, or omit `dimensions`"
            );
            return Err(Refusal::invalid("dimensions", message));
        }
        Ok(EmbeddingObject {
            object: "embedding",
            index,
            embedding: written(vector, encoding),
        })
    });
    Ok(Json(EmbeddingsResponse {
        object: "list",
        data: data.collect::<Result<_, _>>()?,
        model: set.name().to_owned(),
        usage: TokenUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    }))
}

fn written(vector: Vec<f32>, encoding: EncodingFormat) -> EmbeddingVector {
    match encoding {
        EncodingFormat::Float => EmbeddingVector::Numbers(vector),
        EncodingFormat::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
            EmbeddingVector::Base64(STANDARD.encode(bytes))
        }
    }
}

/// Limits the size of a response with relative vectors; a single vector is always answered.
fn check_relative(inputs: usize, anchors: usize) -> Result<(), Refusal> {
    match inputs.saturating_mul(anchors) > RELATIVE && inputs > 1 {
        true => Err(Refusal::too_large(format!(
            "{inputs} relative vectors of {anchors} numbers each, at most {RELATIVE} numbers are \
             returned at once; split them into several requests"
        ))),
        false => Ok(()),
    }
}

/// The number of tokens of encoded texts.
async fn count_tokens(
    app: &AppState,
    encoders: &SharedEncoders,
    texts: Vec<String>,
) -> Result<usize, Refusal> {
    let embedder = std::sync::Arc::clone(encoders.embedder());
    let count = move || {
        // With several encoders, each has its own tokens; those of the first are reported.
        let Some(encoder) = embedder.text().members().first() else {
            return Ok(0);
        };
        let tokens = |text: &String| match encoder.tokenize(text) {
            Ok(tokens) => Ok(tokens.len()),
            Err(error) => Err(Refusal::internal(format!(
                "the tokens of an encoded text cannot be counted: {error}"
            ))),
        };
        texts.iter().map(tokens).sum()
    };
    app.compute().run(count).await
}

/// The anchor sets, listed like the models of OpenAI.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelList {
    /// `list`.
    object: &'static str,
    /// One per anchor set.
    data: Vec<ModelObject>,
}

/// An anchor set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelObject {
    /// Its name.
    id: String,
    /// `model`.
    object: &'static str,
    /// The start time of the server, in seconds of Unix time.
    created: u64,
    /// `asif`.
    owned_by: &'static str,
}

/// The anchor sets, listed like the models of OpenAI.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "sets",
    operation_id = "models",
    responses(
        (status = 200, description = "The anchor sets", body = ModelList),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn models(State(app): State<AppState>) -> Json<ModelList> {
    let started = app.started().duration_since(std::time::UNIX_EPOCH);
    let created = started.map_or(0, |d| d.as_secs());
    let model = |set: &crate::sets::set::ServedSet| ModelObject {
        id: set.name().to_owned(),
        object: "model",
        created,
        owned_by: "asif",
    };
    Json(ModelList {
        object: "list",
        data: app.sets().iter().map(model).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_do_not_grow_with_inputs_times_anchors() {
        check_relative(64, 200_000).unwrap();
        check_relative(1, usize::MAX).unwrap();
        for (inputs, anchors) in [(64, 1_000_000), (2, usize::MAX)] {
            let refusal = check_relative(inputs, anchors).unwrap_err();
            assert_eq!(refusal.status().as_u16(), 413);
        }
    }
}
