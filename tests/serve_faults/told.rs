//! Where sets, uploads and temporary files lie on the machine is told in no answer.

use serde_json::{Value, json};

use crate::serve_support::{Answer, Server, build, picture, question};
use crate::support;

const ADMIN: &str = "an-admin-key-for-the-tests";
/// Part of every path below.
const MARKER: &str = "whereabouts-9f3c";

/// Status line's rest, headers and body hold nothing of a path.
fn tells_nothing(what: &str, answer: &Answer) {
    let headers: String = answer
        .headers
        .iter()
        .map(|(n, v)| format!("{n}: {v}\n"))
        .collect();
    let all = headers + &answer.text();
    for word in [
        MARKER, "/tmp/", "/home/", "/root/", ".adding-", ".part-", "/proc/",
    ] {
        assert!(!all.contains(word), "{what}: {word} in {all}");
    }
}

#[test]
fn no_answer_tells_where_anything_lies() {
    let folder = tempfile::Builder::new().prefix(MARKER).tempdir().unwrap();
    let root = folder.path().join("a folder");
    fs_err::create_dir_all(&root).unwrap();
    let set = build(&root, "demo", &support::demo_pairs(60));
    let key = root.join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let [key, uploads] = [key, root.join("uploads")].map(|p| p.display().to_string());
    let more = ["--admin-key-file", &key, "--uploads", &uploads];
    let server = Server::start(&[("demo", &set)], &more);
    let document = server.get("/openapi.json").ok();
    let mut asked = 0;
    let mut check = |what: &str, answer: Answer| {
        tells_nothing(what, &answer);
        asked += 1;
        answer
    };
    let admin = |route: &str, body: &Value| {
        server.post_with(&format!("/admin/sets/demo/{route}"), ADMIN, body)
    };
    // Good changes first, so that there is a history.
    let pair = |image: String| json!({"pairs": [{"image": image, "captions": ["a"], "id": "new"}]});
    check("add", admin("add", &pair(picture(7)))).ok();
    check("add again", admin("add", &pair(picture(7))));
    check("add no picture", admin("add", &pair("aGVsbG8=".to_owned())));
    let broken = support::jpeg(8);
    let cut = crate::serve_support::base64(&broken[..broken.len() / 3]);
    check(
        "add half a picture",
        admin(
            "add",
            &json!({"pairs": [{"image": cut, "captions": ["b"], "id": "cut"}]}),
        ),
    );
    check(
        "add no caption",
        admin(
            "add",
            &json!({"pairs": [{"image": picture(9), "captions": [], "id": "none"}]}),
        ),
    );
    check("remove", admin("remove", &json!({"ids": ["new"]}))).ok();
    for body in [
        json!({"ids": ["none such"]}),
        json!({"where": "no=such"}),
        json!({"where": "malformed"}),
        json!({"to": 99}),
        json!({"to": 1}),
        json!({"from": "demo"}),
        json!({"dry_run": true}),
        json!({"keep": 0}),
        json!({}),
    ] {
        for route in ["add", "remove", "swap", "rollback"] {
            check(&format!("{route} {body}"), admin(route, &body));
        }
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for name in ["demo", "nothing", "%2e%2e", "demo%00"] {
            for anchor in ["0", "99999", "..%2f..", "-1"] {
                let path = path
                    .replace("{name}", name)
                    .replace("{anchor}", anchor)
                    .replace("{file}", "index.html");
                for method in methods.as_object().unwrap().keys() {
                    let method = method.to_uppercase();
                    for body in [&b""[..], b"{", b"[]", question(1).to_string().as_bytes()] {
                        if path.starts_with("/admin") {
                            break;
                        }
                        let answer = server.connect().send(&method, &path, &[], body);
                        check(&format!("{method} {path}"), answer);
                    }
                }
                check(&path, server.get(&format!("{path}?generation=0")));
            }
            if !path.contains("{anchor}") && !path.contains("{name}") {
                break;
            }
        }
    }
    for (path, body) in [
        (
            "/v1/classify",
            json!({"labels": ["a"], "images": ["file:///etc/passwd"]}),
        ),
        (
            "/v1/classify",
            json!({"labels": ["a"], "images": ["https://example.org/a.png"]}),
        ),
        (
            "/v1/classify",
            json!({"labels": ["a"], "images": [picture(1)], "without": "no=such"}),
        ),
        (
            "/v1/classify",
            json!({"labels": ["a"], "images": [picture(1)], "without": {"ids": ["x"]}}),
        ),
        (
            "/v1/classify",
            json!({"labels": ["a"], "images": [picture(1)], "generation": 77}),
        ),
        (
            "/v1/explain",
            json!({"labels": ["a", "b"], "image": picture(1)}),
        ),
        (
            "/v1/similarity",
            json!({"texts": ["a"], "images": [picture(1)]}),
        ),
        ("/v1/embeddings", json!({"input": ["a"]})),
    ] {
        check(path, server.post(path, &body));
    }
    // The history names its sources by their names.
    let history = server.get("/v1/sets/demo/generations").ok();
    assert_eq!(history[0]["detail"], "demo.jsonl", "{history}");
    // A set that is damaged under the running server.
    fs_err::write(set.join("CURRENT"), "g000099\n").unwrap();
    let health = server.wait_for_health(|health| health["status"] == "degraded");
    let reason = health["sets"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("a repair of demo fixes it"), "{reason}");
    for path in [
        "/health",
        "/v1/sets",
        "/metrics",
        "/v1/sets/demo/generations",
    ] {
        check(path, server.get(path));
    }
    for route in ["rollback", "remove", "add"] {
        check(route, admin(route, &json!({"dry_run": true, "ids": ["x"]})));
    }
    for (route, body) in [
        ("rollback", json!({})),
        ("remove", json!({"ids": ["new"]})),
        ("swap", json!({"to": 1})),
        ("add", pair(picture(10))),
    ] {
        let message = check(route, admin(route, &body)).refused(409, "damaged");
        assert!(message.contains("the anchor set is damaged"), "{message}");
        assert!(!message.contains("asif repair"), "{message}");
    }
    assert!(server.log().contains("asif repair /"), "{}", server.log());
    // Uploads that cannot be kept.
    fs_err::remove_dir_all(root.join("uploads")).unwrap();
    fs_err::write(root.join("uploads"), "a file").unwrap();
    let answer = check("add to a file", admin("add", &pair(picture(11))));
    answer.refused(500, "internal");
    assert!(server.log().contains(MARKER), "the log keeps it");
    assert!(asked > 200, "{asked}");
}

