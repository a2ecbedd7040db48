//! Anchor sets, their anchors and pictures, their generations, and the map.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map as Object, Value};
use utoipa::ToSchema;

use super::body::{GenerationQuery, PathParams};
use super::reasons::image_url;
use super::shared::ErrorBody;
use crate::answer::{GenerationSelector, served};
use crate::error::Refusal;
use crate::map::AnchorMap;
use crate::map::thumbs::{PictureFile, Thumbnail};
use crate::middleware::paths::without_paths;
use crate::sets::generation::ServedGeneration;
use crate::sets::set::ServedSet;
use crate::state::AppState;
use asif::anchors::AnchorId;
use asif::anchors::stored::change_record::ChangeRecord;
use asif::anchors::stored::history;
use asif::anchors::stored::witness;
use asif::modality::Modality;

/// The live generation of an anchor set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetOut {
    /// The name of the anchor set in requests.
    name: String,
    /// The live generation.
    generation: u64,
    /// The number of anchor pairs.
    anchors: usize,
    /// How images are compared with texts.
    space: String,
    /// The encoders.
    encoders: EncodersOut,
    /// The sources of the pairs, the most frequent first.
    sources: Vec<SourceOut>,
    /// The licences of the pairs, the most frequent first.
    licences: Vec<SourceOut>,
    /// The time at which the generation went live here, RFC 3339.
    since: String,
    /// Generations that went live since the start of the server.
    swaps: u64,
    /// Why the newest generation is not live, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
}

/// The names and vector lengths of encoders.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EncodersOut {
    /// The image encoder.
    image: EncoderOut,
    /// The text encoder.
    text: EncoderOut,
}

/// An encoder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EncoderOut {
    /// Its name.
    name: String,
    /// The dimension of its vectors.
    dim: usize,
    /// A hash of everything that influences its vectors.
    fingerprint: String,
}

/// A source or licence with the number of its pairs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SourceOut {
    /// Its name in the metadata of the pairs.
    name: String,
    /// The number of pairs.
    count: u64,
}

/// The served anchor sets.
#[utoipa::path(
    get,
    path = "/v1/sets",
    tag = "sets",
    operation_id = "sets",
    responses(
        (status = 200, description = "The live generations", body = Vec<SetOut>),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn sets(State(app): State<AppState>) -> Json<Vec<SetOut>> {
    Json(app.sets().iter().map(|set| set_out(&app, set)).collect())
}

fn set_out(app: &AppState, set: &ServedSet) -> SetOut {
    let served = set.served();
    let status = set.status();
    let encoder = |modality| {
        let identity = &served.set().encoder(modality).identity;
        EncoderOut {
            name: identity.name.clone(),
            dim: identity.dim,
            fingerprint: identity.fingerprint.clone(),
        }
    };
    SetOut {
        name: set.name().to_owned(),
        generation: served.generation(),
        anchors: served.set().len(),
        space: served.searcher().recipe().in_use(served.set().len()),
        encoders: EncodersOut {
            image: encoder(Modality::Image),
            text: encoder(Modality::Text),
        },
        sources: by_count(&served.set().manifest().sources),
        licences: by_count(&served.set().manifest().licences),
        since: status.since,
        swaps: status.swaps,
        degraded: status.degraded.map(|d| app.told(&d.reason)),
    }
}

fn by_count(tally: &BTreeMap<String, u64>) -> Vec<SourceOut> {
    let entry = |(name, &count): (&String, &u64)| SourceOut {
        name: name.clone(),
        count,
    };
    let mut all: Vec<SourceOut> = tally.iter().map(entry).collect();
    all.sort_by_key(|source| std::cmp::Reverse(source.count));
    all
}

/// The anchors on a plane.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MapOut {
    /// The generation.
    generation: u64,
    /// For each anchor, in order: x and y in 0..=4095, and the index of its source in `sources`.
    points: Vec<[u16; 3]>,
    /// The sources that the points refer to.
    sources: Vec<String>,
    /// The share of the variance that the plane explains.
    explained: f64,
}

