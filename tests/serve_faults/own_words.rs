//! What a client sent is told back to it whole, and what it is advised can be done by a request.

use serde_json::json;

use crate::serve_support::{Server, form, picture};
use crate::{server, support};

const ADMIN: &str = "an-admin-key-for-the-tests";

#[test]
fn values_that_look_like_paths_are_told_as_they_were_sent() {
    let server = server(&[]);
    let labels = json!(["a", "b"]);
    for (path, body, own) in [
        (
            "/v1/classify",
            json!({"images": [picture(1)], "labels": labels, "aggregate": "/mean/of all/x"}),
            "/mean/of all/x",
        ),
        (
            "/v1/classify",
            json!({"images": [picture(1)], "labels": labels, "/etc/key": 1}),
            "/etc/key",
        ),
        (
            "/v1/classify",
            json!({"images": [picture(1)], "labels": ["/srv/a/b", "/srv/a/b"]}),
            "/srv/a/b",
        ),
        (
            "/v1/classify",
            json!({"images": [picture(1)], "labels": labels, "without": "source=/home/me/x"}),
            "source=/home/me/x",
        ),
        (
            "/v1/classify",
            json!({"images": [picture(1)], "labels": labels, "without": {"ids": ["/a/b/c"]}}),
            "/a/b/c",
        ),
        (
            "/",
            json!({"inputs": picture(1), "parameters":
                {"candidate_labels": labels, "hypothesis_template": "/no/braces"}}),
            "/no/braces",
        ),
        (
            "/v1/embeddings",
            json!({"input": "a", "space": "/a/space"}),
            "/a/space",
        ),
    ] {
        let answer = server.post(path, &body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains(own), "{own}: {message}");
    }
    let asked = "/v1/sets/demo/anchors/1?generation=/a/b";
    let message = server.get(asked).refused(400, "malformed_query");
    assert!(message.contains("/a/b"), "{message}");
    let (kind, body) = form(&[("/etc/field", None, b"x")]);
    let kind = [("content-type", kind.as_str())];
    let answer = server.connect().send("POST", "/v1/classify", &kind, &body);
    let message = answer.refused(400, "wrong_fields");
    assert!(message.contains("/etc/field"), "{message}");
}

/// A server of a set that may be changed, and the folder of it.
fn changeable() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("demo.asif");
    support::copy_folder(support::demo_set(), &set);
    let key = folder.path().join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let uploads = folder.path().join("uploads").display().to_string();
    let key = key.display().to_string();
    let more = ["--admin-key-file", &key, "--uploads", &uploads];
    let server = Server::start(&[("demo", &set)], &more);
    (folder, server)
}

#[test]
fn receipts_name_pairs_by_the_ids_that_were_given() {
    let (_folder, server) = changeable();
    let admin = |route: &str, body: &serde_json::Value| {
        server.post_with(&format!("/admin/sets/demo/{route}"), ADMIN, body)
    };
    let id = "/photos/2026/one";
    let pair = json!({"pairs": [{"image": picture(41), "captions": ["a thing"], "id": id}]});
    let receipt = admin("add", &pair).ok()["receipt"].clone();
    assert_eq!(receipt["added_ids"], json!([id]), "{receipt}");
    let missing = "/photos/none of them";
    let ids = json!({"ids": [id, missing], "missing_ok": true});
    let receipt = admin("remove", &ids).ok()["receipt"].clone();
    assert_eq!(receipt["removed_ids"], json!([id]), "{receipt}");
    assert_eq!(receipt["missing"], json!([missing]), "{receipt}");
    let message = admin("remove", &json!({"ids": [missing]})).refused(400, "unusable");
    assert!(
        message.contains(missing) && message.contains("missing_ok"),
        "{message}"
    );
    // Nothing is left to remove, and that is not an error for a client that says so.
    let ids = json!({"ids": [missing], "missing_ok": true});
    let done = admin("remove", &ids).ok();
    assert_eq!(done["receipt"]["missing"], json!([missing]), "{done}");
    assert_eq!(done["receipt"]["removed"], 0, "{done}");
    assert_eq!(done["receipt"]["generation"], done["live"], "{done}");
    admin("remove", &json!({"ids": []})).refused(400, "empty");
    // No command of a terminal.
    let message = admin("swap", &json!({"to": 999})).refused(404, "no_generation");
    assert!(
        message.starts_with("generation 999 is not kept") && !message.contains('`'),
        "{message}"
    );
}

#[test]
fn a_set_that_another_process_writes_to_is_locked() {
    let (folder, server) = changeable();
    let lock = fs_err::File::open(folder.path().join("demo.asif/LOCK")).unwrap();
    lock.file().lock().unwrap();
    let roll = || server.post_with("/admin/sets/demo/rollback", ADMIN, &json!({}));
    let message = roll().refused(409, "locked");
    // Which process of which machine is nobody's to know.
    assert!(!message.contains("process 1"), "{message}");
    assert!(message.contains("retry"), "{message}");
    drop(lock);
    assert_ne!(roll().status, 409);
}

