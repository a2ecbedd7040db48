//! The state that all requests share.

use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{OpenError, Refusal, ServeError};
use crate::inputs::encoders::SharedEncoders;
use crate::inputs::fetch::ImageFetcher;
use crate::middleware::auth::AccessPolicy;
use crate::middleware::limits::RequestLimiter;
use crate::middleware::metrics::Metrics;
use crate::middleware::paths::without_paths;
use crate::options::{ServeLimits, ServeOptions};
use crate::sets::set::ServedSet;
use crate::sets::uploads;
use crate::workers::compute::ComputePool;
use crate::workers::search_batcher::SearchBatcher;
use asif::anchors::AnchorSet;
use asif::embed::Embedder;

/// The fields of receipts that hold ids of pairs.
const IDS: [&str; 3] = ["added_ids", "removed_ids", "missing"];

/// Opens the encoders that an anchor set was built with.
pub type OpenEncoders<'a> = dyn Fn(&AnchorSet) -> Result<Embedder, OpenError> + 'a;

/// The state of a server; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct AppState(Arc<InnerState>);

#[derive(Debug)]
struct InnerState {
    sets: Vec<ServedSet>,
    compute: Arc<ComputePool>,
    represent: SearchBatcher,
    metrics: Arc<Metrics>,
    gate: AccessPolicy,
    room: RequestLimiter,
    limits: ServeLimits,
    options: ServeOptions,
    started: SystemTime,
}

impl AppState {
    /// Opens the anchor sets and their encoders.
    ///
    /// # Errors
    /// When one of them cannot be served.
    pub fn open(options: ServeOptions, open: &OpenEncoders<'_>) -> Result<Self, ServeError> {
        // Only absolute paths are recognised, and removed, in messages to clients.
        let options = options.with_absolute_paths();
        let metrics = Arc::new(Metrics::new());
        let limits = options.limits;
        let room = RequestLimiter::new(&limits);
        let (hosts, memory) = (options.image_hosts.clone(), room.memory().clone());
        let fetcher = Arc::new(ImageFetcher::new(hosts, memory, &limits)?);
        let mut encoders: Vec<Arc<SharedEncoders>> = Vec::new();
        let mut sets = Vec::with_capacity(options.sets.len());
        for named in &options.sets {
            // A damaged set still names its encoders, and is served from an older generation.
            let (set, _) = AnchorSet::open_or_last_good(&named.path)?;
            // Sets with the same encoders share them, their batches and their memory.
            let known = encoders.iter().find(|known| known.check(&set).is_ok());
            let shared = match known {
                Some(shared) => Arc::clone(shared),
                None => {
                    let embedder = open(&set).map_err(|source| ServeError::Encoders {
                        set: named.path.clone(),
                        source,
                    })?;
                    let new = SharedEncoders::start(
                        Arc::new(embedder),
                        Arc::clone(&fetcher),
                        &limits,
                        Arc::clone(&metrics),
                    )?;
                    let new = Arc::new(new);
                    encoders.push(Arc::clone(&new));
                    new
                }
            };
            // Files that a killed server left are removed before new uploads come.
            if let Some(uploads) = &options.uploads {
                let folder = uploads.join(&named.name);
                uploads::sweep(&folder, &named.path)
                    .map_err(|source| ServeError::Uploads { folder, source })?;
            }
            sets.push(ServedSet::open(named, shared, Arc::clone(&metrics))?);
        }
        let gate = AccessPolicy {
            api: options.api_key.clone(),
            admin: options.admin_key.clone(),
            local: options.api_key.is_none() && options.listen.ip().is_loopback(),
        };
        let compute = Arc::new(ComputePool::start()?);
        Ok(Self(Arc::new(InnerState {
            sets,
            represent: SearchBatcher::start(Arc::clone(&compute), Arc::clone(&metrics))?,
            compute,
            metrics,
            gate,
            room,
            limits,
            options,
            started: SystemTime::now(),
        })))
    }

    /// All anchor sets, in the order of the options.
    pub fn sets(&self) -> &[ServedSet] {
        &self.0.sets
    }

    /// The anchor set of this name; the first one by default.
    ///
    /// # Errors
    /// When there is no such anchor set.
    pub fn set(&self, name: Option<&str>) -> Result<&ServedSet, Refusal> {
        let found = match name {
            None => self.0.sets.first(),
            Some(name) => self.0.sets.iter().find(|set| set.name() == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.0.sets.iter().map(ServedSet::name).collect();
            // The requested name is not repeated: it may be any text.
            let message = format!("no such anchor set; there are {}", names.join(", "));
            Refusal::not_found("no_such_set", message)
        })
    }

    /// A message for clients, without paths of this machine.
    pub fn told(&self, message: &str) -> String {
        let sets = self.0.sets.iter();
        let told = sets.fold(message.to_owned(), |told, set| set.without_path(&told));
        without_paths(&told)
    }

    /// The same for all texts of a JSON value except ids of pairs.
    pub fn told_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.told(&text)),
            Value::Array(list) => list.into_iter().map(|v| self.told_json(v)).collect(),
            Value::Object(map) => {
                let told = |(key, value): (String, Value)| match IDS.contains(&key.as_str()) {
                    // Ids belong to the client, even if they look like paths.
                    true => (key, value),
                    false => {
                        let told = self.told_json(value);
                        (key, told)
                    }
                };
                map.into_iter().map(told).collect()
            }
            other => other,
        }
    }

    /// The threads for computations.
    pub fn compute(&self) -> &ComputePool {
        &self.0.compute
    }

    /// The batched searches.
    pub fn represent(&self) -> &SearchBatcher {
        &self.0.represent
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Access control.
    pub fn gate(&self) -> &AccessPolicy {
        &self.0.gate
    }

    /// The admission of requests.
    pub fn room(&self) -> &RequestLimiter {
        &self.0.room
    }

    /// The limits.
    pub fn limits(&self) -> &ServeLimits {
        &self.0.limits
    }

    /// The options that the server was started with.
    pub fn options(&self) -> &ServeOptions {
        &self.0.options
    }

    /// The time of the start.
    pub fn started(&self) -> SystemTime {
        self.0.started
    }
}
