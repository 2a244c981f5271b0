//! Owns where a secret is found: in the environment or in a file, never in the
//! configuration itself. A secret's text is never shown by Debug, kept in a hash or
//! put into a message.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// More than any secret has.
const MOST_BYTES: u64 = 64 << 10;

/// A password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, to be handed to whoever asks for it and to nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where a secret is to be read when it is needed, so that a changed one is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Environment(String),
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable {0} is not set, or is empty or not UTF-8")]
    Environment(String),
    #[error("cannot read the secret in {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the secret in {} is empty", .0.display())]
    Empty(PathBuf),
}

impl SecretSource {
    /// Reads the secret. The line break at the end of a file does not count.
    /// From then on it is masked in whatever this process keeps or shows.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let secret = match self {
            Self::Environment(name) => from_environment(name),
            Self::File(path) => from_file(path),
        }?;
        crate::mask::learn(secret.reveal());
        Ok(secret)
    }
}

#[allow(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
fn from_environment(name: &str) -> Result<Secret, SecretError> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => Ok(Secret(text)),
        Ok(_) | Err(_) => Err(SecretError::Environment(name.to_owned())),
    }
}

fn from_file(path: &Path) -> Result<Secret, SecretError> {
    let cannot = |source| SecretError::File { path: path.to_owned(), source };
    // A pipe that nobody writes to would be waited for without end.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut text = String::new();
    file.and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text)).map_err(cannot)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(Secret(text.to_owned()))
}
