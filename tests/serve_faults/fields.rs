//! Each field of each route's body with each wrong type: refused, and the message names the field,
//! what was expected and what was found.

use serde_json::{Map, Value, json};

use crate::serve_support::{Answer, Server, picture, question};
use crate::{server, still_answers, support};

const ADMIN: &str = "an-admin-key-for-the-tests";
/// Of the inside of the program, which no message may name.
const INSIDE: [&str; 12] = [
    "untagged",
    "struct ",
    "variant",
    "serde",
    "did not match",
    "deserialize",
    "tuple",
    "newtype",
    "usize",
    "u64",
    "f32",
    "expected a map",
];

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => resolve(document, document.pointer(&name[1..]).unwrap()),
        None => schema,
    }
}

/// The types that a schema takes.
fn types(document: &Value, schema: &Value) -> Vec<String> {
    let schema = resolve(document, schema);
    let mut all: Vec<String> = ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|key| schema[key].as_array())
        .flatten()
        .flat_map(|one| types(document, one))
        .collect();
    match &schema["type"] {
        Value::String(one) => all.push(one.clone()),
        Value::Array(several) => {
            all.extend(several.iter().map(|one| one.as_str().unwrap().to_owned()));
        }
        _ => {}
    }
    all
}

/// Each place of a body with a path that names it, and the types that it takes.
fn places(document: &Value, schema: &Value, path: &str, all: &mut Vec<(String, Vec<String>)>) {
    all.push((path.to_owned(), types(document, schema)));
    let schema = resolve(document, schema);
    for key in ["oneOf", "anyOf", "allOf"] {
        for one in schema[key].as_array().into_iter().flatten() {
            let mut deeper = Vec::new();
            places(document, one, path, &mut deeper);
            all.extend(deeper.into_iter().filter(|(at, _)| at != path));
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = [path, name].join("/");
        places(document, field, &path, all);
    }
    if schema["items"].is_object() {
        places(document, &schema["items"], &format!("{path}/0"), all);
    }
}

/// Puts a value at a place, with lists and objects on the way to it.
fn put(body: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *body = value;
        return;
    };
    match first.parse::<usize>() {
        Ok(_) => {
            if body.as_array().is_none_or(Vec::is_empty) {
                *body = json!([null]);
            }
            put(&mut body[0], rest, value);
        }
        Err(_) => {
            if !body.is_object() {
                *body = Value::Object(Map::new());
            }
            put(&mut body[*first], rest, value);
        }
    }
}

fn send(server: &Server, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {ADMIN}");
    let admin = [("authorization", bearer.as_str())];
    let headers: &[_] = if path.starts_with("/admin") {
        &admin
    } else {
        &[]
    };
    let path = path.replace("{name}", "demo");
    server
        .connect()
        .send("POST", &path, headers, body.as_bytes())
}

fn plain(message: &str, what: &str) {
    for word in INSIDE {
        assert!(!message.contains(word), "{what}: {message}");
    }
}

/// A body that each route takes, as far as its form goes.
fn good(path: &str) -> Value {
    match path {
        "/" | "/models/{name}" => {
            json!({"inputs": picture(1), "parameters": {"candidate_labels": ["a", "b"]}})
        }
        "/v1/embeddings" => json!({"input": ["a"]}),
        "/v1/classify" => question(1),
        "/v1/explain" => json!({"image": picture(1), "labels": ["a", "b"]}),
        "/v1/similarity" => json!({"images": [picture(1)], "texts": ["a"]}),
        // With another error behind it: nothing is changed.
        "/admin/sets/{name}/add" => json!({"pairs": [{"image": "", "captions": ["a"]}]}),
        _ => json!({"dry_run": true}),
    }
}

fn admin_server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("demo.asif");
    support::copy_folder(support::demo_set(), &set);
    let key = folder.path().join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let [key, uploads] = [key, folder.path().join("uploads")].map(|p| p.display().to_string());
    let more = ["--admin-key-file", &key, "--uploads", &uploads];
    let server = Server::start(&[("demo", &set)], &more);
    (folder, server)
}

