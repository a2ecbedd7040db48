//! Pictures that requests name by their address: fetched from the hosts that were named, whole or not
//! at all, and from nowhere else.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod serve_support;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use serve_support::{PATIENCE, Server, base64};

/// A web server of pictures, some of which never come whole.
struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    /// Nothing is sent: `/held` is answered when this is gone.
    hold: Option<Sender<()>>,
}

impl Web {
    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (hold, held) = mpsc::channel();
        let (log, held) = (Arc::clone(&asked), Arc::new(Mutex::new(held)));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log, tls) = (stream.unwrap(), Arc::clone(&log), tls.clone());
                let held = Arc::clone(&held);
                thread::spawn(move || match tls {
                    None => answer(stream, &log, &held),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).unwrap();
                        answer(StreamOwned::new(session, stream), &log, &held);
                    }
                });
            }
        });
        Self {
            address,
            asked,
            hold: Some(hold),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request and its answer. Whoever asks may go away before the end.
fn answer(mut stream: impl Read + Write, log: &Mutex<Vec<String>>, held: &Mutex<Receiver<()>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    log.lock().unwrap().push(head.clone());
    let mut send = |status: &str, length: usize, body: &[u8]| {
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n");
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(b"location: /1.jpg\r\n\r\n");
        let _ = stream.write_all(body);
        let _ = stream.flush();
    };
    match path {
        "/1.jpg" | "/2.jpg" => {
            let file = support::jpeg(path[1..2].parse().unwrap());
            send("200 OK", file.len(), &file);
        }
        "/moved" => send("302 Found", 0, b""),
        "/page" => send("200 OK", 20, b"<html>A page.</html>"),
        "/half" => send("200 OK", 5000, &support::jpeg(1)[..1000]),
        "/large" => send("200 OK", 2 << 20, &vec![0; 2 << 20]),
        "/held" => {
            let _ = held.lock().unwrap().recv();
            let file = support::jpeg(1);
            send("200 OK", file.len(), &file);
        }
        "/never" => thread::sleep(Duration::from_secs(20)),
        _ => send("404 Not Found", 0, b""),
    }
}

fn server(more: &[&str]) -> Server {
    Server::start(&[("demo", support::demo_set())], more)
}

fn classify(server: &Server, images: &[String]) -> Vec<Value> {
    let asked = json!({"images": images, "labels": ["a bird", "a house"]});
    let answer = server.post("/v1/classify", &asked).ok();
    answer["results"].as_array().unwrap().clone()
}

#[test]
fn a_fetched_picture_has_the_answer_of_one_that_was_sent() {
    let web = Web::start(None);
    let host = web.address.to_string();
    let server = server(&["--image-hosts", &format!("images.example.org,{host}")]);
    let sent = [1, 2].map(|seed| base64(&support::jpeg(seed)));
    let named = ["1.jpg", "2.jpg"].map(|path| web.url(path));
    assert_eq!(classify(&server, &named), classify(&server, &sent));
    assert_ne!(
        classify(&server, &named[..1])[0]["predictions"],
        classify(&server, &named[1..])[0]["predictions"],
    );
    let ask = |path: &str, image: &str| {
        let labels = ["a bird", "a house"];
        let asked = match path {
            "/" => json!({"inputs": image, "parameters": {"candidate_labels": labels}}),
            "/v1/explain" => json!({"image": image, "labels": labels}),
            _ => json!({"images": [image], "texts": labels}),
        };
        server.post(path, &asked).ok()
    };
    for path in ["/", "/v1/explain", "/v1/similarity"] {
        assert_eq!(ask(path, &named[0]), ask(path, &sent[0]), "{path}");
    }
    // Nothing that the client said goes on to the host.
    let headers = [("authorization", "Bearer secret"), ("cookie", "a=b")];
    let asked = json!({"images": named, "labels": ["a bird"]}).to_string();
    let answer = server
        .connect()
        .send("POST", "/v1/classify", &headers, asked.as_bytes());
    answer.ok();
    let heads = web.asked().concat().to_ascii_lowercase();
    assert!(heads.contains("user-agent: asif/"), "{heads}");
    assert!(
        !heads.contains("secret") && !heads.contains("cookie"),
        "{heads}"
    );
}

#[test]
fn no_other_host_is_asked() {
    let web = Web::start(None);
    let port = web.address.port();
    for more in [
        &[][..],
        &["--image-hosts", "127.0.0.1,images.example.org,*.0.0.1:80"],
    ] {
        let server = server(more);
        let images = [
            web.url("1.jpg"),
            format!("HTTP://localhost:{port}/1.jpg"),
            format!("http://images.example.org@127.0.0.1:{port}/1.jpg"),
            base64(&support::jpeg(1)),
        ];
        let results = classify(&server, &images);
        for result in &results[..3] {
            let error = result["error"].as_str().unwrap();
            assert!(
                error.contains("not fetched") && error.contains("the operator of the server"),
                "{error}"
            );
        }
        assert!(results[3]["error"].is_null(), "{}", results[3]);
        assert_eq!(web.asked().len(), 0);
    }
    for bad in ["https://a.org", "a.org/path", "*"] {
        let sets = [("demo", support::demo_set())];
        let Err(ended) = Server::try_start(&sets, &["--image-hosts", bad]) else {
            panic!("{bad} is taken for a host");
        };
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("is not a host"), "{}", ended.err);
    }
}

