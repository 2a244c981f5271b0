//! Owns a real S3 store for one test: moto, or s3s-fs on a folder of its own, at a port
//! that nobody had, as our child.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use daylily_watch::adapters::objects::s3::{Checksums, S3, S3Bucket, Settings};
use tempfile::TempDir;

use crate::wait::{LIMIT, until};

/// What `make servers` installs.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools");

const MOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/servers/serve_moto.py");

/// The bucket that is there from the start.
pub(crate) const BUCKET: &str = "lab-inbox";

const KEY: &str = "test-key-of-nobody";
const SECRET: &str = "test-secret-of-nobody";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Moto,
    S3sFs,
}

pub(crate) struct Store {
    kind: Kind,
    dir: TempDir,
    child: Child,
    port: u16,
}

impl Store {
    /// One that listens and has the bucket [`BUCKET`].
    pub(crate) fn start(kind: Kind) -> Self {
        let dir = tempfile::Builder::new().prefix("s3-").tempdir().unwrap();
        fs::create_dir_all(dir.path().join("data").join(BUCKET)).unwrap();
        let child = spawn(kind, dir.path());
        let mut store = Self { kind, dir, child, port: 0 };
        store.write_credentials(KEY, SECRET);
        until("the store says where it listens", LIMIT, || {
            let ended = store.child.try_wait().unwrap();
            assert!(ended.is_none(), "{kind:?} ended: {}", store.log());
            store.port = port(&store.log()).unwrap_or_default();
            store.port != 0
        });
        if kind == Kind::Moto {
            // It is told without any word about who asks.
            let answer = store.ask(&format!("PUT /{BUCKET} HTTP/1.1"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        store
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            profile: Some("test".to_owned()),
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(self.endpoint()),
            path_style: true,
            checksums: Checksums::WhenSupported,
            credentials_file: Some(self.credentials()),
        }
    }

    pub(crate) fn bucket(&self) -> S3Bucket {
        S3::new(self.settings()).bucket(BUCKET)
    }

    fn credentials(&self) -> PathBuf {
        self.dir.path().join("credentials")
    }

    /// What the clients of it have to show.
    pub(crate) fn write_credentials(&self, key: &str, secret: &str) {
        let text = format!("[test]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
        fs::write(self.credentials(), text).unwrap();
    }

    pub(crate) fn write_right_credentials(&self) {
        self.write_credentials(KEY, SECRET);
    }

    /// Where s3s-fs has an object.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        assert_eq!(self.kind, Kind::S3sFs);
        self.dir.path().join("data").join(BUCKET).join(key)
    }

    pub(crate) fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let rest = "Host: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{line}\r\n{rest}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[allow(clippy::disallowed_methods, reason = "the real program is what is tested with")]
fn spawn(kind: Kind, dir: &Path) -> Child {
    let log = fs::File::create(dir.join("log")).unwrap();
    let program = match kind {
        Kind::Moto => "moto/bin/python",
        Kind::S3sFs => "bin/s3s-fs",
    };
    let program = Path::new(TOOLS).join(program);
    assert!(program.is_file(), "{} is missing: run `make servers`", program.display());
    let mut command = Command::new(program);
    command.env_clear().env("HOME", dir).env("PATH", "/usr/bin:/bin").current_dir(dir);
    match kind {
        Kind::Moto => command.args(["-u", "-B", MOTO]),
        Kind::S3sFs => command
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(["--access-key", KEY, "--secret-key", SECRET])
            .arg(dir.join("data"))
            .env("RUST_LOG", "s3s_fs=info"),
    };
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// From the line in which either says where it listens.
fn port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("http://127.0.0.1:")?;
    let digits = rest.split_once(|c: char| !c.is_ascii_digit())?.0;
    digits.parse().ok()
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