#[test]
fn each_field_with_each_wrong_type_is_named() {
    let (_folder, server) = admin_server();
    let document = server.get("/openapi.json").ok();
    let mut tried = 0;
    for (path, route) in document["paths"].as_object().unwrap() {
        let body = &route["post"]["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_object() {
            continue;
        }
        let mut all = Vec::new();
        places(&document, body, "", &mut all);
        for (place, types) in all {
            for (kind, value) in [
                ("string", json!("x")),
                ("integer", json!(7)),
                ("number", json!(0.5)),
                ("boolean", json!(true)),
                ("null", Value::Null),
                ("array", json!([])),
                ("array", json!([[{}]])),
                ("object", json!({})),
            ] {
                let taken = types.iter().any(|one| one == kind)
                    || (kind == "integer" && types.iter().any(|one| one == "number"));
                // A list or an object may be of the right type and lack something inside.
                if types.is_empty() || taken {
                    continue;
                }
                let mut sent = good(path);
                let steps: Vec<&str> = place.split('/').skip(1).collect();
                put(&mut sent, &steps, value.clone());
                let what = format!("{path} {place} = {value}");
                let message = send(&server, path, &sent.to_string()).refused(400, "wrong_fields");
                plain(&message, &what);
                let name = steps.iter().fold(String::new(), |name, step| {
                    match (step.parse::<usize>(), name.as_str()) {
                        (Ok(_), _) => format!("{name}[0]"),
                        (_, "") => (*step).to_owned(),
                        _ => format!("{name}.{step}"),
                    }
                });
                let named = match name.as_str() {
                    "" => message.starts_with("the body: "),
                    name => message.contains(&format!("`{name}")),
                };
                let whole = message.contains("expected") && message.contains("found");
                assert!(named && whole, "{what}: {message}");
                tried += 1;
            }
        }
        let mut unknown = good(path);
        unknown["dry_rum"] = json!(true);
        let message = send(&server, path, &unknown.to_string()).refused(400, "wrong_fields");
        assert!(
            message.contains("unknown field \"dry_rum\""),
            "{path}: {message}"
        );
    }
    assert!(tried > 200, "{tried}");
    still_answers(&server);
}