/// The map: the images of the anchors, projected onto their first two principal components.
#[utoipa::path(
    get,
    path = "/v1/sets/{name}/map",
    tag = "sets",
    operation_id = "map",
    params(
        ("name" = String, Path, description = "The name of an anchor set"),
        ("generation" = Option<u64>, Query, description = "A kept generation; the live one by default"),
    ),
    responses(
        (status = 200, description = "The map", body = MapOut),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn map(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    GenerationQuery(of): GenerationQuery,
) -> Result<Json<MapOut>, Refusal> {
    let served = generation(&app, app.set(Some(&name))?, of).await?;
    let base = Arc::clone(&served);
    let make = || {
        app.compute()
            .run_long(move || Ok(AnchorMap::of(base.set())?))
    };
    let (map, _) = served.map.get(&(), 1, make).await?;
    Ok(Json(MapOut {
        generation: served.generation(),
        points: map.points.clone(),
        sources: map.sources.clone(),
        explained: map.explained,
    }))
}

/// An anchor pair with its metadata.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnchorOut {
    /// The generation.
    generation: u64,
    /// Its number in the generation.
    anchor: AnchorId,
    /// The pair's id.
    id: String,
    /// Its texts.
    captions: Vec<String>,
    /// Further metadata.
    #[schema(value_type = Object)]
    meta: Object<String, Value>,
    /// The URL of its picture.
    image: String,
}

/// An anchor pair.
#[utoipa::path(
    get,
    path = "/v1/sets/{name}/anchors/{anchor}",
    tag = "sets",
    operation_id = "anchor",
    params(
        ("name" = String, Path, description = "The name of an anchor set"),
        ("anchor" = u32, Path, description = "The number of an anchor"),
        ("generation" = Option<u64>, Query, description = "A kept generation; the live one by default"),
    ),
    responses(
        (status = 200, description = "The pair", body = AnchorOut),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn anchor(
    State(app): State<AppState>,
    PathParams((name, anchor)): PathParams<(String, String)>,
    GenerationQuery(of): GenerationQuery,
) -> Result<Json<AnchorOut>, Refusal> {
    let set = app.set(Some(&name))?;
    let served = generation(&app, set, of).await?;
    let anchor = number(&served, &anchor)?;
    let record = served.set().record(anchor)?;
    Ok(Json(AnchorOut {
        generation: served.generation(),
        image: image_url(set.name(), anchor, served.generation()),
        anchor,
        meta: record.metadata(),
        id: record.id,
        captions: record.captions,
    }))
}

/// The picture of an anchor pair, at most 256 pixels on each side.
///
/// Its `etag` changes when the file is replaced; a client that sends it as `if-none-match` gets 304 while it
/// is unchanged.
#[utoipa::path(
    get,
    path = "/v1/sets/{name}/anchors/{anchor}/image",
    tag = "sets",
    operation_id = "anchor_image",
    params(
        ("name" = String, Path, description = "The name of an anchor set"),
        ("anchor" = u32, Path, description = "The number of an anchor"),
        ("generation" = Option<u64>, Query, description = "A kept generation; the live one by default"),
    ),
    responses(
        (status = 200, description = "The picture", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
        (status = 304, description = "Unchanged since the `etag` in `if-none-match`"),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn picture(
    State(app): State<AppState>,
    PathParams((name, anchor)): PathParams<(String, String)>,
    GenerationQuery(of): GenerationQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let set = app.set(Some(&name))?;
    let served = generation(&app, set, of).await?;
    let anchor = number(&served, &anchor)?;
    // Cached but always revalidated: the file may be replaced, even within a generation.
    let cached = |tag: &str| {
        [
            (ETAG, tag.to_owned()),
            (CACHE_CONTROL, "private, no-cache".into()),
        ]
    };
    if let Some(stored) = served.set().thumbnail(anchor)? {
        let (thumbnail, tag) = Thumbnail::stored(stored)?;
        if is_named(&headers, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, cached(&tag)).into_response());
        }
        let kind = [(CONTENT_TYPE, thumbnail.mime)];
        return Ok((kind, cached(&tag), thumbnail.bytes).into_response());
    }
    // The place comes from the anchor set; no part of a request is ever part of a path.
    let image = served.set().image(anchor)?;
    let image =
        image.ok_or_else(|| Refusal::not_found("no_picture", "this pair has no picture"))?;
    let of = image.clone();
    let source = tokio::task::spawn_blocking(move || PictureFile::of(&of)).await;
    let source =
        source.map_err(|_| Refusal::internal("reading the file's metadata panicked"))??;
    let tag = source.tag();
    let cached = cached(&tag);
    if is_named(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    let thumbnail = match set.thumbnails.get(&source) {
        Some(thumbnail) => thumbnail,
        None => {
            let made = app
                .compute()
                .run_long(move || Thumbnail::of(&image))
                .await?;
            set.thumbnails.put(source, made.clone(), made.bytes.len());
            made
        }
    };
    let kind = [(CONTENT_TYPE, thumbnail.mime)];
    Ok((kind, cached, thumbnail.bytes).into_response())
}

/// Whether `if-none-match` names this tag, or any.
fn is_named(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','));
    // Proxies that re-encode a response mark its tag as weak.
    tags.any(|named| matches!(named.trim(), "*") || named.trim().trim_start_matches("W/") == tag)
}

