//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::auth::Key;

use super::error::{LimitName, ServeError};
use super::fetch::ImageHost;

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The sets, the first of which answers where a request names none; at least one.
    pub sets: Vec<NamedSet>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where health, readiness and figures are answered besides, without a key; nowhere without.
    pub probe_listen: Option<SocketAddr>,
    /// What public routes ask for. Without it they are open, which is for loopback only.
    pub api_key: Option<Key>,
    /// What admin routes ask for. Without it there are none.
    pub admin_key: Option<Key>,
    /// Serves other addresses than loopback without a key.
    pub insecure: bool,
    /// The folder that takes the pictures of pairs added over HTTP; without it none can be added.
    pub uploads: Option<PathBuf>,
    /// Where pictures may be fetched from that requests name by their address; from nowhere without.
    pub image_hosts: Vec<ImageHost>,
    /// How much one request, and all together, may take.
    pub limits: Limits,
}

/// A set and the name that requests call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSet {
    /// One path segment: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The set.
    pub path: PathBuf,
}

/// The most places of anything, more than any machine has room for.
const PLACES: u64 = u32::MAX as u64;
/// The most seconds of a request.
const DAY: u64 = 24 * 60 * 60;

/// How much one request, and all together, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of all bodies that are held at once.
    pub memory_bytes: usize,
    /// Pixels of an image, as its header announces them.
    pub pixels: u64,
    /// Images, vectors or texts of a request.
    pub batch: usize,
    /// Labels of a request.
    pub labels: usize,
    /// Prompts of a request: labels times templates.
    pub prompts: usize,
    /// Requests that are worked on or wait; more are refused with 429.
    pub requests: usize,
    /// Images that wait for the encoder, and as many again that are to be fetched first; more are
    /// refused with 429.
    pub images: usize,
    /// Open connections. For one more the one is closed that has been idle for longest; while none is,
    /// only requests that ask how the server is are answered.
    pub connections: usize,
    /// How long a request may take, and how long its body may take to come.
    pub time: Duration,
    /// How long requests that run may go on after the server was told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    /// For a machine of two cores: a full queue of images is two or three seconds of work.
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
    /// Refuses what would not be safe or cannot be meant.
    ///
    /// # Errors
    /// What is wrong, and what to do.
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

impl Limits {
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
            ("bytes of a body", body_bytes, memory_bytes),
            ("images of a request", batch, images),
        ] {
            if small == 0 || small > large {
                return Err(ServeError::Limits { what, small, large });
            }
        }
        Ok(())
    }
}

/// Whether a set may be called so: one path segment that needs no escaping, and is not hidden.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ServeOptions {
        ServeOptions {
            sets: vec![NamedSet {
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
            limits: Limits::default(),
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
        let key = Key::new("0123456789abcdef").ok();
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
        let with = |change: fn(&mut Limits)| {
            let mut options = options();
            change(&mut options.limits);
            options.validate()
        };
        for change in [
            (|l| l.requests = 0) as fn(&mut Limits),
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
