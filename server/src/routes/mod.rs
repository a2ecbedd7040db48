//! HTTP to questions, answers to JSON.
//!
//! | file | role |
//! |---|---|
//! | `zero_shot` | Hugging Face's zero-shot-image-classification |
//! | `embeddings` | OpenAI's embeddings and models |
//! | `classify` | images in batches, as files or JSON, or as vectors |
//! | `explain` | one label's pairs |
//! | `similarity` | images against texts |
//! | `templates` | the names of published templates |
//! | `space` | sets, their anchors, pictures, generations, and the map |
//! | `admin` | changes of a set |
//! | `status` | health, readiness, information, figures |
//! | `page` | the page's files |
//! | `parts` | what several requests and answers share |
//! | `reasons` | a score's pairs, as JSON |
//! | `body`, `expected` | parts of a request: body, path, query; what a body should have been |

mod admin;
mod body;
mod classify;
mod embeddings;
mod expected;
mod explain;
mod page;
mod parts;
mod reasons;
mod similarity;
mod space;
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

use super::error::Refusal;
use super::state::App;
use super::{auth, limits, log};

/// What is computed, within the limits on requests.
fn work() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(zero_shot::first))
        .routes(routes!(zero_shot::named))
        .routes(routes!(embeddings::embed))
        .routes(routes!(classify::classify))
        .routes(routes!(explain::explain))
        .routes(routes!(similarity::similarity))
        .routes(routes!(space::map))
        .routes(routes!(space::anchor))
        .routes(routes!(space::picture))
}

/// What is only told: outside the limits, so that a full server can still be looked into.
fn told() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(embeddings::models))
        .routes(routes!(space::sets))
        .routes(routes!(templates::templates))
        .routes(routes!(space::generations))
        .routes(routes!(status::info))
        .routes(routes!(status::metrics))
}

/// What changes a set.
fn changes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(admin::add))
        .routes(routes!(admin::remove))
        .routes(routes!(admin::swap))
        .routes(routes!(admin::rollback))
}

/// What everybody may ask for.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(page::index))
        .routes(routes!(page::file))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
}

/// All routes, behind the layers that each kind needs.
pub(super) fn router(app: &App) -> Router {
    expected::know_bodies(&document());
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
                "there is nothing at this path; /openapi.json lists what there is",
            )
        })
        .method_not_allowed_fallback(|| async { Refusal::method() })
        // `limits` has its own, which also bounds all bodies together.
        .layer(DefaultBodyLimit::disable())
        .layer(layer(app.clone(), log::track))
        .with_state(app.clone())
}

/// The routes that tell how the server is, for a port of their own: no key, no admission.
pub(super) fn probes(app: &App) -> Router {
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

/// What the OpenAPI document says beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "asif",
        description = "Zero-shot classification, embeddings and explanations in a space made of image-text pairs, without training.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Keys),
)]
struct Document;

struct Keys;

impl Modify for Keys {
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
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(work())
        .merge(told())
        .merge(changes())
        .merge(open())
        .into_openapi()
        .to_pretty_json()
        .expect("what is derived from types can be written")
}

async fn openapi() -> impl IntoResponse {
    // Everybody may ask for it, and it takes milliseconds to make.
    static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| document().into());
    ([(CONTENT_TYPE, "application/json")], WRITTEN.clone())
}
