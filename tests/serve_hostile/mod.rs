//! Mixed hostile load on a server, with good clients beside it. The benchmark `serve_load` runs it for
//! long, a test for some seconds. Loopback only, and it ends by itself.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "shared by a test and a benchmark, each of which uses its own part"
)]

#[path = "../bad_pictures/files.rs"]
pub mod picture_files;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::serve_support::{Client, Server, base64, picture, question};
use crate::support;

/// The key of the routes that change the set.
pub const ADMIN: &str = "an-admin-key-of-the-hostile-load";
/// Silent connections that are held at once; more than the places that the server is given.
pub const IDLE: usize = 300;
/// The places that the server is given.
pub const PLACES: &str = "150";

/// What came of it.
#[derive(Debug, Default)]
pub struct HostileReport {
    /// Good requests that were answered as they should.
    pub good: u64,
    /// Those that were not, the first few.
    pub failed: Vec<String>,
    /// Hostile requests and connections.
    pub hostile: u64,
    /// Changes of the set.
    pub changes: u64,
    /// Milliseconds of each probe, ascending.
    pub probes: Vec<f64>,
    /// MiB of memory and open files, at even distances.
    pub seen: Vec<(f64, usize)>,
}

struct Shared<'a> {
    server: &'a Server,
    until: Instant,
    good: AtomicU64,
    hostile: AtomicU64,
    changes: AtomicU64,
    failed: Mutex<Vec<String>>,
    probes: Mutex<Vec<f64>>,
}

impl Shared<'_> {
    fn runs(&self) -> bool {
        Instant::now() < self.until
    }

    fn good(&self, what: &str, wanted: u16, answer: Option<(u16, String)>) {
        match answer {
            Some((status, _)) if status == wanted => {
                self.good.fetch_add(1, Ordering::Relaxed);
            }
            other => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.len() < 20 {
                    failed.push(format!("{what}: {other:?}"));
                }
            }
        }
    }
}

/// A connection, unless the system has none.
fn connect(server: &Server) -> Option<Client> {
    let stream = std::net::TcpStream::connect(&server.address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    stream.set_nodelay(true).ok()?;
    Some(Client(std::io::BufReader::new(stream)))
}

/// Attacks `server`, which serves the set `a` with [`ADMIN`] as its admin key, [`PLACES`] as its
/// connections and a folder for uploads.
pub fn attack(server: &Server, time: Duration) -> HostileReport {
    let shared = Shared {
        server,
        until: Instant::now() + time,
        good: AtomicU64::new(0),
        hostile: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        failed: Mutex::default(),
        probes: Mutex::default(),
    };
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let shared = &shared;
        scope.spawn(|| classify(shared));
        scope.spawn(|| embed(shared));
        scope.spawn(|| probe(shared));
        scope.spawn(|| change(shared));
        scope.spawn(|| idle(shared));
        scope.spawn(|| drip(shared));
        scope.spawn(|| junk(shared));
        scope.spawn(|| bad_requests(shared));
        (0..4).for_each(|_| drop(scope.spawn(|| large_pictures(shared))));
        while shared.runs() {
            seen.push((resident(server), open_files(server)));
            std::thread::sleep((time / 12).min(Duration::from_secs(30)));
        }
    });
    let mut probes = shared
        .probes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    probes.sort_by(f64::total_cmp);
    HostileReport {
        good: shared.good.into_inner(),
        failed: shared
            .failed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        hostile: shared.hostile.into_inner(),
        changes: shared.changes.into_inner(),
        probes,
        seen,
    }
}

fn ask(client: &mut Client, path: &str, body: &Value) -> Option<(u16, String)> {
    client.write("POST", path, &[], body.to_string().as_bytes());
    client
        .try_read()
        .map(|answer| (answer.status, answer.text()))
}

/// A client that keeps its connection.
fn classify(shared: &Shared<'_>) {
    let Some(mut client) = connect(shared.server) else {
        return shared.good("connect", 200, None);
    };
    for number in 0.. {
        if !shared.runs() {
            break;
        }
        let answer = ask(&mut client, "/v1/classify", &question(number % 8));
        // An image's own error comes with 200.
        let told = answer.map(|(status, text)| match text.contains("\"error\"") {
            true => (0, text),
            false => (status, text),
        });
        shared.good("classify", 200, told);
    }
}

