//! The options of a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::middleware::auth::AccessKey;

use crate::error::{LimitName, ServeError};
use crate::inputs::fetch::ImageHost;

/// The options of a server.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The anchor sets, at least one; the first answers requests that name none.
    pub sets: Vec<NamedAnchorSet>,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// A second address for health, readiness and metrics, without a key.
    pub probe_listen: Option<SocketAddr>,
    /// The key of the public routes. Without it they are open, which is allowed on loopback only.
    pub api_key: Option<AccessKey>,
    /// The key of the admin routes. Without it they are disabled.
    pub admin_key: Option<AccessKey>,
    /// Allows addresses other than loopback without a key.
    pub insecure: bool,
    /// The folder for the pictures of pairs that are added over HTTP; without it no pairs can be added.
    pub uploads: Option<PathBuf>,
    /// The hosts from which pictures that requests name by URL may be fetched.
    pub image_hosts: Vec<ImageHost>,
    /// Limits per request and for all requests together.
    pub limits: ServeLimits,
}

impl ServeOptions {
    /// The same with absolute paths: only these are recognised, and removed, in messages to clients.
    #[must_use]
    pub(crate) fn with_absolute_paths(mut self) -> Self {
        let paths = self.sets.iter_mut().map(|named| &mut named.path);
        for path in paths.chain(&mut self.uploads) {
            // Fails only where there is no working folder, in which no relative path can be opened either.
            if let Ok(absolute) = std::path::absolute(&*path) {
                *path = absolute;
            }
        }
        self
    }
}

/// An anchor set and its name in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAnchorSet {
    /// One path segment: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The folder of the anchor set.
    pub path: PathBuf,
}

/// The largest value of a count, more than any machine can hold.
const PLACES: u64 = u32::MAX as u64;
/// The largest time limit of a request, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// Limits per request and for all requests together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// Bytes of the body of a request.
    pub body_bytes: usize,
    /// Bytes of all bodies that are held at the same time.
    pub memory_bytes: usize,
    /// Pixels of an image, according to its header.
    pub pixels: u64,
    /// Images, vectors or texts per request.
    pub batch: usize,
    /// Labels per request.
    pub labels: usize,
    /// Prompts per request: labels times templates.
    pub prompts: usize,
    /// Requests that are running or waiting; further ones are refused with 429.
    pub requests: usize,
    /// Images that wait for the encoder, and as many again that wait to be fetched; further ones are refused
    /// with 429.
    pub images: usize,
    /// Open connections. For a further one, the connection that has been idle longest is closed; while all are
    /// busy, only health, readiness and metrics requests are answered.
    pub connections: usize,
    /// The time limit of a request, and of receiving its body.
    pub time: Duration,
    /// How long running requests may take to finish after a stop signal.
    pub grace: Duration,
}

impl Default for ServeLimits {
    /// For a machine with two cores: a full queue of images is two or three seconds of work.
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            memory_bytes: 256 << 20,
            pixels: 64_000_000,
            batch: 64,
            labels: 1_000,
            prompts: 20_000,
            requests: 256,
            images: 128,
            connections: 1_024,
            time: Duration::from_secs(30),
            grace: Duration::from_secs(20),
        }
    }
}

impl ServeOptions {
    /// Refuses options that are unsafe or contradictory.
    ///
    /// # Errors
    /// The first problem, and what to do about it.
    pub fn validate(&self) -> Result<(), ServeError> {
        if self.sets.is_empty() {
            return Err(ServeError::NoSets);
        }
        for (at, set) in self.sets.iter().enumerate() {
            if !is_name(&set.name) {
                return Err(ServeError::Name {
                    name: set.name.clone(),
                });
            }
            if self.sets[..at].iter().any(|other| other.name == set.name) {
                return Err(ServeError::TwoSets {
                    name: set.name.clone(),
                });
            }
        }
        let open = self.api_key.is_none() && !self.insecure;
        if open && !self.listen.ip().is_loopback() {
            return Err(ServeError::Open {
                listen: self.listen,
            });
        }
        if self.api_key.is_some() && self.api_key == self.admin_key {
            return Err(ServeError::SameKeys);
        }
        self.limits.validate()
    }
}

impl ServeLimits {
    fn validate(&self) -> Result<(), ServeError> {
        let Self {
            body_bytes,
            memory_bytes,
            images,
            batch,
            ..
        } = *self;
        for (limit, value, most) in [
            (LimitName::Pixels, self.pixels, u64::MAX),
            (LimitName::Labels, self.labels as u64, u64::MAX),
            (LimitName::Prompts, self.prompts as u64, u64::MAX),
            (LimitName::Requests, self.requests as u64, PLACES),
            (LimitName::Images, images as u64, PLACES),
            (LimitName::Connections, self.connections as u64, PLACES),
            (LimitName::Seconds, self.time.as_secs(), DAY),
        ] {
            if !(1..=most).contains(&value) {
                return Err(ServeError::Limit { limit, value, most });
            }
        }
        for (what, small, large) in [
            ("bytes per body", body_bytes, memory_bytes),
            ("images per request", batch, images),
        ] {
            if small == 0 || small > large {
                return Err(ServeError::Limits { what, small, large });
            }
        }
        Ok(())
    }
}

/// Whether a name is valid: one path segment that needs no escaping and does not begin with a dot.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ServeOptions {
        ServeOptions {
            sets: vec![NamedAnchorSet {
                name: "a".into(),
                path: "a.asif".into(),
            }],
            listen: ([127, 0, 0, 1], 0).into(),
            probe_listen: None,
            api_key: None,
            admin_key: None,
            insecure: false,
            uploads: None,
            image_hosts: Vec::new(),
            limits: ServeLimits::default(),
        }
    }

    #[test]
    fn only_loopback_is_open_without_being_asked_for() {
        options().validate().unwrap();
        let anywhere = ServeOptions {
            listen: ([0, 0, 0, 0], 80).into(),
            ..options()
        };
        let error = anywhere.validate().unwrap_err();
        assert!(matches!(error, ServeError::Open { .. }), "{error}");
        let key = AccessKey::new("0123456789abcdef").ok();
        for allowed in [
            ServeOptions {
                insecure: true,
                ..anywhere.clone()
            },
            ServeOptions {
                api_key: key.clone(),
                ..anywhere
            },
        ] {
            allowed.validate().unwrap();
        }
        let both = ServeOptions {
            api_key: key.clone(),
            admin_key: key,
            ..options()
        };
        assert!(matches!(both.validate(), Err(ServeError::SameKeys)));
    }

    #[test]
    fn limits_that_cannot_be_meant_are_refused() {
        let with = |change: fn(&mut ServeLimits)| {
            let mut options = options();
            change(&mut options.limits);
            options.validate()
        };
        for change in [
            (|l| l.requests = 0) as fn(&mut ServeLimits),
            |l| l.requests = usize::MAX,
            |l| l.images = usize::MAX,
            |l| l.connections = 0,
            |l| l.labels = 0,
            |l| l.time = Duration::from_secs(u64::MAX),
            |l| l.time = Duration::ZERO,
            |l| l.batch = 0,
            |l| l.batch = l.images + 1,
            |l| l.body_bytes = l.memory_bytes + 1,
        ] {
            let error = with(change).unwrap_err().to_string();
            assert!(error.contains("limits: "), "{error}");
        }
    }

    #[test]
    fn names_are_one_plain_path_segment() {
        for good in ["a", "pets-2026", "v1.2_b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "a b",
            "ä",
            "a%2f",
            &"x".repeat(65),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
