//! The request log: one line per request with its id; never a key, a header or a body.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::connection::{ConnectionFull, RefusedHead};
use crate::error::Refusal;
use crate::state::AppState;

/// The header with the id of a request, in requests and responses.
const ID: HeaderName = HeaderName::from_static("x-request-id");
/// The status logged and counted for a client that disconnected before the response.
const GONE: u16 = 499;

/// Routes that are answered even if all regular connection slots are taken.
const PROBES: [&str; 3] = ["/health", "/ready", "/metrics"];

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Plain text for people.
    Text,
}

/// Writes the log of this process to standard error. Does nothing if a subscriber is already installed.
pub fn start(form: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // If standard error is closed, reporting that on standard error would panic.
        .log_internal_errors(false)
        .with_max_level(tracing::Level::INFO);
    let _ = match form {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => builder.compact().with_target(false).try_init(),
    };
}

/// The outermost layer: assigns the id of a request, counts and logs it, and writes the body of a refusal.
pub(crate) async fn track(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = id_of(request.headers());
    let refused_head = request.extensions_mut().remove::<RefusedHead>();
    let full = request
        .extensions_mut()
        .remove::<ConnectionFull>()
        .is_some();
    let route = request.extensions().get::<MatchedPath>();
    // The matched route, never the path: a client controls the path, which would make unbounded labels.
    let route = match (&refused_head, route) {
        (None, Some(route)) => route.as_str().to_owned(),
        _ => "unknown".to_owned(),
    };
    let refused = match refused_head {
        Some(RefusedHead(refusal)) => Some(refusal),
        None if full && !PROBES.contains(&route.as_str()) => Some(Refusal::no_connection()),
        None => None,
    };
    let mut tracked = TrackedRequest {
        app: &app,
        id: &id,
        route,
        // As with routes, a client can invent methods.
        method: match request.method().as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH") => known,
            _ => "other",
        }
        .to_owned(),
        begun: Instant::now(),
        ended: false,
    };
    app.metrics().begin();
    // A panic in a route must not end the connection.
    let run = async {
        match refused {
            Some(refusal) => refusal.into_response(),
            None => next.run(request).await,
        }
    };
    let run = AssertUnwindSafe(run).catch_unwind().await;
    let mut response = run.unwrap_or_else(|_| {
        let refusal = Refusal::internal("the handler of the request panicked; report this id");
        refusal.into_response()
    });
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        app.metrics().refused(refusal.code());
        tracked.end(refusal.status().as_u16(), Some(&refusal));
        let message = match refusal.is_of_request() {
            true => refusal.message().to_owned(),
            false => app.told(refusal.message()),
        };
        let mut answer = refusal.answer(&id, &message);
        // The allowed methods are known only where the path was matched.
        if let Some(allow) = response.headers().get(ALLOW) {
            answer.headers_mut().insert(ALLOW, allow.clone());
        }
        response = answer;
    } else {
        tracked.end(response.status().as_u16(), None);
    }
    drop(tracked);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID, value);
    }
    response
}

/// A running request; if it is dropped before [`end`](Self::end), its client has disconnected.
struct TrackedRequest<'a> {
    app: &'a AppState,
    id: &'a str,
    route: String,
    method: String,
    begun: Instant,
    ended: bool,
}

impl TrackedRequest<'_> {
    fn end(&mut self, status: u16, refusal: Option<&Refusal>) {
        self.ended = true;
        let took = self.begun.elapsed();
        let Self {
            id, route, method, ..
        } = self;
        self.app.metrics().end(route, method, status, took);
        let ms = (took.as_secs_f64() * 1e5).round() / 100.0;
        match refusal {
            Some(refusal) if status >= 500 => {
                let (code, reason) = (refusal.code(), refusal.message());
                tracing::error!(id, method, route, status, ms, code, reason, "request");
            }
            Some(refusal) if refusal.for_operator().is_some() => {
                let (code, reason) = (refusal.code(), refusal.for_operator());
                tracing::error!(id, method, route, status, ms, code, reason, "request");
            }
            Some(refusal) => {
                let code = refusal.code();
                tracing::info!(id, method, route, status, ms, code, "request");
            }
            None => tracing::info!(id, method, route, status, ms, "request"),
        }
    }
}

impl Drop for TrackedRequest<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(GONE, None);
        }
    }
}

/// The client's id if it is a plain word, otherwise a new one.
fn id_of(headers: &HeaderMap) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let given = headers.get(&ID).and_then(|id| id.to_str().ok());
    match given {
        Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(plain) => id.to_owned(),
        _ => fresh_id(),
    }
}

/// Unique within a process; ids of two processes differ with very high probability.
fn fresh_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut id = String::with_capacity(24);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Writing to a string does not fail.
    let _ = write!(id, "{:012x}-{number:08x}", *PROCESS >> 16);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ids_are_kept_and_others_replaced() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ID, HeaderValue::from_static(value));
            id_of(&headers)
        };
        assert_eq!(with("abc-1.2_3"), "abc-1.2_3");
        for bad in ["", "a b", "a\"b", "{}"] {
            assert_eq!(with(bad).len(), 21, "{bad:?}");
        }
        assert_ne!(fresh_id(), fresh_id());
    }
}
