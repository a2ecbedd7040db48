//! The page, the OpenAPI document, and what every request has.

use std::path::Path;

use serde_json::Value;

use crate::server;

#[test]
fn the_page_is_served_with_a_policy() {
    let server = server();
    for path in ["/", "/page/index.html"] {
        let page = server.get(path);
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'"), "{policy}");
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
    }
    server.get("/page/none.js").refused(404, "no_file");
}

#[test]
fn the_openapi_document_is_the_one_that_is_checked_in() {
    let served = server().get("/openapi.json").ok();
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("docs/openapi.json");
    if std::env::var_os("ASIF_UPDATE_OPENAPI").is_some() {
        let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
        fs_err::write(&path, text).unwrap();
    }
    let text = fs_err::read_to_string(&path).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert!(
        kept == served,
        "docs/openapi.json is not what the server serves; run this test with ASIF_UPDATE_OPENAPI=1"
    );
}

#[test]
fn a_request_keeps_its_id() {
    let server = server();
    let headers = [("x-request-id", "mine-17")];
    let answer = server
        .connect()
        .send("GET", "/v1/sets/none/map", &headers, b"");
    assert_eq!(answer.header("x-request-id"), Some("mine-17"));
    answer.refused(404, "no_such_set");
    assert!(server.log().contains("\"mine-17\""), "{}", server.log());
}
