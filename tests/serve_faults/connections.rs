//! Connections that do nothing, or send what is not a request: others are answered meanwhile, and each
//! gets an answer of its own.

use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve_support::{Client, Server, question};
use crate::{server, still_answers, support};

/// All that comes until the other side closes.
fn all(client: &mut Client) -> String {
    let mut said = Vec::new();
    let _ = client.0.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

/// The refusals of what is not a request are those of every other.
fn refused(server: &Server, sent: &[u8], status: u16, code: &str) {
    let mut client = server.connect();
    client.raw(sent);
    let answer = client.read();
    let message = answer.refused(status, code);
    assert!(message.is_ascii() && message.len() > 20, "{message}");
    assert_eq!(all(&mut client), "", "and the connection ends");
}

#[test]
fn idle_connections_keep_nobody_waiting() {
    let server = server(&["--max-connections", "40", "--timeout", "600"]);
    // More than there are places, before any key is asked for: silent, half a head, half a body.
    let held: Vec<Client> = (0..120)
        .map(|number| {
            let mut client = server.connect();
            client.raw(match number % 3 {
                0 => b"",
                1 => b"POST /v1/classify HTT",
                _ => b"POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{",
            });
            client
        })
        .collect();
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    server.post("/v1/classify", &question(1)).ok();
    // A connection that is used stays while idle ones go.
    let mut good = server.connect();
    for _ in 0..3 {
        good.post("/v1/classify", &question(1)).ok();
        let _more: Vec<Client> = (0..30).map(|_| server.connect()).collect();
        std::thread::sleep(Duration::from_millis(250));
    }
    drop(held);
    still_answers(&server);
}

#[test]
fn few_file_descriptors_neither_end_nor_stop_the_server() {
    let server = Server::start_limited("ulimit -n 128", &[("demo", support::demo_set())], &[]);
    let _held: Vec<Client> = (0..400).map(|_| server.connect()).collect();
    for _ in 0..20 {
        server.get("/health").ok();
    }
    server.post("/v1/classify", &question(1)).ok();
}

#[test]
fn probes_have_a_port_of_their_own_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs_err::write(&key, "a-key-of-sixteen-characters").unwrap();
    let key = key.display().to_string();
    let server = server(&["--probe-listen", "127.0.0.1:0", "--api-key-file", &key]);
    let probe = server.told["probe_listen"].as_str().unwrap();
    for path in ["/health", "/ready", "/metrics"] {
        let answer = server.connect_to(probe).send("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in [
        "/",
        "/v1/sets",
        "/info",
        "/openapi.json",
        "/admin/sets/demo/rollback",
    ] {
        let answer = server.connect_to(probe).send("GET", path, &[], b"");
        answer.refused(404, "no_route");
    }
    server.get("/metrics").refused(401, "invalid_api_key");
    let taken = ["--probe-listen", probe];
    match Server::try_start(&[("demo", support::demo_set())], &taken) {
        Err(ended) => ended.fails(1, &[probe, "--probe-listen"]),
        Ok(_) => panic!("two servers on one port"),
    };
}

#[test]
fn what_is_no_request_is_answered_with_what_is_wrong() {
    let server = server(&[]);
    let with = |more: &str| format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let chunks = |chunks: &str| {
        let head = "POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked";
        format!("{head}\r\n\r\n{chunks}")
    };
    let bad = "malformed_request";
    for (sent, status, code) in [
        (with(&"a: b\r\n".repeat(200)), 431, "long_headers"),
        (
            with(&format!("a: {}\r\n", "b".repeat(100_000))),
            431,
            "long_headers",
        ),
        (
            with(&format!("a: {}\r\n", "b".repeat(8 << 20))),
            431,
            "long_headers",
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
                "a".repeat(9_000)
            ),
            414,
            "long_target",
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
                "a".repeat(1 << 20)
            ),
            414,
            "long_target",
        ),
        ("HELO you\r\n\r\n".to_owned(), 400, bad),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned(), 400, bad),
        ("\0".repeat(5_000), 400, bad),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            505,
            "http_version",
        ),
        ("GET /health HTTP/1.1\r\n\r\n".to_owned(), 400, bad),
        (with("host: localhost\r\n"), 400, bad),
        (with("a: \u{0}\r\n"), 400, bad),
        (with("a: \u{1b}[2J\r\n"), 400, bad),
        (
            with("content-length: 3\r\ntransfer-encoding: chunked\r\n"),
            400,
            bad,
        ),
        (with("content-length: 3\r\ncontent-length: 4\r\n"), 400, bad),
        (with("content-length: -1\r\n"), 400, bad),
        (with("transfer-encoding: gzip\r\n"), 501, "transfer_coding"),
        (
            with("content-length: 18446744073709551615\r\n"),
            413,
            "too_large",
        ),
        (target("/<a>"), 400, bad),
        (target("?a"), 400, bad),
        (target("file:///etc/passwd"), 400, bad),
        (target("http://example.org/health"), 400, bad),
        (
            chunks(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(900))),
            400,
            "incomplete_body",
        ),
        (
            chunks(&format!("1;{}\r\n \r\n", "a".repeat(7_000)).repeat(60)),
            400,
            "incomplete_body",
        ),
        (with("expect: the best\r\n"), 417, "expectation"),
        (
            "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
        ),
    ] {
        refused(&server, sent.as_bytes(), status, code);
    }
    // Behind a good request on the same connection the good one is answered first.
    let mut client = server.connect();
    client.raw((with("") + "nonsense\r\n\r\n").as_bytes());
    client.read().ok();
    client.read().refused(400, bad);
    // A head that is cut off, by a client that still listens.
    let mut client = server.connect();
    client.raw(b"GET /health HT");
    client
        .0
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    client.read().refused(400, bad);
    still_answers(&server);
}

