//! Metrics for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use asif::modality::{Modality, PerModality};

/// The content type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The labels of a finished request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EncoderLabels {
    encoder: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SetLabels {
    set: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SetEncoderLabels {
    set: String,
    encoder: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cache: &'static str,
    hit: &'static str,
}

/// All metrics of the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    refusals: Family<RefusalLabels, Counter>,
    running: Gauge,
    batches: Family<EncoderLabels, Histogram>,
    encoding: Family<EncoderLabels, Histogram>,
    queued: Family<EncoderLabels, Histogram>,
    waiting: Family<SetEncoderLabels, Gauge>,
    caches: Family<CacheLabels, Counter>,
    generation: Family<SetLabels, Gauge>,
    pairs: Family<SetLabels, Gauge>,
    degraded: Family<SetLabels, Gauge>,
    swaps: Family<SetLabels, Counter>,
    swap_failures: Family<SetLabels, Counter>,
    memory: Gauge,
}

/// From half a millisecond to half a minute.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 17))
}

fn sizes() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("asif");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program", Info::new(version));
        let mut new = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            refusals: Family::default(),
            running: Gauge::default(),
            batches: Family::new_with_constructor(sizes),
            encoding: Family::new_with_constructor(seconds),
            queued: Family::new_with_constructor(seconds),
            waiting: Family::default(),
            caches: Family::default(),
            generation: Family::default(),
            pairs: Family::default(),
            degraded: Family::default(),
            swaps: Family::default(),
            swap_failures: Family::default(),
            memory: Gauge::default(),
            registry,
        };
        new.register();
        new
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Finished requests", self.requests.clone());
        r.register_with_unit(
            "request",
            "Time from the end of a request's headers to its response",
            Unit::Seconds,
            self.seconds.clone(),
        );
        r.register(
            "refusals",
            "Refused requests by code",
            self.refusals.clone(),
        );
        r.register("requests_running", "Running requests", self.running.clone());
        r.register(
            "encode_batch",
            "Inputs per call of an encoder or of the search",
            self.batches.clone(),
        );
        r.register_with_unit(
            "encode",
            "Duration of a call",
            Unit::Seconds,
            self.encoding.clone(),
        );
        r.register_with_unit(
            "encode_wait",
            "Longest wait among the inputs of a call",
            Unit::Seconds,
            self.queued.clone(),
        );
        r.register(
            "encode_waiting",
            "Inputs that wait for the encoder of an anchor set; anchor sets may share an encoder",
            self.waiting.clone(),
        );
        r.register(
            "cache_lookups",
            "Cache lookups of label heads and text vectors, by hit or miss",
            self.caches.clone(),
        );
        r.register("generation", "The live generation", self.generation.clone());
        r.register(
            "pairs",
            "Anchor pairs in the live generation",
            self.pairs.clone(),
        );
        r.register(
            "degraded",
            "1 while CURRENT names a generation that fails its checks",
            self.degraded.clone(),
        );
        r.register(
            "swaps",
            "Generations that went live since the start",
            self.swaps.clone(),
        );
        r.register(
            "swap_failures",
            "Generations that failed their checks",
            self.swap_failures.clone(),
        );
        r.register_with_unit(
            "process_resident_memory",
            "Resident memory of the process",
            Unit::Bytes,
            self.memory.clone(),
        );
    }

    /// A request started.
    pub fn begin(&self) {
        self.running.inc();
    }

    /// A request finished; `status` 499 stands for a client that disconnected.
    pub fn end(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.running.dec();
        let route = route.to_owned();
        let ended = RequestLabels {
            route: route.clone(),
            method: method.to_owned(),
            status,
        };
        self.requests.get_or_create(&ended).inc();
        let seconds = self.seconds.get_or_create(&RouteLabels { route });
        seconds.observe(took.as_secs_f64());
    }

    /// A request was refused.
    pub fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { code }).inc();
    }

    /// A call of an encoder or of the search.
    pub fn batch(&self, encoder: &'static str, call: crate::inputs::batching::BatchCall) {
        let side = EncoderLabels { encoder };
        self.batches.get_or_create(&side).observe(call.size as f64);
        let took = call.took.as_secs_f64();
        self.encoding.get_or_create(&side).observe(took);
        let waited = call.waited.as_secs_f64();
        self.queued.get_or_create(&side).observe(waited);
    }

    /// Lookups in a cache.
    pub fn looked_up(&self, cache: &'static str, hit: bool, times: usize) {
        let hit = if hit { "true" } else { "false" };
        let found = CacheLabels { cache, hit };
        self.caches.get_or_create(&found).inc_by(times as u64);
    }

    /// A new generation went live.
    pub fn swapped(&self, set: &str) {
        let set = SetLabels {
            set: set.to_owned(),
        };
        self.swaps.get_or_create(&set).inc();
    }

    /// A generation failed its checks.
    pub fn swap_failed(&self, set: &str) {
        let set = SetLabels {
            set: set.to_owned(),
        };
        self.swap_failures.get_or_create(&set).inc();
    }

    /// The images and texts that wait for the encoders of an anchor set.
    pub fn waiting(&self, set: &str, waiting: PerModality<usize>) {
        for (modality, n) in Modality::BOTH.into_iter().zip(waiting) {
            let (set, encoder) = (set.to_owned(), modality.name());
            let gauge = self
                .waiting
                .get_or_create(&SetEncoderLabels { set, encoder });
            gauge.set(n.try_into().unwrap_or(i64::MAX));
        }
    }

    /// The live generation of an anchor set.
    pub fn live(&self, set: &str, status: &asif::anchors::live::LiveStatus) {
        let set = SetLabels {
            set: set.to_owned(),
        };
        let gauge = |family: &Family<SetLabels, Gauge>, value: u64| {
            family
                .get_or_create(&set)
                .set(value.try_into().unwrap_or(i64::MAX));
        };
        gauge(&self.generation, status.generation);
        gauge(&self.pairs, status.pairs);
        gauge(&self.degraded, u64::from(status.degraded.is_some()));
    }

    /// The metrics as text in the format of [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes.try_into().unwrap_or(i64::MAX));
        }
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// The resident memory of the process, where the system reports it.
fn resident_bytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
