//! Parts of a request: its body as JSON, what its path and its query name.

use axum::body::Bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::serve::error::Refusal;

/// Bodies above this are parsed where a thread may be busy for some milliseconds.
const LARGE: usize = 128 << 10;

/// A body that is JSON, whatever its content type says; what it is refused for names the place.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|e| Refusal::invalid("incomplete_body", e.to_string()))?;
        let parse = || parse(&bytes);
        let parsed = match bytes.len() > LARGE {
            true => tokio::task::block_in_place(parse),
            false => parse(),
        };
        parsed.map(Self)
    }
}

/// What stands in the place of names in a path.
pub(super) struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(named) = Path::from_request_parts(parts, state)
            .await
            .map_err(|e| Refusal::invalid("malformed_path", e.body_text()))?;
        Ok(Self(named))
    }
}

/// What stands after the `?`.
pub(super) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let extract::Query(query) = extract::Query::from_request_parts(parts, state)
            .await
            .map_err(|e| Refusal::invalid("malformed_query", e.body_text()))?;
        Ok(Self(query))
    }
}

/// JSON from bytes.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|e| {
        let code = match e.classify() {
            serde_json::error::Category::Data => "wrong_fields",
            _ => "malformed_json",
        };
        Refusal::invalid(code, format!("the body is not the JSON that this route takes: {e}; /openapi.json says what it takes"))
    })
}
