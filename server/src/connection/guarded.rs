//! The stream of a connection: checks each head before it is passed on, and enforces its time limit.

use std::io::Result;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::body::{BodyProgress, BodyTracker};
use super::head;
use super::slots::{ConnectionPhase, ConnectionState};
use crate::error::Refusal;

/// The time limit for the head of a request, and for silence between two requests.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(15);
/// Data from a refused client is read on and discarded, so that the client receives the refusal instead of
/// a connection reset, until it sends nothing for this long.
const LINGER: Duration = Duration::from_secs(2);
/// The most bytes that are discarded in this way.
const LINGER_BYTES: usize = 64 << 20;
/// How long the request of a client is processed that has closed its sending side: it may still wait for
/// the response (`nc -N`), or be gone.
const HALF_CLOSED: Duration = Duration::from_secs(2);
/// The size of the read buffer in bytes.
const READ: usize = 8 << 10;
/// Passed to hyper instead of a refused head; the service answers it with the refusal.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[derive(Debug)]
enum StreamStep {
    Head,
    Body(BodyTracker),
    /// The head was refused; nothing more is parsed.
    Refused,
    /// The body is malformed: to hyper it ends here, and the request is answered.
    BadBody,
}

/// The discarded data of a refused client.
#[derive(Debug)]
struct LingeringClient {
    /// The timeout for silence, never later than `until`.
    timer: Pin<Box<Sleep>>,
    until: Instant,
    bytes: usize,
}

/// A stream of requests.
#[derive(Debug)]
pub(super) struct GuardedStream<S> {
    stream: S,
    link: Arc<ConnectionState>,
    step: StreamStep,
    /// The head, as far as it was received.
    head: Vec<u8>,
    /// Checked bytes; those from `given` on were not yet read by hyper.
    checked: Vec<u8>,
    given: usize,
    heads: u64,
    timer: Option<Pin<Box<Sleep>>>,
    linger: Option<LingeringClient>,
    /// How long a refused client may continue to send.
    patience: Duration,
    /// Started when the client closes its sending side.
    half_closed: Option<Pin<Box<Sleep>>>,
    /// Woken when a response was written.
    after_answer: Option<Waker>,
}

impl<S> GuardedStream<S> {
    /// A stream that reports its progress to `link`; a refused client may continue to send for `patience`.
    pub fn new(stream: S, link: Arc<ConnectionState>, patience: Duration) -> Self {
        Self {
            stream,
            link,
            step: StreamStep::Head,
            head: Vec::new(),
            checked: Vec::new(),
            given: 0,
            heads: 0,
            timer: None,
            linger: None,
            patience,
            half_closed: None,
            after_answer: None,
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.link.refuse(self.heads, refusal);
        self.link.head_came(false);
        // To hyper a refused head is a request too, so it counts as one.
        self.heads += 1;
        self.checked.extend_from_slice(STAND_IN);
        self.head = Vec::new();
        self.step = StreamStep::Refused;
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.step {
                StreamStep::Refused | StreamStep::BadBody => return,
                StreamStep::Body(left) => match left.feed(bytes) {
                    BodyProgress::More => {
                        self.checked.extend_from_slice(bytes);
                        return;
                    }
                    BodyProgress::Malformed => {
                        self.step = StreamStep::BadBody;
                        return;
                    }
                    BodyProgress::Ended(n) => {
                        self.checked.extend_from_slice(&bytes[..n]);
                        self.step = StreamStep::Head;
                        self.link.body_came();
                        &bytes[n..]
                    }
                },
                StreamStep::Head => self.take_head(bytes),
            };
        }
    }

