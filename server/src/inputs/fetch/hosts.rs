//! The hosts that pictures may be fetched from.

use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Authority;

use crate::ServeError;

/// A host that images may be fetched from: `images.example.org`, with a port if it is not the default port
/// of the scheme, or `*.example.org` for all subdomains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHost {
    /// In lower case, without the `*`; a name with a wildcard begins with a dot.
    name: String,
    port: Option<u16>,
}

impl FromStr for ImageHost {
    type Err = ServeError;

    fn from_str(text: &str) -> Result<Self, ServeError> {
        let refused = || ServeError::ImageHost {
            text: text.to_owned(),
        };
        let (dot, plain) = match text.strip_prefix("*.") {
            Some(rest) => (".", rest),
            None => ("", text),
        };
        let authority: Authority = plain.parse().map_err(|_| refused())?;
        let host = authority.host();
        // Anything beyond host and port is user info, or a colon without a port.
        let rest = plain.len() - host.len() - authority.port().map_or(0, |p| 1 + p.as_str().len());
        if host.is_empty() || host.contains('*') || rest > 0 {
            return Err(refused());
        }
        Ok(Self {
            name: format!("{dot}{}", host.to_ascii_lowercase()),
            port: authority.port_u16(),
        })
    }
}

impl ImageHost {
    /// Whether a URL is on this host, at the default port of the scheme unless another one was given.
    pub(super) fn allows(&self, address: &Uri) -> bool {
        let Some(authority) = address.authority() else {
            return false;
        };
        let own = match address.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return false,
        };
        let host = authority.host().to_ascii_lowercase();
        let named = match self.name.starts_with('.') {
            true => host.len() > self.name.len() && host.ends_with(&self.name),
            false => host == self.name,
        };
        // URLs with credentials are refused.
        let plain = !authority.as_str().contains('@');
        named && plain && authority.port_u16().unwrap_or(own) == self.port.unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(host: &str, address: &str) -> bool {
        let host: ImageHost = host.parse().unwrap();
        host.allows(&address.parse().unwrap())
    }

    #[test]
    fn a_host_is_itself_at_its_port_and_nothing_else() {
        for (host, address) in [
            ("images.example.org", "https://images.example.org/a.jpg?w=2"),
            ("images.example.org", "http://IMAGES.example.org:80/"),
            (
                "images.example.org:9000",
                "http://images.example.org:9000/a",
            ),
            ("*.example.org", "https://a.b.example.org/"),
            ("127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("[::1]:8000", "http://[::1]:8000/"),
        ] {
            assert!(allows(host, address), "{host} {address}");
        }
        for (host, address) in [
            ("images.example.org", "https://images.example.org:8443/"),
            ("images.example.org", "http://images.example.org:443/"),
            ("images.example.org:9000", "http://images.example.org/"),
            ("images.example.org", "https://images.example.org.evil.net/"),
            ("images.example.org", "https://evil.net/images.example.org"),
            ("images.example.org", "https://images.example.org@evil.net/"),
            ("images.example.org", "https://me:pass@images.example.org/"),
            ("images.example.org", "ftp://images.example.org/"),
            ("images.example.org", "https://xn--images-.example.org/"),
            ("example.org", "https://images.example.org/"),
            ("*.example.org", "https://example.org/"),
            ("*.example.org", "https://evilexample.org/"),
            ("127.0.0.1", "http://2130706433/"),
        ] {
            assert!(!allows(host, address), "{host} {address}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "a.*.org",
            "https://example.org",
            "example.org/a",
            "me@example.org",
            "example.org:",
            "example.org:http",
            "example.org:70000",
            "two hosts",
        ] {
            let parsed: Result<ImageHost, _> = bad.parse();
            assert!(parsed.is_err(), "{bad}: {parsed:?}");
        }
    }
}
