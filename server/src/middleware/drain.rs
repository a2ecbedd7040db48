//! Reads and discards the rest of a refused body.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use tokio::time::timeout;

/// How long the rest of a refused body is read, so that the client receives the refusal instead of a
/// connection reset.
const DRAIN: Duration = Duration::from_secs(5);
/// The most bytes that are read.
const DRAIN_BYTES: u64 = 256 << 20;

/// Reads and discards the rest of a body for a limited time. Does nothing if the client sent `expect`: it
/// then receives the refusal before it sends the body.
pub(crate) async fn drain(headers: &HeaderMap, mut body: Body) {
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
    // A client that sends for longer gets a connection reset.
    let _ = timeout(DRAIN, read).await;
}
