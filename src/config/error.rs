//! Owns how a mistake in the configuration is told: all of them at once, each with
//! its file, line, column and key path. It never decides what a mistake is.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in the configuration file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    /// In characters, not bytes.
    pub column: usize,
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    /// None where the file as a whole is meant.
    pub at: Option<Position>,
    /// Such as `intakes[0].settle.quiet`; empty where no key is meant.
    pub key: String,
    pub message: String,
    /// The next step, where we know it.
    pub hint: Option<String>,
}

/// Everything that is wrong with the configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
        }
        if let Some(at) = self.at {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        if !self.file.as_os_str().is_empty() || self.at.is_some() {
            write!(f, " ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// What is wrong with one value, before it is known where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Collects what is wrong while the file is read.
#[derive(Debug)]
pub(super) struct Problems {
    file: PathBuf,
    found: Vec<ConfigError>,
}

impl Problems {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    pub(super) fn add(&mut self, at: Position, key: impl Into<String>, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let file = self.file.clone();
        self.found.push(ConfigError { file, at: Some(at), key: key.into(), message, hint });
    }

    pub(super) fn about_the_file(&mut self, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let file = self.file.clone();
        self.found.push(ConfigError { file, at: None, key: String::new(), message, hint });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.found.sort_by_key(|error| error.at);
        ConfigErrors(self.found)
    }
}

/// Text from the file as it is quoted in a message: short, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    // The escapes of quotation marks would only distract inside backticks.
    format!("`{}`", shown.replace("\\\"", "\"").replace("\\'", "'"))
}
