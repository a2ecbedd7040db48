//! Checks the head of a request before hyper parses it.
//!
//! hyper closes a connection whose head it cannot parse, in some cases without a response. Here each such
//! head gets a status and a message, and heads that two programs may interpret differently (request
//! smuggling) are refused.

use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};

use crate::error::Refusal;

/// The most bytes of a head: request line and headers.
pub(super) const HEAD_BYTES: usize = 32 << 10;
/// The most bytes of a request's target.
const TARGET_BYTES: usize = 8 << 10;
/// The most headers.
pub(super) const HEADERS: usize = 100;
/// The largest length that a body may announce.
const MOST_ANNOUNCED: u64 = i64::MAX as u64;
/// The longest method; longer words are treated as noise.
const METHOD_BYTES: usize = 32;

/// How many bytes of a body follow a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// A known number.
    Known(u64),
    /// Chunks, up to the empty one.
    Chunked,
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::head(StatusCode::BAD_REQUEST, "malformed_request", message)
}

fn long_target() -> Refusal {
    let message = format!(
        "the request target is longer than {TARGET_BYTES} bytes; send long values in a body"
    );
    Refusal::head(StatusCode::URI_TOO_LONG, "long_target", message)
}

/// The refusal of a head that is longer than [`HEAD_BYTES`].
pub(super) fn too_long(so_far: &[u8]) -> Refusal {
    if !so_far.contains(&b'\n') {
        return long_target();
    }
    let message =
        format!("the headers are longer than {HEAD_BYTES} bytes; send fewer or shorter ones");
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    Refusal::head(status, "long_headers", message)
}

/// The refusal of a head that was not complete in time.
pub(super) fn slow(seconds: u64) -> Refusal {
    let message =
        format!("the head of the request was not complete within {seconds} s; send it faster");
    Refusal::head(StatusCode::REQUEST_TIMEOUT, "slow_head", message)
}

/// The refusal of an incomplete head.
pub(super) fn cut_off() -> Refusal {
    bad("the connection ended within the head of the request; end it with an empty line")
}

/// Refuses bytes that cannot become a head at once, instead of waiting for the rest.
///
/// # Errors
/// When the first line, as far as it was received, is not one of HTTP/1.
pub(super) fn check_start(so_far: &[u8]) -> Result<(), Refusal> {
    // The first byte of a TLS handshake.
    if so_far.first() == Some(&0x16) {
        return Err(bad(
            "this port speaks HTTP without TLS; use http://, or a proxy with TLS in front",
        ));
    }
    let line = so_far.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    let line = line.unwrap_or_default();
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method.len() > METHOD_BYTES || !method.iter().all(token) {
        return Err(bad(
            "the first line is not that of an HTTP request; expected METHOD TARGET HTTP/1.1",
        ));
    }
    // Refused before the target has ended, so that nobody sends megabytes of it.
    match target {
        Some(target) if target.len() > TARGET_BYTES => Err(long_target()),
        _ => Ok(()),
    }
}

/// Checks a complete head, including its empty line, and returns the length of the body.
///
/// # Errors
/// A refusal with status 400, 405, 414, 417, 431, 501 or 505.
pub(super) fn check(head: &[u8]) -> Result<BodyLength, Refusal> {
    check_start(head)?;
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(cut_off()),
        Err(error) => return Err(unreadable(error)),
    }
    if request
        .path
        .is_some_and(|target| target.len() > TARGET_BYTES)
    {
        return Err(long_target());
    }
    // CONNECT asks for a tunnel, which this server does not offer.
    if request.method == Some("CONNECT") {
        return Err(Refusal::method());
    }
    let is_old = request.version == Some(0);
    check_host(request.headers, is_old)?;
    check_target(request.path.unwrap_or_default(), request.headers)?;
    check_expect(request.headers)?;
    body_length(request.headers, is_old)
}

fn unreadable(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => {
            let message = format!("the request has more than {HEADERS} headers; send fewer");
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            Refusal::head(status, "long_headers", message)
        }
        httparse::Error::Version => {
            let message = "this version of HTTP is not supported; send HTTP/1.1";
            let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
            Refusal::head(status, "http_version", message)
        }
        httparse::Error::HeaderName => bad(
            "a header has no name, or a name with characters other than letters, digits and '-'; \
             expected `name: value`",
        ),
        httparse::Error::HeaderValue => bad("a header's value has a control character; remove it"),
        httparse::Error::NewLine => bad("a line of the head does not end with CR LF"),
        _ => bad("the first line is not that of an HTTP request; expected METHOD TARGET HTTP/1.1"),
    }
}

/// The values of a header, in order.
fn values<'a>(
    headers: &'a [httparse::Header<'_>],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    let of_name = move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
    headers.iter().filter(of_name).map(|header| header.value)
}

fn check_host(headers: &[httparse::Header<'_>], is_old: bool) -> Result<(), Refusal> {
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next()) {
        (None, _) if is_old => Ok(()),
        (None, _) => Err(bad("the header `host` is missing; send it once")),
        (Some(_), Some(_)) => Err(bad(
            "the header `host` is given more than once; send it once",
        )),
        // RFC 9112, 3.2 allows an empty host for a target without one.
        (Some(b""), None) => Ok(()),
        (Some(host), None) => match Authority::try_from(host) {
            Ok(host) if !host.as_str().contains('@') => Ok(()),
            _ => Err(bad(
                "the header `host` is not a valid host; expected HOST or HOST:PORT",
            )),
        },
    }
}

