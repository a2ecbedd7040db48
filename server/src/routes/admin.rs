//! Changes of an anchor set, with the library functions that the command line uses too.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{JsonBody, PathParams, within};
use super::shared::ErrorBody;
use crate::error::Refusal;
use crate::sets::set::ServedSet;
use crate::sets::uploads::{NewPair, UploadedPairs};
use crate::state::AppState;
use asif::anchors::change::add::{AddOptions, add_from as add_pairs};
use asif::anchors::change::remove::{PairSelection, remove as remove_pairs};
use asif::anchors::change::swap::{SwapTarget, swap as swap_content};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::{AnchorSet, AnchorsError, ChangeReceipt, WriteOptions};
use asif::embed::WorkControl;
use asif::filter::PairFilter;
use asif::modality::PerModality;
use asif::progress::{CancelToken, NoProgress};

/// Options of a change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// Report what would be done, and change nothing.
    dry_run: bool,
    /// How many generations are kept for rollback, including the new one; 5 by default.
    #[schema(minimum = 1)]
    keep: Option<usize>,
}

fn write_options(dry_run: bool, keep: Option<usize>) -> Result<WriteOptions, Refusal> {
    let keep = keep.unwrap_or(WriteOptions::default().keep);
    Ok(WriteOptions {
        dry_run,
        keep: within("keep", keep, 1, usize::MAX)?,
    })
}

/// Pairs to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddRequest {
    /// The pairs.
    #[schema(value_type = Vec<NewPair>)]
    pairs: Vec<NewPair>,
    /// Report what would be done, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// How many generations are kept for rollback, including the new one; 5 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    keep: Option<usize>,
}

/// The pairs to remove: either `where` or `ids`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveRequest {
    /// Every pair with these values in its metadata, such as `source=shop`.
    #[serde(default)]
    r#where: Option<String>,
    /// The pairs with these ids.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<HashSet<String>>,
    /// Whether ids that no live pair has are ignored.
    #[serde(default)]
    missing_ok: bool,
    /// Report what would be done, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// How many generations are kept for rollback, including the new one; 5 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    keep: Option<usize>,
}

/// The content to make live: either `to` or `from`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SwapRequest {
    /// The content of this kept generation.
    #[serde(default)]
    to: Option<u64>,
    /// The live content of this other served anchor set.
    #[serde(default)]
    from: Option<String>,
    /// Report what would be done, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// How many generations are kept for rollback, including the new one; 5 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    keep: Option<usize>,
}

/// The result of a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeResponse {
    /// The live generation after the change.
    live: u64,
    /// Why the new generation is not live, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    /// The receipt, as the command line prints it.
    receipt: Value,
}

/// Adds pairs to an anchor set; their pictures are stored in the upload folder of the server.
#[utoipa::path(
    post,
    path = "/admin/sets/{name}/add",
    tag = "admin",
    operation_id = "add",
    params(("name" = String, Path, description = "The name of an anchor set")),
    request_body = AddRequest,
    responses(
        (status = 200, description = "The receipt", body = ChangeResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security(("admin_key" = [])),
)]
pub(super) async fn add(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    JsonBody(asked): JsonBody<AddRequest>,
) -> Result<Json<ChangeResponse>, Refusal> {
    let set = app.set(Some(&name))?;
    let Some(folder) = &app.options().uploads else {
        return Err(Refusal::forbidden(
            "pairs cannot be added over HTTP: this server has no upload folder for their pictures \
             (its operator can configure one)",
        ));
    };
    let folder = folder.join(set.name());
    let embedder = Arc::clone(set.encoders().embedder());
    let cancel = CancelOnDrop::default();
    let (write, handle) = (write_options(asked.dry_run, asked.keep)?, cancel.0.clone());
    change(&app, set, move |path| {
        let mut uploads = UploadedPairs::write(&folder, asked.pairs)?;
        let options = AddOptions {
            set: path.clone(),
            pairs: vec![uploads.name().to_owned()],
            selection: Default::default(),
            reading: asif::pairs::PairOptions::default(),
            strict: false,
            thumbnails: true,
            graphs: GraphPolicy::Auto,
            accept_encoder: false,
        };
        let watch = WorkControl {
            progress: &NoProgress,
            cancel: &handle,
        };
        let encoders = |live: &AnchorSet| {
            let sides = PerModality::of(|modality| &live.encoder(modality).identity);
            // If the weights do not match, the change itself refuses the encoders.
            let weighed = embedder.weighed_as(sides).map(Arc::new);
            Ok::<_, AnchorsError>(weighed.unwrap_or(embedder))
        };
        let report = add_pairs(&options, &write, uploads.pairs(), encoders, watch)?;
        if !report.receipt.dry_run {
            uploads.keep(&path, report.skipped > 0);
        }
        Ok(serde_json::json!(report))
    })
    .await
}