/// As above, of a set and a folder that are given by relative paths.
#[test]
fn relative_paths_are_told_no_more_than_absolute_ones() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let place = folder.path().file_name().unwrap().to_str().unwrap();
    let relative = std::path::Path::new(place);
    let set = build(relative, "m1", &support::demo_pairs(60));
    let key = relative.join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let [key, uploads] = [key, relative.join("uploads")].map(|p| p.display().to_string());
    let more = ["--admin-key-file", &key, "--uploads", &uploads];
    let server = Server::start(&[("demo", &set)], &more);
    // Half a picture is listed in the anchor set.
    let half = support::jpeg(8);
    let half = crate::serve_support::base64(&half[..half.len() / 3]);
    let add = json!({"pairs": [
        {"image": picture(7), "captions": ["a"], "id": "new"},
        {"image": half, "captions": ["b"], "id": "bad"},
    ]});
    for (route, body) in [
        ("add", add),
        ("remove", json!({"ids": ["new"]})),
        ("rollback", json!({})),
    ] {
        let answer = server.post_with(&format!("/admin/sets/demo/{route}"), ADMIN, &body);
        assert_eq!(answer.ok()["receipt"]["set"], "demo");
        assert!(!answer.text().contains(place), "{}", answer.text());
    }
    fs_err::write(set.join("CURRENT"), "g000099\n").unwrap();
    let health = server.wait_for_health(|health| health["status"] == "degraded");
    let history = server.get("/v1/sets/demo/generations").ok();
    assert!(history.as_array().unwrap().len() >= 4, "{history}");
    for answer in [health, history] {
        assert!(!answer.to_string().contains(place), "{answer}");
    }
}

