//! The files of the page, which are compiled into the program.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};

use super::body::PathParams;
use super::shared::ErrorBody;
use crate::error::Refusal;

/// A file of the page.
struct PageFile {
    name: &'static str,
    mime: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal $mime:literal),* $(,)?) => {
        /// All files; the first is the page itself.
        const FILES: &[PageFile] = &[$(PageFile {
            name: $name,
            mime: $mime,
            bytes: include_bytes!(concat!("../page/", $name)),
        }),*];
    };
}

files! {
    "index.html" "text/html; charset=utf-8",
    "answer.css" "text/css; charset=utf-8",
    "answers.js" "text/javascript; charset=utf-8",
    "api.js" "text/javascript; charset=utf-8",
    "app.js" "text/javascript; charset=utf-8",
    "ask.js" "text/javascript; charset=utf-8",
    "bars.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "icon.svg" "image/svg+xml",
    "map.css" "text/css; charset=utf-8",
    "map.js" "text/javascript; charset=utf-8",
    "map_hands.js" "text/javascript; charset=utf-8",
    "map_paint.js" "text/javascript; charset=utf-8",
    "map_plane.js" "text/javascript; charset=utf-8",
    "pair.js" "text/javascript; charset=utf-8",
    "pictures.js" "text/javascript; charset=utf-8",
    "reasons.js" "text/javascript; charset=utf-8",
    "recent.js" "text/javascript; charset=utf-8",
    "sets.js" "text/javascript; charset=utf-8",
    "state.js" "text/javascript; charset=utf-8",
    "style.css" "text/css; charset=utf-8",
    "theme.js" "text/javascript; charset=utf-8",
    "why.js" "text/javascript; charset=utf-8",
    "without.js" "text/javascript; charset=utf-8",
}

/// Scripts and styles from this server only, pictures also from the page itself; no framing.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; \
                      base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// The page.
#[utoipa::path(
    get,
    path = "/",
    tag = "page",
    operation_id = "page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub(super) async fn index() -> Response {
    serve(&FILES[0])
}

/// A file of the page.
#[utoipa::path(
    get,
    path = "/page/{file}",
    tag = "page",
    operation_id = "page_file",
    params(("file" = String, Path, description = "The name of a file")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/html"), (String = "text/css"), (String = "text/javascript"),
            (String = "image/svg+xml"),
        )),
        (status = "4XX", description = "No such file", body = ErrorBody),
    ),
)]
pub(super) async fn file(PathParams(name): PathParams<String>) -> Result<Response, Refusal> {
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Refusal::not_found("no_file", "the page has no such file"))?;
    Ok(serve(file))
}

fn serve(file: &PageFile) -> Response {
    let headers = [
        (CONTENT_TYPE, file.mime),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Another version of the program may serve other files under these names.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, file.bytes).into_response()
}
