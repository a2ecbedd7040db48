//! Access control: an API key and an admin key, each for its own routes.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::{Refusal, ServeError};
use crate::middleware::drain::drain;

/// The fewest characters of a key.
const SHORTEST: usize = 16;

/// A secret key, stored as its hash, so that it can be compared but not printed.
///
/// Hashes are compared in constant time (`blake3::Hash`), and hashing takes the same time for all keys of
/// one length, so response times do not reveal how much of a guess was right.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(blake3::Hash);

impl AccessKey {
    /// A key from its text; surrounding white space is ignored.
    ///
    /// # Errors
    /// [`ServeError::Key`] if it is too short or has characters that no header can carry.
    pub fn new(text: &str) -> Result<Self, ServeError> {
        let text = text.trim();
        let sound = text.bytes().all(|b| b.is_ascii_graphic());
        if text.len() < SHORTEST || !sound {
            return Err(ServeError::Key { shortest: SHORTEST });
        }
        Ok(Self::of(text))
    }

    fn of(text: &str) -> Self {
        Self(blake3::hash(text.as_bytes()))
    }
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessKey(..)")
    }
}

/// The keys of a server, and whether it is open to the local machine only.
#[derive(Debug, Clone)]
pub(crate) struct AccessPolicy {
    pub api: Option<AccessKey>,
    pub admin: Option<AccessKey>,
    /// Whether the server listens on loopback and asks for no key.
    pub local: bool,
}

impl AccessPolicy {
    /// Whether these headers give access to the public routes. If no API key is set, any key is accepted:
    /// clients that require a key send a dummy.
    fn public(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        // The admin key must not travel with everyday requests, where more programs see it.
        let given = bearer(headers);
        if given.is_some() && given == self.admin {
            return Err(Refusal::forbidden(
                "the admin key is not valid for public routes; send the API key",
            ));
        }
        // Before the key: without a key of its own this check is all that the server has.
        if self.local {
            local_host(headers)?;
        }
        match (&self.api, given) {
            (None, _) => Ok(()),
            (Some(wanted), Some(given)) if given == *wanted => Ok(()),
            (Some(_), given) => Err(Refusal::unauthorized(given.is_some())),
        }
    }

    /// Whether these headers give access to the admin routes.
    fn admin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(wanted) = &self.admin else {
            return Err(Refusal::forbidden(
                "this server has no admin routes (its operator can enable them with an admin key)",
            ));
        };
        match bearer(headers) {
            Some(given) if given == *wanted => Ok(()),
            // A client with the API key is told that it sent the wrong one of the two.
            given if given.is_some() && given == self.api => Err(Refusal::forbidden(
                "the API key is not valid for admin routes; send the admin key",
            )),
            given => Err(Refusal::unauthorized(given.is_some())),
        }
    }
}

/// Middleware: checks access to the public routes.
pub(crate) async fn public(
    State(gate): State<AccessPolicy>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = gate.public(request.headers());
    if_allowed(allowed, request, next).await
}

/// Middleware: checks access to the admin routes.
pub(crate) async fn admin(
    State(gate): State<AccessPolicy>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = gate.admin(request.headers());
    if_allowed(allowed, request, next).await
}

async fn if_allowed(allowed: Result<(), Refusal>, request: Request, next: Next) -> Response {
    let Err(refusal) = allowed else {
        return next.run(request).await;
    };
    // The body is read first, or the client may see a reset instead of the answer.
    let (parts, body) = request.into_parts();
    drain(&parts.headers, body).await;
    refusal.into_response()
}

/// The key of `Authorization: Bearer KEY`. None if there are several such headers, because a proxy may
/// have checked another one than the first.
fn bearer(headers: &HeaderMap) -> Option<AccessKey> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| AccessKey::of(key.trim()))
}

/// A server without a key on loopback accepts only local host names: otherwise a web page whose host name
/// resolves to this machine (DNS rebinding) could read everything.
fn local_host(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get_all(HOST).iter().all(is_local) {
        true => Ok(()),
        false => Err(Refusal::forbidden(
            "without an API key this server accepts requests to localhost only; use that name \
             (its operator can set a key)",
        )),
    }
}

fn is_local(host: &HeaderValue) -> bool {
    let authority: Option<Authority> = host.to_str().ok().and_then(|h| h.parse().ok());
    let Some(authority) = authority else {
        return false;
    };
    let name = authority.host();
    // Brackets of IPv6 addresses are no part of the address.
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    loopback || bare.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn key(text: &str) -> Option<AccessKey> {
        Some(AccessKey::new(text).unwrap())
    }

    #[test]
    fn each_key_opens_its_own_routes_only() {
        let (api, admin) = ("public-0123456789", "admin-0123456789a");
        let gate = AccessPolicy {
            api: key(api),
            admin: key(admin),
            local: false,
        };
        let with = |key: &str| headers(&[("authorization", &format!("Bearer {key}"))]);
        assert!(gate.public(&with(api)).is_ok());
        assert!(gate.admin(&with(admin)).is_ok());
        let status = |r: Result<(), Refusal>| r.unwrap_err().status().as_u16();
        assert_eq!(status(gate.public(&with(admin))), 403);
        assert_eq!(status(gate.admin(&with(api))), 403);
        for wrong in ["", "x", "public-012345678", "public-01234567890"] {
            assert_eq!(status(gate.public(&with(wrong))), 401, "{wrong}");
            assert_eq!(status(gate.admin(&with(wrong))), 401, "{wrong}");
        }
        assert_eq!(status(gate.public(&headers(&[]))), 401);
        let basic = headers(&[("authorization", &format!("Basic {api}"))]);
        assert_eq!(status(gate.public(&basic)), 401);
        let several = [api, "another-0123456789"].map(|key| format!("Bearer {key}"));
        let several = headers(
            &several
                .each_ref()
                .map(|key| ("authorization", key.as_str())),
        );
        assert_eq!(status(gate.public(&several)), 401);
    }

    #[test]
    fn an_open_server_answers_to_this_machines_names_only() {
        let gate = AccessPolicy {
            api: None,
            admin: key("admin-0123456789a"),
            local: true,
        };
        let host = |name: &str| gate.public(&headers(&[("host", name)]));
        for good in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "[::1]:9",
            "[::1]",
        ] {
            assert!(host(good).is_ok(), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example:80",
            "10.0.0.1",
            "localhost/evil.example",
            "",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
        let two = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(gate.public(&two).is_err());
        let dummy = headers(&[("authorization", "Bearer dummy"), ("host", "localhost")]);
        assert!(gate.public(&dummy).is_ok());
        let closed = AccessPolicy {
            admin: None,
            ..gate
        };
        assert!(closed.admin(&dummy).is_err());
    }

    #[test]
    fn a_key_is_long_enough_and_never_shown() {
        assert!(AccessKey::new("short").is_err());
        assert!(AccessKey::new("long enough, but with blanks").is_err());
        let key = AccessKey::new(" 0123456789abcdef\n").unwrap();
        assert_eq!(key, AccessKey::of("0123456789abcdef"));
        assert_eq!(format!("{key:?}"), "AccessKey(..)");
    }
}