    /// Consumes bytes of a head; returns the bytes after it.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.head.is_empty() {
            // Empty lines before a request are ignored (RFC 9112, 2.2); some clients send one after a body.
            match bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')) {
                None => return &[],
                Some(0) => {}
                Some(first) => return self.take_head(&bytes[first..]),
            }
        }
        let before = self.head.len();
        // One byte more than allowed shows that the head is too long.
        let room = head::HEAD_BYTES + 1 - before;
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let Some(end) = end_of_head(&self.head, before) else {
            if self.head.len() > head::HEAD_BYTES {
                self.refuse(head::too_long(&self.head));
            } else if let Err(refusal) = head::check_start(&self.head) {
                self.refuse(refusal);
            }
            return &[];
        };
        match head::check(&self.head[..end]) {
            Err(refusal) => {
                self.refuse(refusal);
                &[]
            }
            Ok(length) => {
                self.checked.extend_from_slice(&self.head[..end]);
                self.head = Vec::new();
                self.heads += 1;
                let has_body = length != head::BodyLength::Known(0);
                self.link.head_came(has_body);
                if has_body {
                    self.step = StreamStep::Body(BodyTracker::of(length));
                }
                &bytes[end - before..]
            }
        }
    }

    /// The client has closed its sending side. Ready when hyper may see the end of the stream: it would abort
    /// requests that are still being answered.
    fn poll_unanswered(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_whole = matches!(self.step, StreamStep::Head);
        // The response is still being taken: ending now would cut it off.
        if is_whole && self.link.phase().0 == ConnectionPhase::Sending {
            self.after_answer = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !is_whole || self.link.answers() >= self.heads {
            return Poll::Ready(());
        }
        // Once the response is written there is nothing more to wait for.
        self.after_answer = Some(context.waker().clone());
        let timer = self
            .half_closed
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + HALF_CLOSED)));
        timer.as_mut().poll(context)
    }

    /// Ready when the time limit for a head has passed.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (phase, since) = self.link.phase();
        // Only silence is limited here; bodies and answers have limits of their own.
        if phase != ConnectionPhase::Silent {
            self.timer = None;
            return Poll::Pending;
        }
        let until = Instant::from_std(since) + HEAD_TIME;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        // The phase may have begun anew since the timer was set.
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(context)
    }
}

/// The end of a head, after its empty line; the first `before` bytes were searched already.
fn end_of_head(head: &[u8], before: usize) -> Option<usize> {
    (before..head.len()).find_map(|at| {
        let upto = &head[..=at];
        (upto.ends_with(b"\n\r\n") || upto.ends_with(b"\n\n")).then_some(at + 1)
    })
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let me = &mut *self;
        loop {
            if me.given < me.checked.len() {
                let some = into.remaining().min(me.checked.len() - me.given);
                into.put_slice(&me.checked[me.given..me.given + some]);
                me.given += some;
                if me.given == me.checked.len() {
                    me.checked.clear();
                    me.given = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if matches!(me.step, StreamStep::BadBody) {
                // An early end is answered; hyper would close without a response if it parsed the bad bytes.
                return Poll::Ready(Ok(()));
            }
            if matches!(me.step, StreamStep::Refused) {
                // The response to the refused request closes the connection.
                return Poll::Pending;
            }
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut me.stream).poll_read(context, &mut buffer) {
                Poll::Ready(result) => result?,
                Poll::Pending => {
                    if !matches!(me.step, StreamStep::Head) {
                        return Poll::Pending;
                    }
                    if me.head.is_empty() && me.link.is_to_go() {
                        // To hyper this is a connection closed by the client.
                        return Poll::Ready(Ok(()));
                    }
                    ready!(me.poll_late(context));
                    if me.head.is_empty() {
                        // To hyper this is a connection closed by the client.
                        return Poll::Ready(Ok(()));
                    }
                    me.refuse(head::slow(HEAD_TIME.as_secs()));
                    continue;
                }
            }
            match buffer.filled() {
                [] if matches!(me.step, StreamStep::Head) && !me.head.is_empty() => {
                    me.refuse(head::cut_off());
                }
                [] => {
                    ready!(me.poll_unanswered(context));
                    return Poll::Ready(Ok(()));
                }
                filled => me.take(filled),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.link.taken();
        if let Some(waiting) = self.after_answer.take() {
            // Written is answered: whoever waits to close may go on.
            waiting.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let me = &mut *self;
        ready!(Pin::new(&mut me.stream).poll_shutdown(context))?;
        // Nothing was refused, so nothing unread can reset the connection.
        if matches!(me.step, StreamStep::Head) {
            return Poll::Ready(Ok(()));
        }
        let patience = me.patience;
        let linger = me.linger.get_or_insert_with(|| {
            let now = Instant::now();
            LingeringClient {
                timer: Box::pin(sleep_until(now + LINGER.min(patience))),
                until: now + patience,
                bytes: LINGER_BYTES,
            }
        });
        loop {
            if linger.timer.as_mut().poll(context).is_ready() || linger.bytes == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut me.stream).poll_read(context, &mut buffer));
            match buffer.filled().len() {
                n if n > 0 && read.is_ok() => {
                    linger.bytes = linger.bytes.saturating_sub(n);
                    // Every byte renews the wait, but never past the end of all patience.
                    let next = linger.until.min(Instant::now() + LINGER);
                    linger.timer.as_mut().reset(next);
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