/// Cancels the work when its request is cancelled; nothing is written in that case.
#[derive(Default)]
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// Removes pairs from an anchor set; they have no influence from the new generation on.
#[utoipa::path(
    post,
    path = "/admin/sets/{name}/remove",
    tag = "admin",
    operation_id = "remove",
    params(("name" = String, Path, description = "The name of an anchor set")),
    request_body = RemoveRequest,
    responses(
        (status = 200, description = "The receipt", body = ChangeResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security(("admin_key" = [])),
)]
pub(super) async fn remove(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    JsonBody(asked): JsonBody<RemoveRequest>,
) -> Result<Json<ChangeResponse>, Refusal> {
    let set = app.set(Some(&name))?;
    let write = write_options(asked.dry_run, asked.keep)?;
    let selection = match (asked.r#where, asked.ids) {
        (Some(filter), None) => {
            PairSelection::Where(PairFilter::parse(&filter).map_err(AnchorsError::from)?)
        }
        (None, Some(ids)) if ids.is_empty() => {
            let message = "`ids` names no pair; give at least one";
            return Err(Refusal::invalid("empty", message));
        }
        (None, Some(ids)) => PairSelection::Ids {
            ids,
            missing_ok: asked.missing_ok,
        },
        _ => {
            let message = "give either `where` or `ids`";
            return Err(Refusal::wrong_fields(message));
        }
    };
    change(&app, set, move |path| {
        receipt(remove_pairs(&path, &selection, &write)?)
    })
    .await
}

/// Makes a kept generation, or the content of another served anchor set, live.
#[utoipa::path(
    post,
    path = "/admin/sets/{name}/swap",
    tag = "admin",
    operation_id = "swap",
    params(("name" = String, Path, description = "The name of an anchor set")),
    request_body = SwapRequest,
    responses(
        (status = 200, description = "The receipt", body = ChangeResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security(("admin_key" = [])),
)]
pub(super) async fn swap(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    JsonBody(asked): JsonBody<SwapRequest>,
) -> Result<Json<ChangeResponse>, Refusal> {
    let set = app.set(Some(&name))?;
    let write = write_options(asked.dry_run, asked.keep)?;
    /// What is to be live, owned by the work that another thread does.
    enum Wanted {
        Set(PathBuf),
        Generation(u64),
    }
    // Only names of served anchor sets, never paths: the operator decides what is served.
    let wanted = match (asked.to, &asked.from) {
        (Some(to), None) => Wanted::Generation(to),
        (None, Some(from)) if *from != name => Wanted::Set(app.set(Some(from))?.path().to_owned()),
        _ => {
            let message = "give either `to`, a generation, or `from`, another served anchor set";
            return Err(Refusal::wrong_fields(message));
        }
    };
    change(&app, set, move |path| {
        let target = match &wanted {
            Wanted::Set(other) => SwapTarget::Set(other),
            Wanted::Generation(to) => SwapTarget::Generation(*to),
        };
        receipt(swap_content(&path, target, &write)?)
    })
    .await
}

/// Undoes the last change of an anchor set.
#[utoipa::path(
    post,
    path = "/admin/sets/{name}/rollback",
    tag = "admin",
    operation_id = "rollback",
    params(("name" = String, Path, description = "The name of an anchor set")),
    request_body = RollbackRequest,
    responses(
        (status = 200, description = "The receipt", body = ChangeResponse),
        (status = "4XX", description = "Refused", body = ErrorBody),
        (status = "5XX", description = "Failed", body = ErrorBody),
    ),
    security(("admin_key" = [])),
)]
pub(super) async fn rollback(
    State(app): State<AppState>,
    PathParams(name): PathParams<String>,
    JsonBody(asked): JsonBody<RollbackRequest>,
) -> Result<Json<ChangeResponse>, Refusal> {
    let set = app.set(Some(&name))?;
    let write = write_options(asked.dry_run, asked.keep)?;
    let work = move |path: PathBuf| receipt(swap_content(&path, SwapTarget::Previous, &write)?);
    change(&app, set, work).await
}

fn receipt(receipt: ChangeReceipt) -> Result<Value, Refusal> {
    Ok(serde_json::json!(receipt))
}

/// Runs a change on a blocking thread, after other changes of the anchor set, and makes the published
/// generation live at once.
async fn change(
    app: &AppState,
    set: &ServedSet,
    work: impl FnOnce(PathBuf) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Json<ChangeResponse>, Refusal> {
    let path = set.path().to_owned();
    let turn = set.turn().await;
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work ends, even if the request was cancelled.
        let _turn = turn;
        work(path)
    });
    let done = done.await;
    let receipt = done.map_err(|_| Refusal::internal("the thread of the change panicked"))??;
    // Verifying the generation blocks this thread; other requests are still answered.
    let refreshed = tokio::task::block_in_place(|| set.refresh());
    Ok(Json(ChangeResponse {
        live: set.status().generation,
        degraded: refreshed.err().map(|error| app.told(&error.to_string())),
        receipt: app.told_json(receipt),
    }))
}
