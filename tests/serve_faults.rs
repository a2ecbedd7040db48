//! Clients and disks that misbehave: each is refused in the one shape of refusals or forgotten, and
//! the server answers the next one.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod serve_support;
mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serve_support::{PATIENCE, Server, base64, form, picture, question};

fn server(more: &[&str]) -> Server {
    Server::start(&[("demo", support::demo_set())], more)
}

/// It answers as if nothing had been.
fn still_answers(server: &Server) {
    server.post("/v1/classify", &question(1)).ok();
    let running = server.get("/metrics").text();
    // This very request is the one that runs.
    assert!(running.contains("asif_requests_running 1\n"), "{running}");
}

/// Waits until the log has a word.
fn logged(server: &Server, word: &str) {
    let begun = Instant::now();
    while !server.log().contains(word) {
        assert!(
            begun.elapsed() < PATIENCE,
            "no {word:?} in: {}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_client_that_goes_away_is_forgotten() {
    let server = server(&[]);
    // In the middle of its body.
    let mut gone = server.connect();
    let headers = [("content-length", "100000")];
    gone.write("POST", "/v1/classify", &headers, b"{\"images\": [\"");
    drop(gone);
    logged(&server, "\"status\":4");
    // While its answer is made.
    let mut gone = server.connect();
    let labels: Vec<String> = (0..900).map(|i| format!("a thing of kind {i}")).collect();
    let asked = json!({"images": [picture(1)], "labels": labels}).to_string();
    gone.write("POST", "/v1/classify", &[], asked.as_bytes());
    std::thread::sleep(Duration::from_millis(50));
    drop(gone);
    logged(&server, "\"status\":499");
    still_answers(&server);
}

#[test]
fn a_slow_client_keeps_nobody_waiting_and_is_refused_in_time() {
    let server = server(&["--timeout", "1"]);
    let mut slow = server.connect();
    slow.write("POST", "/v1/classify", &[("content-length", "50")], b"{");
    let begun = Instant::now();
    server.get("/health").ok();
    slow.read().refused(408, "slow_body");
    assert!(begun.elapsed() >= Duration::from_millis(500));
    still_answers(&server);
}

#[test]
fn a_body_of_100_mb_is_refused_before_it_is_kept() {
    let server = server(&[]);
    let chunk = vec![b'a'; 1 << 20];
    // It says how large it is, or not.
    for headers in [
        [("content-length", "104857600")],
        [("transfer-encoding", "chunked")],
    ] {
        let chunked = headers[0].0 == "transfer-encoding";
        let mut client = server.connect();
        client.write("POST", "/v1/classify", &headers, b"");
        for _ in 0..100 {
            if chunked {
                client.raw(b"100000\r\n");
            }
            client.raw(&chunk);
            if chunked {
                client.raw(b"\r\n");
            }
        }
        if chunked {
            client.raw(b"0\r\n\r\n");
        }
        let message = client.read().refused(413, "too_large");
        assert!(message.contains("bytes"), "{message}");
    }
    let metrics = server.get("/metrics").text();
    let memory = metrics
        .lines()
        .find_map(|l| l.strip_prefix("asif_process_resident_memory_bytes "));
    let memory: u64 = memory.unwrap().parse().unwrap();
    assert!(memory < 1 << 30, "{memory} bytes");
    still_answers(&server);
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let server = server(&["--max-pixels", "1"]);
    let asked = json!({"labels": ["a"], "images": [
        base64(&png_that_claims(60_000, 60_000)),
        base64(&png_that_claims(16_000, 16_000)),
        base64(&png_that_claims(1_100, 1_000)),
        picture(1),
    ]});
    let results = server.post("/v1/classify", &asked).ok()["results"].clone();
    for result in &results.as_array().unwrap()[..3] {
        let error = result["error"].as_str().unwrap();
        assert!(error.contains("too large"), "{error}");
    }
    assert!(results[3]["error"].is_null(), "{}", results[3]);
    still_answers(&server);
}

/// A small picture whose header claims another size.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut small = std::io::Cursor::new(Vec::new());
    let drawn = support::drawing(8, 8, 1);
    drawn.write_to(&mut small, image::ImageFormat::Png).unwrap();
    let mut png = support::png_header(width, height);
    png.extend_from_slice(&small.into_inner()[png.len()..]);
    png
}

#[test]
fn malformed_bodies_are_refused_with_the_place() {
    let server = server(&[]);
    let send = |kind: &str, body: &[u8]| {
        let headers = [("content-type", kind)];
        server
            .connect()
            .send("POST", "/v1/classify", &headers, body)
    };
    let json = "application/json";
    for body in ["", "{", "{\"labels\": [\"a\"],}", "\u{0}", "nonsense"] {
        let message = send(json, body.as_bytes()).refused(400, "malformed_json");
        assert!(message.contains("line 1"), "{message}");
    }
    send(json, &[0xff, 0xfe, 0x00]).refused(400, "malformed_json");
    let deep = format!("{{\"more\": {}", "[".repeat(100_000));
    send(json, deep.as_bytes()).refused(400, "malformed_json");
    for body in ["{}", "[]", "{\"labels\": 3}", "{\"labels\": [3]}"] {
        let refused = send(json, body.as_bytes());
        refused.refused(400, "wrong_fields");
    }
    for body in [
        json!({"labels": ["a"]}),
        json!({"labels": ["a"], "images": []}),
        json!({"labels": ["a"], "vectors": [], "images": []}),
    ] {
        server.post("/v1/classify", &body).refused(400, "empty");
    }
    let vector = json!({"labels": ["a"], "vectors": [[1.0, 2.0]]});
    let result = server.post("/v1/classify", &vector).ok();
    assert!(
        result["results"][0]["error"]
            .as_str()
            .unwrap()
            .contains("1280")
    );

    send("multipart/form-data", b"x").refused(400, "malformed_form");
    send("multipart/form-data; boundary=b", b"no boundary").refused(400, "malformed_form");
    let (kind, whole) = form(&[
        ("image", Some("a.jpg"), &support::jpeg(1)),
        ("labels", None, b"a"),
    ]);
    send(&kind, &whole).ok();
    send(&kind, &whole[..whole.len() / 2]).refused(400, "malformed_form");
    let (kind, unknown) = form(&[("file", None, b"a")]);
    send(&kind, &unknown).refused(400, "wrong_fields");
    still_answers(&server);
}

#[test]
fn too_many_labels_prompts_or_images_are_refused() {
    let server = server(&["--max-batch", "4"]);
    let labels: Vec<String> = (0..10_000).map(|i| format!("label {i}")).collect();
    let ask = |labels: &[String], images: usize, templates: Value| {
        let images: Vec<String> = (0..images).map(|_| picture(1)).collect();
        let asked = json!({"labels": labels, "images": images, "templates": templates});
        server.post("/v1/classify", &asked)
    };
    let message = ask(&labels, 1, Value::Null).refused(413, "too_large");
    assert!(message.contains("10000"), "{message}");
    ask(&labels[..300], 1, json!("clip:imagenet")).refused(413, "too_large");
    ask(&labels[..2], 5, Value::Null).refused(413, "too_large");
    ask(&labels[..2], 4, Value::Null).ok();
    ask(&["a".to_owned(), "a".to_owned()], 1, Value::Null).refused(400, "labels");
    ask(&[], 1, Value::Null).refused(400, "labels");
    let texts: Vec<String> = labels[..5].to_vec();
    let asked = json!({"input": texts});
    server
        .post("/v1/embeddings", &asked)
        .refused(413, "too_large");
    still_answers(&server);
}

#[test]
fn names_and_numbers_never_become_paths() {
    let server = server(&[]);
    for name in [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "demo%00",
        "demo%2f..",
        "*",
        "DEMO",
    ] {
        for rest in ["map", "generations", "anchors/0", "anchors/0/image"] {
            let answer = server.get(&format!("/v1/sets/{name}/{rest}"));
            assert!(
                [400, 404].contains(&answer.status),
                "{name}: {}",
                answer.text()
            );
        }
    }
    for anchor in [
        "60",
        "-1",
        "..%2f0",
        "%2fetc%2fpasswd",
        "4294967296",
        "0x1",
        "a",
    ] {
        let path = format!("/v1/sets/demo/anchors/{anchor}");
        server.get(&path).refused(404, "no_such_anchor");
        server
            .get(&format!("{path}/image"))
            .refused(404, "no_such_anchor");
    }
    for file in [
        "..%2fmod.rs",
        "%2e%2e%2f%2e%2e%2fCargo.toml",
        "index.html%00",
    ] {
        server.get(&format!("/page/{file}")).refused(404, "no_file");
    }
    server
        .get("/page/../../Cargo.toml")
        .refused(404, "no_route");
    server.get("//etc/passwd").refused(404, "no_route");
    still_answers(&server);
}

#[test]
fn what_is_no_http_is_hung_up_on() {
    let server = server(&[]);
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"HELO you\r\n\r\n",
        &[0; 5000],
    ] {
        let mut client = server.connect();
        client.raw(noise);
        let stream = client.0.get_mut();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400"),
            "{said}"
        );
    }
    let mut client = server.connect();
    let long = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let _ = client.0.get_mut().write_all(long.as_bytes());
    if let Some(answer) = client.try_read() {
        assert!(
            [400, 404, 414, 431].contains(&answer.status),
            "{}",
            answer.status
        );
    }
    still_answers(&server);
}

