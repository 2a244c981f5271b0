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
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Collects what is wrong while the file is read.
#[derive(Debug)]
pub(crate) struct Problems {
    file: PathBuf,
    found: Vec<ConfigError>,
}

impl Problems {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    pub(crate) fn add(&mut self, at: Position, key: impl Into<String>, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let file = self.file.clone();
        self.found.push(ConfigError { file, at: Some(at), key: key.into(), message, hint });
    }

    pub(crate) fn about_the_file(&mut self, complaint: Complaint) {
        let Complaint { message, hint } = complaint;
        let file = self.file.clone();
        self.found.push(ConfigError { file, at: None, key: String::new(), message, hint });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn into_errors(mut self) -> ConfigErrors {
        self.found.sort_by_key(|error| error.at);
        ConfigErrors(self.found)
    }
}

/// The most mistakes of what somebody sent that are listed; the rest is counted.
const LISTED: usize = 50;

impl ConfigErrors {
    /// One line each, such as `case.yaml:3:1: prioritaet: unknown key; did you mean priority?`
    pub(crate) fn into_lines(self) -> Vec<String> {
        let more = self.0.len().saturating_sub(LISTED);
        let mut lines: Vec<String> =
            self.0.into_iter().take(LISTED).map(ConfigError::into_line).collect();
        if more > 0 {
            lines.push(format!("there are {more} problems more"));
        }
        lines
    }
}

impl ConfigError {
    fn into_line(self) -> String {
        let hint = self.hint.clone();
        let text = Self { hint: None, ..self }.to_string();
        match hint {
            Some(hint) => format!("{text}; {hint}"),
            None => text,
        }
    }
}

/// Text from the file as it is quoted in a message: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    // The escapes of quotation marks would only distract inside backticks.
    format!("`{}`", shown.replace("\\\"", "\"").replace("\\'", "'"))
}
