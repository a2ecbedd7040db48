//! What the tests of the server share: the real binary on a free port, and a client that can also
//! misbehave.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests may panic, and each test binary uses its own part of this module"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A server that is killed when the test ends.
pub struct Server {
    child: Child,
    /// Held open, so that the server's own output never fails.
    _out: BufReader<ChildStdout>,
    pub address: String,
    /// What it has printed when it was ready.
    pub told: Value,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    /// `asif serve` on a free port of loopback, with these further arguments.
    pub fn start(sets: &[(&str, &Path)], more: &[&str]) -> Self {
        Self::try_start(sets, more).expect("the server starts")
    }

    /// The same; a server that ends before it listens gives what it said.
    pub fn try_start(sets: &[(&str, &Path)], more: &[&str]) -> Result<Self, support::Ended> {
        Self::try_start_in(&[], sets, more)
    }

    /// The same with these variables in its environment.
    pub fn try_start_in(
        environment: &[(&str, &Path)],
        sets: &[(&str, &Path)],
        more: &[&str],
    ) -> Result<Self, support::Ended> {
        Self::spawn(None, environment, sets, more)
    }

    /// The same after `line`, of a shell, that limits what the server has.
    pub fn start_limited(line: &str, sets: &[(&str, &Path)], more: &[&str]) -> Self {
        Self::spawn(Some(line), &[], sets, more).expect("the server starts")
    }

    fn spawn(
        line: Option<&str>,
        environment: &[(&str, &Path)],
        sets: &[(&str, &Path)],
        more: &[&str],
    ) -> Result<Self, support::Ended> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = support::asif();
        if let Some(line) = line {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{line}; exec \"$0\" \"$@\""));
            shell.arg(command.get_program()).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            command = shell;
        }
        for name in [
            "ASIF_API_KEY",
            "ASIF_ADMIN_KEY",
            "ASIF_IMAGE_HOSTS",
            "ASIF_INDEX",
            "ASIF_LISTEN",
            "ASIF_PROBE_LISTEN",
        ] {
            command.env_remove(name);
        }
        command.args(["serve", "--json"]);
        if !more.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        for (name, path) in sets {
            command
                .arg("--index")
                .arg(format!("{name}={}", path.display()));
        }
        let mut child = command
            .args(more)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(fs_err::File::create(&log).unwrap().into_parts().0)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Ok(told) = serde_json::from_str::<Value>(&line) else {
            let code = child.wait().unwrap().code();
            let err = fs_err::read_to_string(&log).unwrap();
            return Err(support::Ended {
                code,
                out: line,
                err,
            });
        };
        Ok(Self {
            child,
            _out: out,
            address: told["listen"].as_str().unwrap().to_owned(),
            told,
            log,
            _folder: folder,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> Client {
        self.connect_to(&self.address)
    }

    /// The same to another port.
    pub fn connect_to(&self, address: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.connect().send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.connect().post(path, body)
    }

    pub fn post_with(&self, path: &str, key: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        let body = body.to_string();
        self.connect().send("POST", path, &headers, body.as_bytes())
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs_err::read_to_string(&self.log).unwrap()
    }

    /// Waits until `/health` is as the caller wants it.
    pub fn wait_for_health(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let health = self.get("/health").ok();
            if wanted(&health) {
                return health;
            }
            assert!(begun.elapsed() < PATIENCE, "{health}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is kept open between requests.
pub struct Client(pub BufReader<TcpStream>);

impl Client {
    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], body.to_string().as_bytes())
    }

    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.write(method, path, headers, body);
        self.read()
    }

    /// A whole request.
    pub fn write(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !given("host") {
            head.push_str("host: localhost\r\n");
        }
        if !given("content-length") && !given("transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.raw(head.as_bytes());
        self.raw(body);
    }

    /// Bytes as they are. A server that has refused may close before all came.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// The next answer.
    pub fn read(&mut self) -> Answer {
        self.try_read().expect("an answer")
    }

    /// The next answer; none if the connection ended.
    pub fn try_read(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(n, _)| n == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer {
            status,
            headers,
            body,
        })
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Asserts 200 and gives the body.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Asserts a refusal in the one shape of all refusals, with this status and code.
    pub fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{error}");
        assert!(error["type"].is_string(), "{error}");
        assert_eq!(
            error["request_id"].as_str(),
            self.header("x-request-id"),
            "{error}"
        );
        error["message"].as_str().unwrap().to_owned()
    }
}

/// Bytes in base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A drawing in base64.
pub fn picture(seed: u32) -> String {
    base64(&support::jpeg(seed))
}

/// A drawing as a `data:` URL.
pub fn data_url(seed: u32) -> String {
    format!("data:image/jpeg;base64,{}", picture(seed))
}

/// A question of one drawing and two labels.
pub fn question(seed: u32) -> Value {
    json!({"images": [picture(seed)], "labels": ["a bird", "a house"]})
}

/// A form with these fields: name, file name if it is a file, bytes.
pub fn form(fields: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    const EDGE: &str = "xXxTestxXx";
    let mut body = Vec::new();
    for (name, file, bytes) in fields {
        let file = file.map_or(String::new(), |f| format!("; filename=\"{f}\""));
        let head =
            format!("--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{EDGE}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={EDGE}"), body)
}

/// A set of some demo pairs in `folder`, in the cheap space of plain relative rows.
pub fn build(folder: &Path, name: &str, records: &[Value]) -> PathBuf {
    build_with(folder, name, records, &[])
}

/// The same, with further options.
pub fn build_with(folder: &Path, name: &str, records: &[Value], options: &[&str]) -> PathBuf {
    let pairs = support::write_jsonl(folder, &format!("{name}.jsonl"), records);
    let set = folder.join(format!("{name}.asif"));
    let mut command = support::asif();
    command.args(["build", "--quiet", "--space", "asif"]);
    command.args(options).arg("--pairs");
    support::run(command.arg(pairs).arg("--out").arg(&set)).ok();
    set
}
