//! Bodies that are too large, malformed, or made to do harm.

use serde_json::json;

use crate::serve_support::{base64, form, picture};
use crate::{server, still_answers, support};

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
    let deep = format!("{{\"labels\": {}", "[".repeat(100_000));
    send(json, deep.as_bytes()).refused(400, "wrong_fields");
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
fn short_entries_do_not_become_much_memory() {
    let server = server(&[]);
    // Each would take more than ten times what it takes here.
    let body = format!("{{\"input\": [{}0]}}", "0,".repeat(12 << 20));
    let answer = server
        .connect()
        .send("POST", "/v1/embeddings", &[], body.as_bytes());
    let message = answer.refused(413, "too_large");
    assert!(message.contains("entries"), "{message}");
    still_answers(&server);
}

#[test]
fn who_waits_to_be_asked_for_a_large_body_is_not_asked() {
    let server = server(&[]);
    let mut client = server.connect();
    let headers = [("content-length", "104857600"), ("expect", "100-continue")];
    client.write("POST", "/v1/classify", &headers, b"");
    client.read().refused(413, "too_large");
    still_answers(&server);
}