/// hyper closes a connection whose target it cannot parse. A host in the target takes precedence over the
/// header (RFC 9112, 3.2.2), so both must be equal.
fn check_target(target: &str, headers: &[httparse::Header<'_>]) -> Result<(), Refusal> {
    let Ok(uri) = Uri::try_from(target) else {
        return Err(bad(
            "the request target is not a path or an http:// URL; percent-encode all characters \
             but letters, digits and -._~!$&'()*+,;=:@/?",
        ));
    };
    let (Some(named), Some(host)) = (uri.authority(), values(headers, "host").next()) else {
        return Ok(());
    };
    match named.as_str().as_bytes().eq_ignore_ascii_case(host) {
        true => Ok(()),
        false => Err(bad(
            "the request target and the header `host` name different hosts; send only the path",
        )),
    }
}

fn check_expect(headers: &[httparse::Header<'_>]) -> Result<(), Refusal> {
    match values(headers, "expect").all(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        true => Ok(()),
        false => {
            let message = "the header `expect` supports only 100-continue; omit the header";
            let status = StatusCode::EXPECTATION_FAILED;
            Err(Refusal::head(status, "expectation", message))
        }
    }
}

fn body_length(headers: &[httparse::Header<'_>], is_old: bool) -> Result<BodyLength, Refusal> {
    let mut codings = values(headers, "transfer-encoding");
    let mut lengths = values(headers, "content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(BodyLength::Known(0)),
        // Two lengths are the classic way to smuggle a request past a proxy.
        (Some(_), Some(_)) => Err(bad(
            "the headers `content-length` and `transfer-encoding` exclude each other; send one",
        )),
        // Programs of HTTP/1.0 do not know the header and would see the chunks as the body.
        (Some(_), None) if is_old => Err(bad("HTTP/1.0 has no `transfer-encoding`; send HTTP/1.1")),
        (Some(coding), None) => {
            match codings.next().is_none() && coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                true => Ok(BodyLength::Chunked),
                false => {
                    let message = "the header `transfer-encoding` supports only chunked; send a \
                                   `content-length` instead";
                    let status = StatusCode::NOT_IMPLEMENTED;
                    Err(Refusal::head(status, "transfer_coding", message))
                }
            }
        }
        (None, Some(length)) => {
            // `parse` accepts a leading `+`, which RFC 9110 does not.
            let digits = length.iter().all(u8::is_ascii_digit) && lengths.next().is_none();
            let number = std::str::from_utf8(length)
                .ok()
                .and_then(|text| text.parse().ok());
            match number {
                // hyper uses the largest numbers as markers.
                Some(number) if digits && number > MOST_ANNOUNCED => Err(Refusal::too_large(
                    "the value of `content-length` is too large; send the length of the body",
                )),
                Some(number) if digits => Ok(BodyLength::Known(number)),
                _ => Err(bad(
                    "the header `content-length` is not a whole number; send it once, in digits",
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        check(head.as_bytes()).map_or_else(|refusal| refusal.status().as_u16(), |_| 200)
    }

    #[test]
    fn each_bad_head_has_its_status() {
        let with = |more: &str| format!("POST / HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
        assert_eq!(status(&with("")), 200);
        assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 200);
        assert_eq!(
            status("GET http://localhost/health HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            200
        );
        let many = |n: usize| with(&"a: b\r\n".repeat(n));
        assert_eq!(status(&many(HEADERS - 1)), 200);
        assert_eq!(status(&many(HEADERS)), 431);
        let target = |n: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(n));
        assert_eq!(status(&target(TARGET_BYTES - 1)), 200);
        assert_eq!(status(&target(TARGET_BYTES)), 414);
        for (head, wanted) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: user@a\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
            ("HELO you\r\n\r\n", 400),
            ("GET /\r\n\r\n", 400),
            ("G\u{e4}T / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}\r\n\r\n", 400),
            ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", 405),
            ("GET /<a> HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("GET ?a HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("GET file:///etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("GET http://u:p@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
            ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 200),
        ] {
            assert_eq!(status(head), wanted, "{head:?}");
        }
        for (more, wanted) in [
            ("content-length: 1\r\ncontent-length: 1\r\n", 400),
            ("content-length: 1, 1\r\n", 400),
            ("content-length: +1\r\n", 400),
            ("content-length: -1\r\n", 400),
            ("content-length: 99999999999999999999\r\n", 400),
            ("content-length: 18446744073709551615\r\n", 413),
            ("content-length: 9223372036854775808\r\n", 413),
            ("content-length: 1\r\ntransfer-encoding: chunked\r\n", 400),
            ("transfer-encoding: gzip, chunked\r\n", 501),
            (
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                501,
            ),
            ("expect: a miracle\r\n", 417),
            ("a : b\r\n", 400),
            ("a: b\r\n folded\r\n", 400),
            ("a: \u{0}\r\n", 400),
            ("a: \u{1b}[31m\r\n", 400),
            ("no colon\r\n", 400),
        ] {
            assert_eq!(status(&with(more)), wanted, "{more:?}");
        }
        let chunked = with("Transfer-Encoding: Chunked\r\n");
        assert_eq!(check(chunked.as_bytes()).unwrap(), BodyLength::Chunked);
        let known = with("content-length: 12\r\n");
        assert_eq!(check(known.as_bytes()).unwrap(), BodyLength::Known(12));
    }
}
