//! What is left of a refused body.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use tokio::time::timeout;

/// How long what is left of a refused body is read, so that its sender sees the refusal instead of
/// a connection that breaks.
const DRAIN: Duration = Duration::from_secs(5);
/// How many bytes of it at most.
const DRAIN_BYTES: u64 = 256 << 20;

/// Reads on and throws away, for a while; not where the sender waits to be asked for the body, as the
/// refusal comes before it then.
pub(super) async fn drain(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            left = left.saturating_sub(size);
            if left == 0 {
                return;
            }
        }
    };
    // Whoever sends longer sees the connection break.
    let _ = timeout(DRAIN, read).await;
}
