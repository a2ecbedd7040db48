//! The routes: HTTP requests to queries, answers to JSON.
//!
//! | file | role |
//! |---|---|
//! | `zero_shot` | zero-shot-image-classification of Hugging Face |
//! | `embeddings` | embeddings and models of OpenAI |
//! | `classify` | batches of images, as files, JSON or vectors |
//! | `explain` | the explanation of one label |
//! | `similarity` | scores of images with texts |
//! | `templates` | the names of published prompt templates |
//! | `sets` | anchor sets, their anchors, pictures, generations, and the map |
//! | `admin` | changes of an anchor set |
//! | `status` | health, readiness, information, metrics |
//! | `page` | the files of the page |
//! | `shared` | types that several requests and responses share |
//! | `reasons` | an explanation as JSON |
//! | `body`, `schema` | extractors for body, path and query; validation of bodies |

mod admin;
mod body;
mod classify;
mod embeddings;
mod explain;
mod page;
mod reasons;
mod schema;
mod sets;
mod shared;
mod similarity;
mod status;
mod templates;
mod zero_shot;

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state as layer;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Refusal;
use crate::middleware::auth;
use crate::middleware::limits;
use crate::middleware::log;
use crate::state::AppState;

/// Routes that compute, within the limits on requests.
fn work() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(zero_shot::first))
        .routes(routes!(zero_shot::named))
        .routes(routes!(embeddings::embed))
        .routes(routes!(classify::classify))
        .routes(routes!(explain::explain))
        .routes(routes!(similarity::similarity))
        .routes(routes!(sets::map))
        .routes(routes!(sets::anchor))
        .routes(routes!(sets::picture))
}

/// Routes that only report; outside the limits, so that an overloaded server can still be inspected.
fn told() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(embeddings::models))
        .routes(routes!(sets::sets))
        .routes(routes!(templates::templates))
        .routes(routes!(sets::generations))
        .routes(routes!(status::info))
        .routes(routes!(status::metrics))
}

/// Routes that change an anchor set.
fn changes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(admin::add))
        .routes(routes!(admin::remove))
        .routes(routes!(admin::swap))
        .routes(routes!(admin::rollback))
}

/// Routes without a key.
fn open() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(page::index))
        .routes(routes!(page::file))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
}

/// All routes, each group with its layers.
pub(super) fn router(app: &AppState) -> Router {
    schema::know_bodies(&document());
    let work = Router::from(work())
        .layer(layer(app.room().clone(), limits::admit))
        .merge(told())
        .layer(layer(app.gate().clone(), auth::public));
    let admin = Router::from(changes())
        .layer(layer(app.room().clone(), limits::admit_change))
        .layer(layer(app.gate().clone(), auth::admin));
    let open = Router::from(open()).route("/openapi.json", get(openapi));
    work.merge(admin)
        .merge(open)
        .fallback(|| async {
            Refusal::not_found(
                "no_route",
                "no route at this path; /openapi.json lists all routes",
            )
        })
        .method_not_allowed_fallback(|| async { Refusal::method() })
        // `limits` enforces its own limit, and one for all bodies together.
        .layer(DefaultBodyLimit::disable())
        .layer(layer(app.clone(), log::track))
        .with_state(app.clone())
}

/// The routes of the probe port: health, readiness and metrics, without a key and without limits.
pub(super) fn probes(app: &AppState) -> Router {
    let told = OpenApiRouter::new()
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::metrics));
    Router::from(told)
        .fallback(|| async {
            let message = "this port has /health, /ready and /metrics only";
            Refusal::not_found("no_route", message)
        })
        .method_not_allowed_fallback(|| async { Refusal::method() })
        .layer(layer(app.clone(), log::track))
        .with_state(app.clone())
}

/// The OpenAPI document, apart from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "asif",
        description = "Zero-shot classification, embeddings and explanations in a space made of image-text pairs, without training.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&ApiKeySchemes),
)]
struct ApiDocument;

struct ApiKeySchemes;

impl Modify for ApiKeySchemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer =
            || SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = document.components.get_or_insert_default();
        for key in ["api_key", "admin_key"] {
            components.add_security_scheme(key, bearer());
        }
    }
}

/// The OpenAPI document.
pub(super) fn document() -> String {
    OpenApiRouter::with_openapi(ApiDocument::openapi())
        .merge(work())
        .merge(told())
        .merge(changes())
        .merge(open())
        .into_openapi()
        .to_pretty_json()
        .expect("a derived document can be serialized")
}

async fn openapi() -> impl IntoResponse {
    // Cached, because the route is public and generating the document takes milliseconds.
    static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| document().into());
    ([(CONTENT_TYPE, "application/json")], WRITTEN.clone())
}