#[test]
fn forms_are_read_as_strictly_as_json() {
    let server = server(&[]);
    let image = support::jpeg(1);
    let send = |more: &[(&str, &[u8])]| {
        let mut fields = vec![("image", Some("a.jpg"), image.as_slice())];
        fields.extend(more.iter().map(|(name, value)| (*name, None, *value)));
        let (kind, body) = form(&fields);
        let kind = [("content-type", kind.as_str())];
        server.connect().send("POST", "/v1/classify", &kind, &body)
    };
    let answer = send(&[("labels", "caf\u{e9}".as_bytes()), ("labels", b"x")]).ok();
    let answer = answer.to_string();
    assert!(answer.contains("caf\u{e9}"), "{answer}");
    for (bytes, field) in [
        (&b"caf\xe9"[..], "labels"),
        (b"\xff\xfec\0", "labels"),
        (b"\xff {}", "templates"),
        (b"\xff", "set"),
    ] {
        let message = send(&[("labels", b"x"), (field, bytes)]).refused(400, "wrong_fields");
        assert!(
            message.contains(field) && message.contains("UTF-8"),
            "{message}"
        );
    }
    for (field, value) in [
        ("top", "1"),
        ("set", "demo"),
        ("explain", "true"),
        ("aggregate", "max"),
        ("without", "source=a"),
        ("generation", "1"),
    ] {
        let twice = [
            ("labels", &b"x"[..]),
            (field, value.as_bytes()),
            (field, value.as_bytes()),
        ];
        let message = send(&twice).refused(400, "wrong_fields");
        assert!(message.contains("given twice"), "{field}: {message}");
    }
    let kind = [("content-type", "multipart/form-data")];
    let answer = server.connect().send("POST", "/v1/classify", &kind, b"x");
    let message = answer.refused(400, "malformed_form");
    assert!(message.contains("boundary="), "{message}");
}

#[test]
fn a_form_with_a_list_in_one_field_is_told_how_to_send_several_labels() {
    let server = server(&[]);
    let image = support::jpeg(1);
    let send = |labels: &[&[u8]]| {
        let mut fields = vec![("image", Some("a.jpg"), image.as_slice())];
        fields.extend(labels.iter().map(|label| ("labels", None, *label)));
        let (kind, body) = form(&fields);
        let kind = [("content-type", kind.as_str())];
        server.connect().send("POST", "/v1/classify", &kind, &body)
    };
    let message = send(&[b"cat,dog"]).refused(400, "wrong_fields");
    assert!(
        message.contains("\"cat,dog\"") && message.contains("JSON list"),
        "{message}"
    );
    // Names with a comma among others, and one that is meant.
    for labels in [&[&b"tie, black"[..], b"dog"][..], &[b"[\"tie, black\"]"]] {
        let answer = send(labels).ok();
        let best = answer["results"][0]["predictions"].to_string();
        assert!(best.contains("tie, black"), "{answer}");
    }
}

#[test]
fn labels_are_held_to_what_the_command_line_holds_them_to() {
    let server = server(&[]);
    let ask = |labels: serde_json::Value| {
        server.post(
            "/v1/classify",
            &json!({"images": [picture(1)], "labels": labels}),
        )
    };
    let message = ask(json!(["cat", "x".repeat(40_000)])).refused(400, "labels");
    assert!(
        message.contains("40000 characters, at most 4096"),
        "{message}"
    );
    ask(json!(["cat", "\u{e9}".repeat(4_096)])).ok();
    let answer = ask(json!(["0: cat", "1: dog"])).ok();
    let notes = answer["notes"].to_string();
    assert!(notes.contains("begin with a number"), "{answer}");
    assert!(ask(json!(["cat", "dog"])).ok()["notes"].is_null());
}

#[test]
fn an_image_is_not_called_a_file_to_a_client_that_sent_none() {
    let server = server(&[]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    for (bytes, word) in [(&b""[..], "no content"), (pointer.as_bytes(), "Git LFS")] {
        let image = crate::serve_support::base64(bytes);
        let asked = json!({"images": [image], "labels": ["a", "b"]});
        let answer = server.post("/v1/classify", &asked).ok();
        let error = answer["results"][0]["error"].to_string();
        assert!(error.contains(word) && !error.contains("file"), "{error}");
    }
}

#[test]
fn a_blank_name_beside_a_bar_is_named_as_that() {
    let server = server(&[]);
    for labels in [json!(["|"]), json!(["cat|"]), json!(["|cat"])] {
        let asked = json!({"images": [picture(1)], "labels": labels});
        let message = server.post("/v1/classify", &asked).refused(400, "labels");
        assert!(message.contains("bar (|)"), "{message}");
    }
}

#[test]
fn a_packed_body_is_told_from_what_is_no_json() {
    let server = server(&[]);
    let asked = json!({"images": [picture(1)], "labels": ["a"]}).to_string();
    for (coding, status) in [
        ("gzip", 415),
        ("deflate, gzip", 415),
        ("identity", 200),
        ("", 200),
    ] {
        let mut client = server.connect();
        let coding = [("content-encoding", coding)];
        let answer = client.send("POST", "/v1/classify", &coding, asked.as_bytes());
        match status {
            200 => drop(answer.ok()),
            status => drop(answer.refused(status, "content_encoding")),
        }
        // The connection goes on.
        client.send("GET", "/health", &[], b"").ok();
    }
}
