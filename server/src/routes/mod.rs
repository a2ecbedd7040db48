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
use axum::routing::{get, post};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::error::Refusal;
use super::state::App;
use super::{auth, limits, log};

/// All routes, behind the layers that each kind needs.
pub(super) fn router(app: &App) -> Router {
    let work = Router::new()
        .route("/", post(zero_shot::first))
        .route("/models/{name}", post(zero_shot::named))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/classify", post(classify::classify))
        .route("/v1/explain", post(explain::explain))
        .route("/v1/similarity", post(similarity::similarity))
        .route("/v1/sets/{name}/map", get(space::map))
        .route("/v1/sets/{name}/anchors/{anchor}", get(space::anchor))
        .route(
            "/v1/sets/{name}/anchors/{anchor}/image",
            get(space::picture),
        )
        .layer(layer(app.clone(), limits::admit))
        // Not by the admission, so that a full server can still be looked into.
        .route("/v1/models", get(embeddings::models))
        .route("/v1/sets", get(space::sets))
        .route("/v1/templates", get(templates::templates))
        .route("/v1/sets/{name}/generations", get(space::generations))
        .route("/info", get(status::info))
        .route("/metrics", get(status::metrics))
        .layer(layer(app.clone(), auth::public));
    let admin = Router::new()
        .route("/admin/sets/{name}/add", post(admin::add))
        .route("/admin/sets/{name}/remove", post(admin::remove))
        .route("/admin/sets/{name}/swap", post(admin::swap))
        .route("/admin/sets/{name}/rollback", post(admin::rollback))
        .layer(layer(app.clone(), limits::admit_change))
        .layer(layer(app.clone(), auth::admin));
    let open = Router::new()
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/openapi.json", get(openapi));
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
    Router::new()
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .fallback(|| async {
            let message = "this port has /health, /ready and /metrics only";
            Refusal::not_found("no_route", message)
        })
        .method_not_allowed_fallback(|| async { Refusal::method() })
        .layer(layer(app.clone(), log::track))
        .with_state(app.clone())
}

/// The routes as OpenAPI has them.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "asif",
        description = "Zero-shot classification, embeddings and explanations in a space made of image-text pairs, without training.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        zero_shot::first,
        zero_shot::named,
        embeddings::embed,
        embeddings::models,
        classify::classify,
        explain::explain,
        similarity::similarity,
        templates::templates,
        space::sets,
        space::map,
        space::anchor,
        space::picture,
        space::generations,
        admin::add,
        admin::remove,
        admin::swap,
        admin::rollback,
        status::health,
        status::ready,
        status::info,
        status::metrics,
        page::index,
        page::file,
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
    let written = Document::openapi().to_pretty_json();
    written.expect("what is derived from types can be written")
}

async fn openapi() -> impl IntoResponse {
    // Everybody may ask for it, and it takes milliseconds to make.
    static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| document().into());
    ([(CONTENT_TYPE, "application/json")], WRITTEN.clone())
}