#[test]
fn numbers_beyond_their_bounds_and_odd_json_are_refused_with_the_field() {
    let (_folder, server) = admin_server();
    for (path, field, values) in [
        (
            "/v1/classify",
            "top",
            &["0", "-1", "1.5", "1e30", "-0.0"][..],
        ),
        ("/v1/explain", "top", &["0", "201", "1e30", "-7"]),
        ("/v1/classify", "generation", &["-1", "0.5", "1e300"]),
        ("/v1/embeddings", "dimensions", &["-1", "0.5"]),
        ("/admin/sets/{name}/rollback", "keep", &["0", "-1", "0.1"]),
        ("/admin/sets/{name}/swap", "to", &["-1", "1.5"]),
    ] {
        for value in values {
            let body = good(path).to_string();
            let body = format!("{}, \"{field}\": {value}}}", &body[..body.len() - 1]);
            let message = send(&server, path, &body).refused(400, "wrong_fields");
            plain(&message, &body);
            assert!(
                message.contains(&format!("`{field}`")),
                "{field} = {value}: {message}"
            );
        }
    }
    for generation in ["0", "1000000000000000000"] {
        let mut asked = question(1);
        asked["generation"] = generation.parse::<u64>().unwrap().into();
        server
            .post("/v1/classify", &asked)
            .refused(404, "no_generation");
        let path = format!("/v1/sets/demo/map?generation={generation}");
        server.get(&path).refused(404, "no_generation");
    }
    for query in [
        "generation=-1",
        "generation=a",
        "generation=",
        "generation=1&generation=2",
        "page=3",
    ] {
        let message = server
            .get(&format!("/v1/sets/demo/map?{query}"))
            .refused(400, "malformed_query");
        plain(&message, query);
    }
    for body in [
        "{\"labels\": [\"a\"], \"images\": [\"\"], \"images\": [\"\"]}",
        "{\"labels\": [\"\\ud800\"], \"images\": [\"\"]}",
        "{\"labels\": [\"a\"], \"vectors\": [[NaN]]}",
        "{\"labels\": [\"a\"], \"vectors\": [[Infinity]]}",
        "{\"labels\": [\"a\"], \"vectors\": [[1e999]]}",
    ] {
        let answer = send(&server, "/v1/classify", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        plain(&answer.text(), body);
    }
    let vectors = ["1e39", "0", "1e-40"].map(|number| vec![number; 1280].join(","));
    for vector in vectors {
        let body = format!("{{\"labels\": [\"a\"], \"vectors\": [[{vector}]]}}");
        let answer = send(&server, "/v1/classify", &body).ok();
        assert!(answer["results"][0]["error"].is_string(), "{answer}");
    }
    still_answers(&server);
}

#[test]
fn token_numbers_are_refused_with_what_to_do() {
    let server = server(&[]);
    for input in [json!([1, 2, 3]), json!([[1, 2], [3]]), json!([[]])] {
        let message = server
            .post("/v1/embeddings", &json!({"input": input}))
            .refused(400, "wrong_fields");
        assert!(
            message.contains("token ids are not accepted, send the text"),
            "{message}"
        );
        assert!(
            message.contains("check_embedding_ctx_length=False"),
            "{message}"
        );
        plain(&message, "tokens");
    }
    // What clients of OpenAI and Hugging Face send besides.
    server
        .post("/v1/embeddings", &json!({"input": "a", "user": "me"}))
        .ok();
    let asked = json!({"inputs": picture(1), "parameters": {"candidate_labels": ["a", "b"]}, "options": {"wait_for_model": true}});
    server.post("/", &asked).ok();
}

#[test]
fn ids_with_control_characters_are_refused() {
    let (folder, server) = admin_server();
    let add = |id: &str| {
        let pair = json!({"image": picture(5), "captions": ["a drawing"], "id": id});
        server.post_with("/admin/sets/demo/add", ADMIN, &json!({"pairs": [pair]}))
    };
    for id in [
        "a\u{0}b",
        "a\nb",
        "\r",
        "a\u{1b}[2J",
        "\u{85}",
        "a\u{2028}b",
        "a\u{202e}gpj",
        "\u{200b}",
        "\u{feff} ",
        " ",
        "",
        &"x".repeat(5_000),
    ] {
        let message = add(id).refused(400, "wrong_fields");
        assert!(message.contains("`pairs[0].id`"), "{id:?}: {message}");
    }
    let uploads =
        || fs_err::read_dir(folder.path().join("uploads/demo")).map_or(0, Iterator::count);
    assert_eq!(uploads(), 0, "nothing is kept of what is refused");
    add("photo 1/\u{e4} \u{1f468}\u{200d}\u{1f33e}").ok();
    assert_eq!(uploads(), 1, "the picture, and no list");
}

#[test]
fn what_a_refusal_advises_can_be_done_by_a_request() {
    let (_folder, server) = admin_server();
    let remove = |body: &Value| server.post_with("/admin/sets/demo/remove", ADMIN, body);
    let mut all = asked_away(&json!({"where": ["no=such"]}));
    all["labels"] = json!(["a"]);
    let everything: Vec<String> = support::demo_pairs(60)
        .iter()
        .map(|pair| pair["id"].as_str().unwrap().to_owned())
        .collect();
    let messages = [
        remove(&json!({"ids": ["no such"]})).refused(400, "unusable"),
        remove(&json!({"where": "no=such"})).refused(400, "unusable"),
        remove(&json!({"ids": everything, "missing_ok": true, "dry_run": true})).text(),
        server.post("/v1/classify", &all).refused(400, "unusable"),
    ];
    for message in messages {
        for word in ["`asif", "--", "delete the folder"] {
            assert!(!message.contains(word), "{message}");
        }
    }
    remove(&json!({"ids": ["no such"], "missing_ok": true, "dry_run": true}));
}

/// A question that excludes these pairs.
fn asked_away(without: &Value) -> Value {
    let mut asked = question(1);
    asked["without"] = without.clone();
    asked
}