#[test]
fn a_host_that_misbehaves_costs_its_picture_only() {
    let web = Web::start(None);
    let host = web.address.to_string();
    let server = server(&["--image-hosts", &host, "--max-body", "1", "--timeout", "6"]);
    let faults = [
        ("nothing", "404"),
        ("moved", "redirects are not followed"),
        ("page", "image"),
        ("half", "closed the connection"),
        ("large", "larger than 1048576 bytes"),
        ("never", "in time"),
    ];
    let mut images = faults.map(|(path, _)| web.url(path)).to_vec();
    images.push(web.url("1.jpg"));
    let results = classify(&server, &images);
    for ((path, word), result) in faults.iter().zip(&results) {
        let error = result["error"].as_str().unwrap_or_default();
        assert!(error.contains(word), "{path}: {result}");
    }
    assert!(results[6]["error"].is_null(), "{}", results[6]);
    let followed = web
        .asked()
        .iter()
        .filter(|head| head.starts_with("GET /1.jpg"))
        .count();
    assert_eq!(followed, 1, "the redirect leads to the same picture");
    // A host that is gone.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = self::server(&["--image-hosts", &gone.to_string()]);
    let results = classify(&server, &[format!("http://{gone}/1.jpg")]);
    let error = results[0]["error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
}

#[test]
fn a_host_that_does_not_answer_keeps_no_picture_waiting_that_was_sent() {
    const PLACES: usize = 3;
    let mut web = Web::start(None);
    let host = web.address.to_string();
    let more = [
        "--image-hosts",
        &host,
        "--max-images",
        "3",
        "--max-batch",
        "3",
        // The host is not given up before the others are answered.
        "--timeout",
        "600",
    ];
    let server = server(&more);
    let held = vec![web.url("held"); PLACES];
    let sent = [1, 2, 3].map(|seed| base64(&support::jpeg(seed)));
    thread::scope(|scope| {
        let fetched = scope.spawn(|| classify(&server, &held));
        let begun = Instant::now();
        while web.asked().len() < PLACES {
            assert!(begun.elapsed() < PATIENCE, "{:?}", web.asked());
            thread::sleep(Duration::from_millis(5));
        }
        // All places of those that are fetched are taken, and none of the others.
        for _ in 0..3 {
            for result in classify(&server, &sent) {
                assert!(result["error"].is_null(), "{result}");
            }
        }
        let asked = json!({"images": held[..1], "labels": ["a bird", "a house"]});
        let refused = server.post("/v1/classify", &asked);
        let message = refused.refused(429, "busy");
        assert!(message.contains("fetched"), "{message}");
        web.hold = None;
        for result in fetched.join().unwrap() {
            assert!(result["error"].is_null(), "{result}");
        }
    });
    // The places are free again, and one request may have both kinds.
    let mixed = [web.url("1.jpg"), sent[1].clone(), web.url("held")];
    assert_eq!(
        classify(&server, &mixed),
        classify(&server, &[&sent[0], &sent[1], &sent[0]].map(Clone::clone))
    );
}

#[test]
fn over_tls_a_host_is_known_by_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, authority) = certified(folder.path(), "ours");
    let (_, stranger) = certified(folder.path(), "stranger");
    let web = Web::start(Some(tls));
    let host = format!("localhost:{}", web.address.port());
    let image = format!("https://{host}/1.jpg");
    let ask = |authority: &Path| {
        let server = Server::try_start_in(
            &[("SSL_CERT_FILE", authority)],
            &[("demo", support::demo_set())],
            &["--image-hosts", &host],
        );
        let server = server.unwrap_or_else(|ended| panic!("{}", ended.err));
        classify(&server, std::slice::from_ref(&image)).remove(0)
    };
    let known = ask(&authority);
    assert!(known["error"].is_null(), "{known}");
    let unknown = ask(&stranger);
    let error = unknown["error"].as_str().unwrap();
    assert!(error.contains("cannot be reached"), "{error}");
}

/// What serves as `localhost`, and the file of the authority that vouches for it.
fn certified(folder: &Path, name: &str) -> (Arc<ServerConfig>, std::path::PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let host = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = host.signed_by(&key, &authority).unwrap();
    let file = folder.join(format!("{name}.pem"));
    fs_err::write(&file, authority.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
    (Arc::new(config), file)
}