#[test]
fn what_a_killed_server_left_of_uploads_is_deleted_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("demo.asif");
    support::copy_folder(support::demo_set(), &set);
    let key = folder.path().join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let uploads = folder.path().join("uploads/demo");
    let named = folder.path().join("uploads").display().to_string();
    let key = key.display().to_string();
    let more = ["--admin-key-file", &key, "--uploads", &named];
    let mut server = Server::start(&[("demo", &set)], &more);
    let pair = json!({"pairs": [{"image": picture(5), "captions": ["kept"]}]});
    server.post_with("/admin/sets/demo/add", ADMIN, &pair).ok();
    let names = || {
        let entries = fs_err::read_dir(&uploads).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let kept = names();
    assert_eq!(kept.len(), 1, "{kept:?}");
    server.signal("KILL");
    server.wait();
    // A picture that no pair has, and one that a pair has, in a list that nobody works on.
    let real = fs_err::canonicalize(&uploads).unwrap();
    let orphan = real.join(format!("{}.jpg", "0".repeat(32)));
    fs_err::write(&orphan, "a face").unwrap();
    fs_err::write(uploads.join(".part-xyz"), "half a face").unwrap();
    let line = |image: &std::path::Path| {
        json!({"id": "a", "image": image, "captions": ["secret"]}).to_string()
    };
    let list = format!(
        "{}\n{}\nnot whole",
        line(&orphan),
        line(&real.join(&kept[0]))
    );
    fs_err::write(uploads.join(".adding-xyz.jsonl"), list).unwrap();
    let again = Server::start(&[("demo", &set)], &more);
    assert_eq!(names(), kept);
    again.get("/health").ok();
    // A folder that cannot be one is told of at the start.
    let file = folder.path().join("file");
    fs_err::write(&file, "").unwrap();
    let file = file.display().to_string();
    match Server::try_start(&[("demo", &set)], &["--uploads", &file]) {
        Err(ended) => ended.fails(3, &["--uploads"]),
        Ok(_) => panic!("a file takes no uploads"),
    };
}

#[test]
fn pictures_of_pairs_that_are_skipped_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("demo.asif");
    support::copy_folder(support::demo_set(), &set);
    let (key, uploads) = (folder.path().join("key"), folder.path().join("uploads"));
    fs_err::write(&key, ADMIN).unwrap();
    let [key, named] = [&key, &uploads].map(|p| p.display().to_string());
    let more = ["--admin-key-file", &key, "--uploads", &named];
    let server = Server::start(&[("demo", &set)], &more);
    let add =
        |pairs: Value| server.post_with("/admin/sets/demo/add", ADMIN, &json!({"pairs": pairs}));
    let files = || fs_err::read_dir(uploads.join("demo")).unwrap().count();
    let jpeg = support::jpeg(31);
    let half = crate::serve_support::base64(&jpeg[..jpeg.len() / 3]);
    let pair = |id: &str, image: String, caption: &str| json!({"id": id, "image": image, "captions": [caption]});
    // Half a picture, no caption, an id twice, beside good ones.
    let report = add(json!([
        pair("one", picture(21), "a drawing"),
        pair("half", half, "half a drawing"),
        pair("mute", picture(22), "  "),
        pair("one", picture(23), "another"),
        pair("two", picture(24), "a second"),
    ]))
    .ok();
    assert_eq!(report["receipt"]["skipped"], 3, "{report}");
    assert_eq!(files(), 2, "{report}");
    // An id that the set has, beside a picture that it has under another id.
    let report = add(json!([
        pair("one", picture(25), "a drawing"),
        pair("three", picture(24), "a third"),
    ]))
    .ok();
    assert_eq!(report["receipt"]["skipped"], 1, "{report}");
    assert_eq!(files(), 2, "{report}");
    add(json!([pair("two", picture(26), "again")])).refused(400, "unusable");
    assert_eq!(files(), 2);
}