#[test]
fn a_full_server_says_when_to_come_back() {
    let server = server(&["--max-requests", "2", "--timeout", "600"]);
    let mut holding = Vec::new();
    for kind in 0..2 {
        // Seconds of work.
        let labels: Vec<String> = (0..900)
            .map(|i| format!("thing {i} of kind {kind}"))
            .collect();
        let mut asked = question(1);
        asked["labels"] = json!(labels);
        asked["templates"] = json!("clip:imagenet7");
        let mut client = server.connect();
        client.write("POST", "/v1/classify", &[], asked.to_string().as_bytes());
        holding.push(client);
    }
    // Needs a place, and no encoder.
    let cheap = json!({"labels": ["a"], "images": []});
    let begun = Instant::now();
    loop {
        let answer = server.post("/v1/classify", &cheap);
        if answer.status == 429 {
            answer.refused(429, "busy");
            assert!(
                answer
                    .header("retry-after")
                    .unwrap()
                    .parse::<u32>()
                    .unwrap()
                    >= 1
            );
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
    // What tells how it is goes on.
    server.get("/health").ok();
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("asif_refusals_total{code=\"busy\"}")
    );
    drop(holding);
    let begun = Instant::now();
    while server.post("/v1/classify", &cheap).status == 429 {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn what_takes_too_long_is_given_up() {
    let server = server(&[
        "--timeout",
        "1",
        "--max-labels",
        "20000",
        "--max-prompts",
        "100000",
    ]);
    let labels: Vec<String> = (0..20_000)
        .map(|i| format!("a rather long label number {i}"))
        .collect();
    let asked = json!({"images": [picture(1)], "labels": labels});
    let answer = server.post("/v1/classify", &asked);
    answer.refused(503, "timeout");
    assert!(answer.header("retry-after").is_some());
    still_answers(&server);
}

#[test]
fn told_to_stop_it_finishes_what_runs() {
    let mut server = server(&[]);
    let mut client = server.connect();
    let labels: Vec<String> = (0..300).map(|i| format!("a thing of kind {i}")).collect();
    let asked = json!({"images": [picture(1)], "labels": labels}).to_string();
    client.write("POST", "/v1/classify", &[], asked.as_bytes());
    let begun = Instant::now();
    while !server
        .get("/metrics")
        .text()
        .contains("asif_requests_running 2")
    {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
    server.signal("TERM");
    let answer = client.read();
    assert_eq!(
        answer.ok()["results"][0]["predictions"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(
        server.log().contains("\"finished\":true"),
        "{}",
        server.log()
    );
}

#[test]
fn killed_it_starts_again_and_answers_the_same() {
    let mut first = server(&[]);
    let before = first.post("/v1/classify", &question(3)).ok();
    let mut busy = first.connect();
    busy.write("POST", "/v1/classify", &[("content-length", "9")], b"{");
    first.signal("KILL");
    assert_eq!(first.wait().code(), None);
    let address = first.address.clone();
    let again = server(&["--listen", &address]);
    assert_eq!(again.post("/v1/classify", &question(3)).ok(), before);
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let first = server(&[]);
    let address = first.address.clone();
    let second = Server::try_start(&[("demo", support::demo_set())], &["--listen", &address]);
    match second {
        Err(ended) => ended.fails(1, &[&address, "--listen"]),
        Ok(_) => panic!("two servers on one port"),
    };
}