/// A client that opens a connection for each request.
fn embed(shared: &Shared<'_>) {
    while shared.runs() {
        let body = json!({"input": ["a cat", "a dog"]});
        let answer = connect(shared.server).and_then(|mut c| ask(&mut c, "/v1/embeddings", &body));
        shared.good("embeddings", 200, answer);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ten times a second.
fn probe(shared: &Shared<'_>) {
    while shared.runs() {
        let begun = Instant::now();
        let answer = connect(shared.server).and_then(|mut client| {
            client.write("GET", "/health", &[], b"");
            client
                .try_read()
                .map(|answer| (answer.status, answer.text()))
        });
        shared.good("health", 200, answer);
        let took = begun.elapsed();
        let mut probes = shared.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes.push(took.as_secs_f64() * 1e3);
        drop(probes);
        std::thread::sleep(Duration::from_millis(100).saturating_sub(took));
    }
}

/// A pair comes and goes.
fn change(shared: &Shared<'_>) {
    for number in 0_u32.. {
        if !shared.runs() {
            break;
        }
        let id = format!("hostile/{number}");
        let pair =
            json!({"pairs": [{"image": picture(number % 8), "captions": ["it comes"], "id": id}]});
        for (route, body) in [("add", pair), ("remove", json!({"ids": [id]}))] {
            let answer = connect(shared.server).and_then(|mut client| {
                let bearer = format!("Bearer {ADMIN}");
                let path = format!("/admin/sets/a/{route}");
                let headers = [("authorization", bearer.as_str())];
                client.write("POST", &path, &headers, body.to_string().as_bytes());
                let answer = client.try_read()?;
                Some((answer.status, answer.text()))
            });
            shared.good(route, 200, answer);
            shared.changes.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_secs(3));
    }
}

/// Connections that say nothing, always as many.
fn idle(shared: &Shared<'_>) {
    let mut held = std::collections::VecDeque::new();
    while shared.runs() {
        held.extend(connect(shared.server));
        shared.hostile.fetch_add(1, Ordering::Relaxed);
        if held.len() > IDLE {
            held.pop_front();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Heads and bodies of a byte a second, and answers that nobody takes.
fn drip(shared: &Shared<'_>) {
    let mut slow = Vec::new();
    while shared.runs() {
        if slow.len() < 60 {
            for begin in [
                "G",
                "POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4096\r\n\r\n",
                "POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
            ] {
                if let Some(mut client) = connect(shared.server) {
                    client.raw(begin.as_bytes());
                    slow.push(client);
                }
            }
            if let Some(mut deaf) = connect(shared.server) {
                let asked = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100);
                deaf.raw(asked.as_bytes());
                slow.push(deaf);
            }
        }
        slow.retain_mut(|client| std::io::Write::write(client.0.get_mut(), b"1").is_ok());
        shared
            .hostile
            .fetch_add(slow.len() as u64, Ordering::Relaxed);
        std::thread::sleep(
            Duration::from_secs(1).min(shared.until.saturating_duration_since(Instant::now())),
        );
    }
}

/// What is not HTTP, or too much of it.
fn junk(shared: &Shared<'_>) {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let many = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "a: b\r\n".repeat(5_000)
    );
    let smuggled =
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n";
    let noise = "\u{16}\u{3}\u{1}\u{2}".repeat(100);
    let cut = "POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{\"images\": [\"";
    while shared.runs() {
        for sent in [long.as_str(), &many, smuggled, &noise, cut, "\0\0\0\0"] {
            // Gone before the answer comes.
            if let Some(mut client) = connect(shared.server) {
                client.raw(sent.as_bytes());
            }
            shared.hostile.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A PNG of grey zeros, which takes seconds to decode and no time to send.
pub fn large_png(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let rows = height as usize * (1 + width as usize);
    picture_files::png(&[
        (*b"IHDR", [sides, vec![8, 0, 0, 0, 0]].concat()),
        (*b"IDAT", picture_files::zeros_deflated(rows)),
        (*b"IEND", Vec::new()),
    ])
}

/// A small PNG whose colour profile inflates to so many bytes.
pub fn profile_bomb(length: usize) -> Vec<u8> {
    let profile = [b"p\0\0".to_vec(), picture_files::zeros_deflated(length)];
    picture_files::with_chunks(&large_png(10, 10), |chunks| {
        chunks.insert(1, (*b"iCCP", profile.concat()));
    })
}

/// A request to classify, over a connection of its own, whatever comes of it.
fn send_hostile(shared: &Shared<'_>, body: &str) {
    if let Some(mut client) = connect(shared.server) {
        client.write("POST", "/v1/classify", &[], body.as_bytes());
        let _ = client.try_read();
    }
    shared.hostile.fetch_add(1, Ordering::Relaxed);
}

/// Pictures that are slow to decode, or would be large if all of them were inflated.
fn large_pictures(shared: &Shared<'_>) {
    let pictures = [large_png(6_000, 6_000), profile_bomb(128 << 20)];
    let bodies = pictures.map(|png| json!({"images": [base64(&png)], "labels": ["a"]}).to_string());
    while shared.runs() {
        for body in &bodies {
            send_hostile(shared, body);
        }
    }
}

/// Whole requests that are refused, or whose picture is none.
fn bad_requests(shared: &Shared<'_>) {
    let jpeg = support::jpeg(1);
    let cut = base64(&jpeg[..jpeg.len() / 2]);
    let bomb = base64(&support::png_header(60_000, 60_000));
    let bodies = [
        json!({"images": [cut], "labels": ["a"]}).to_string(),
        json!({"images": [bomb], "labels": ["a"]}).to_string(),
        json!({"images": ["bm8gcGljdHVyZQ=="], "labels": ["a"]}).to_string(),
        json!({"images": 3, "labels": ["a"]}).to_string(),
        json!({"vectors": [vec![0.0; 1280]], "labels": ["a"]}).to_string(),
        "{\"labels\": [".to_owned() + &"[".repeat(10_000),
        "{\"labels\": [\"a\"], \"vectors\": [[NaN]]}".to_owned(),
    ];
    while shared.runs() {
        for body in &bodies {
            send_hostile(shared, body);
        }
        if let Some(mut client) = connect(shared.server) {
            let wrong = [("authorization", "Bearer a-wrong-key-of-some-length")];
            client.write("POST", "/admin/sets/a/rollback", &wrong, b"{}");
            let _ = client.try_read();
        }
        // Gone while its answer is made.
        if let Some(mut client) = connect(shared.server) {
            client.write(
                "POST",
                "/v1/classify",
                &[],
                question(3).to_string().as_bytes(),
            );
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// MiB that the server has in memory.
fn resident(server: &Server) -> f64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<f64>().ok())
        .unwrap_or(f64::NAN)
        / 1024.0
}

fn open_files(server: &Server) -> usize {
    fs_err::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count()
}