#[test]
fn odd_and_valid_requests_are_understood() {
    let server = server(&[]);
    let status = |sent: &str| {
        let mut client = server.connect();
        client.raw(sent.as_bytes());
        client.try_read().map(|answer| (answer.status, answer))
    };
    for sent in [
        "GET /health HTTP/1.0\r\n\r\n",
        "GET http://localhost/health HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "\r\n\r\nGET /health HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /health HTTP/1.1\nhost: localhost\n\n",
        "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-a: \u{e9}\r\n\r\n",
    ] {
        let (status, answer) = status(sent).unwrap();
        assert_eq!(status, 200, "{sent:?}: {}", answer.text());
    }
    for (method, path) in [
        ("DELETE", "/health"),
        ("BREW", "/v1/classify"),
        ("OPTIONS", "/v1/sets"),
    ] {
        let answer = server.connect().send(method, path, &[], b"");
        answer.refused(405, "method_not_allowed");
        assert!(
            answer
                .header("allow")
                .is_some_and(|allow| !allow.is_empty()),
            "{method} {path}"
        );
    }
    // Many at once on one connection, in their order, and a body of chunks among them.
    let mut client = server.connect();
    let one = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let chunked = "POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\n{\"l\r\n1;a=b\r\n}\r\n0\r\n\r\n";
    client.raw((one.repeat(50) + chunked + one).as_bytes());
    for _ in 0..50 {
        client.read().ok();
    }
    client.read().refused(400, "malformed_json");
    client.read().ok();
    // Bodies that are not what they say.
    for body in ["zz\r\n", "5\r\nab\r\n0\r\n\r\n", "-1\r\n\r\n"] {
        let mut client = server.connect();
        client.raw(
            b"POST /v1/classify HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        client.raw(body.as_bytes());
        client
            .0
            .get_ref()
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
        client.read().refused(400, "incomplete_body");
    }
    let mut client = server.connect();
    client.write("POST", "/v1/classify", &[("content-length", "50")], b"{");
    client
        .0
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    client.read().refused(400, "incomplete_body");
    still_answers(&server);
}

#[test]
fn a_closed_standard_error_ends_nothing() {
    let server = Server::start_limited("exec 2>&-", &[("demo", support::demo_set())], &[]);
    for _ in 0..3 {
        server.get("/health").ok();
        server.post("/v1/classify", &question(1)).ok();
    }
    let full = Server::start_limited("exec 2>/dev/full", &[("demo", support::demo_set())], &[]);
    full.post("/v1/classify", &Value::Null)
        .refused(400, "wrong_fields");
    full.post("/v1/classify", &question(1)).ok();
    // A server that cannot start says so by its code all the same.
    let out = Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" serve --index /no/such.asif 2>/dev/full",
            support::program(),
        ])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn who_ends_its_side_after_a_whole_request_is_answered() {
    let server = server(&[]);
    let health = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let body = "{\"input\": \"a text that is kept\"}";
    let embed = format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Asked again it comes out of what is kept, well within the time.
    let asked = serde_json::json!({"input": "a text that is kept"});
    server.post("/v1/embeddings", &asked).ok();
    for (sent, answers) in [
        (health.to_owned(), 1),
        ("GET /health HTTP/1.0\r\n\r\n".to_owned(), 1),
        (health.repeat(100), 100),
        (embed.clone(), 1),
        (health.to_owned() + &embed, 2),
    ] {
        let mut client = server.connect();
        client.raw(sent.as_bytes());
        let stream = client.0.get_ref();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..answers {
            client.read().ok();
        }
        let begun = Instant::now();
        assert!(client.try_read().is_none(), "and the connection ends");
        // As soon as the answer was taken.
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{sent:?}");
    }
    still_answers(&server);
}

#[test]
fn who_loses_its_place_before_its_request_came_has_a_moment_for_it() {
    let server = server(&["--max-connections", "8"]);
    let mut good = server.connect();
    // Longer than a new connection is left alone.
    std::thread::sleep(Duration::from_millis(300));
    let _silent: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(100));
    good.post("/v1/classify", &question(1)).ok();
}