/// A change of an anchor set, and the generation that it published.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GenerationOut {
    /// The record of the change.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    change: ChangeRecord,
    /// Whether the generation is kept, so that requests and swaps can name it.
    kept: bool,
    /// Whether the generation is live here.
    live: bool,
}

/// The changes of an anchor set, oldest first.
#[utoipa::path(
    get,
    path = "/v1/sets/{name}/generations",
    tag = "sets",
    operation_id = "generations",
    params(("name" = String, Path, description = "The name of an anchor set")),
    responses(
        (status = 200, description = "The history", body = Vec<GenerationOut>),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn generations(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
) -> Result<Json<Vec<GenerationOut>>, Refusal> {
    let set = app.set(Some(&name))?;
    let (path, live) = (set.path().to_owned(), set.status().generation);
    let read = move || {
        // Only shown: a damaged anchor set is reported by /health.
        let (kept, _) = witness::kept_or_published(&path)?;
        let out = |change: ChangeRecord| GenerationOut {
            kept: kept.contains(&change.generation),
            live: change.generation == live,
            change: without_folders(change),
        };
        Ok(history::readable(&path)?.into_iter().map(out).collect())
    };
    // This route has no admission layer, so the time limit is enforced here.
    let time = app.limits().time;
    match tokio::time::timeout(time, app.compute().run_long(read)).await {
        Ok(read) => Ok(Json(read?)),
        Err(_) => Err(Refusal::timeout(time.as_secs())),
    }
}

/// A change without the folders of its sources, which clients must not see.
fn without_folders(change: ChangeRecord) -> ChangeRecord {
    let told = without_paths(&change.detail);
    // The sources as they were given, which may be relative paths; other details hold what clients sent.
    let detail = match change.command.as_str() {
        "build" | "anchors add" => {
            let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
            told.split(", ").map(name).collect::<Vec<_>>().join(", ")
        }
        _ => told,
    };
    ChangeRecord {
        detail,
        source_set: change.source_set.as_deref().map(without_paths),
        ..change
    }
}

/// A generation, the live one by default.
async fn generation(
    app: &AppState,
    set: &ServedSet,
    generation: Option<u64>,
) -> Result<Arc<ServedGeneration>, Refusal> {
    let on = GenerationSelector {
        generation,
        without: None,
    };
    served(app, set, on).await
}

/// The number of an existing anchor.
fn number(served: &ServedGeneration, text: &str) -> Result<AnchorId, Refusal> {
    let n = served.set().len();
    let number: Option<AnchorId> = text.parse().ok();
    number.filter(|&a| (a as usize) < n).ok_or_else(|| {
        let message = format!(
            "no such anchor; anchors are numbered 0 to {}",
            n.saturating_sub(1)
        );
        Refusal::not_found("no_such_anchor", message)
    })
}
