//! Limits on concurrent requests, memory of bodies, and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::Refusal;
use crate::middleware::drain::drain;
use crate::options::ServeLimits;

/// The granularity of memory permits, in bytes.
const PIECE: usize = 4096;
/// The least memory of a parsed list entry: the size of a `String` or `Vec`. Short entries take more memory
/// parsed than in the body.
const ENTRY: usize = 24;
/// The most bytes allocated for a body before any of it was received.
const FIRST: usize = 1 << 20;

/// Admits requests within the limits. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RequestLimiter {
    requests: Arc<Semaphore>,
    memory: RequestMemory,
    limits: ServeLimits,
}

/// The memory budget for request bodies and fetched pictures. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RequestMemory(Arc<Semaphore>);

impl RequestMemory {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(PIECE))))
    }

    /// Grows the permit to this many bytes in total.
    ///
    /// # Errors
    /// When the budget does not have them now.
    pub fn grow(
        &self,
        held: &mut Option<OwnedSemaphorePermit>,
        bytes: usize,
    ) -> Result<(), Refusal> {
        let had = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(PIECE).saturating_sub(had);
        // More than a semaphore can hold fails below, which is the right answer for such a size.
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.0).try_acquire_many_owned(missing);
        let more = more.map_err(|_| {
            Refusal::busy("the request bodies held at the moment take too much memory")
        })?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

impl RequestLimiter {
    /// With nothing in use.
    pub fn new(limits: &ServeLimits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.requests)),
            memory: RequestMemory::new(limits.memory_bytes),
            limits: *limits,
        }
    }

    /// The memory budget, which fetched pictures share.
    pub fn memory(&self) -> &RequestMemory {
        &self.memory
    }

    /// A permit for one more request.
    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.requests).try_acquire_owned();
        place.map_err(|_| Refusal::busy("too many requests are running"))
    }
}

/// Middleware: receives the whole body within the limits, and runs the request within its time limit.
///
/// The permit and the memory are held until the response is made.
pub(crate) async fn admit(
    State(room): State<RequestLimiter>,
    request: Request,
    next: Next,
) -> Response {
    within(&room, room.limits.time, request, next).await
}

/// The same for changes of an anchor set, which may take longer, because pairs are encoded.
pub(crate) async fn admit_change(
    State(room): State<RequestLimiter>,
    request: Request,
    next: Next,
) -> Response {
    within(&room, room.limits.time.saturating_mul(20), request, next).await
}

async fn within(room: &RequestLimiter, time: Duration, request: Request, next: Next) -> Response {
    let until = Instant::now() + time;
    let (parts, body) = request.into_parts();
    let admitted = take(room, &parts.headers, body, until).await;
    let (bytes, _held) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    let request = Request::from_parts(parts, Body::from(bytes));
    match timeout_at(until, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::timeout(time.as_secs()).into_response(),
    }
}

/// The permits of a request: its slot and its memory.
type HeldPermits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// The body and its permits. Memory is counted for received bytes only, so that a client that announces a
/// large body and sends nothing does not use up the budget.
async fn take(
    room: &RequestLimiter,
    headers: &HeaderMap,
    body: Body,
    until: Instant,
) -> Result<(Bytes, HeldPermits), Refusal> {
    let limit = room.limits.body_bytes;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
        .or_else(|| body.size_hint().exact());
    if let Some(coding) = other_coding(headers) {
        drain(headers, body).await;
        return Err(coding);
    }
    let too_large = || {
        Refusal::too_large(format!(
            "the body is larger than {limit} bytes; send fewer or smaller images"
        ))
    };
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        drain(headers, body).await;
        return Err(too_large());
    }
    let first = announced.map_or(0, |bytes| FIRST.min(bytes as usize));
    let (mut bytes, mut memory) = (Vec::with_capacity(first), None);
    let (mut body, mut entries) = (body, 0);
    let refusal = loop {
        let frame = timeout_at(until, body.frame()).await;
        let data = match frame.map_err(|_| Refusal::slow_body())? {
            // Only after the whole body: a slow sender must not hold a request slot.
            None => return Ok((bytes.into(), (room.place()?, memory))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_) => continue,
            },
            Some(Err(_)) => return Err(Refusal::incomplete_body()),
        };
        if bytes.len() + data.len() > limit {
            break too_large();
        }
        // Counts commas as an upper bound for list entries. In an image file one byte of 256 is a
        // comma, which is harmless.
        entries += data.iter().filter(|byte| **byte == b',').count();
        let read = bytes.len() + data.len() + entries.saturating_mul(ENTRY);
        if read > room.limits.memory_bytes {
            break Refusal::too_large(format!(
                "the body has more than {entries} list entries, which take more memory than all \
                 requests together may use; send fewer"
            ));
        }
        match room.memory().grow(&mut memory, read) {
            Ok(()) => bytes.extend_from_slice(&data),
            Err(busy) => break busy,
        }
    };
    drop((bytes, memory));
    drain(headers, body).await;
    Err(refusal)
}

/// Refuses a compressed body: `content-encoding` is not supported, and the compressed bytes would not parse.
fn other_coding(headers: &HeaderMap) -> Option<Refusal> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let is_other = |coding: &axum::http::HeaderValue| {
        let coding = coding.as_bytes().trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    };
    codings.any(is_other).then(Refusal::coding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_in_pieces_and_comes_back() {
        let memory = RequestMemory::new(3 * PIECE);
        let (mut a, mut b) = (None, None);
        memory.grow(&mut a, 1).unwrap();
        memory.grow(&mut a, PIECE).unwrap();
        memory.grow(&mut b, PIECE + 1).unwrap();
        assert!(memory.grow(&mut a, PIECE + 1).is_err(), "b has the rest");
        drop(b);
        memory.grow(&mut a, 3 * PIECE).unwrap();
        assert!(memory.grow(&mut None, 1).is_err());
        memory.grow(&mut None, 0).unwrap();
        assert!(memory.grow(&mut a, usize::MAX).is_err());
        drop(a);
        memory.grow(&mut None, 3 * PIECE).unwrap();
    }
}
