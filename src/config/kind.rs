//! Owns the vocabulary of the table in `sections`: what a key, a section and a type of
//! value are, and the rules that text must keep. It names no key.

use globset::Glob;

use crate::config::error::{Complaint, quoted};
use crate::config::units;

/// One map of the file with a fixed set of keys.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) doc: &'static str,
    pub(super) keys: &'static [Key],
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    pub(super) doc: &'static str,
    /// Set where the key is checked but its feature is not built: why, as a clause.
    pub(super) not_yet: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    Required,
    /// As it would be written in the file.
    Is(&'static str),
    /// Follows from other keys; the text says how.
    Computed(&'static str),
}

#[derive(Debug)]
pub(super) enum Kind {
    Flag,
    Count {
        least: u64,
        most: u64,
    },
    Duration {
        least_ms: i64,
    },
    /// A duration, or this word. May be zero.
    DurationOr(&'static str),
    Rate,
    Mode,
    Word(&'static [Choice]),
    Text(&'static TextRule),
    /// A path on this machine: `~/` is HOME, relative ones start at the file's folder.
    LocalPath,
    /// The number or the UUID of a GPU.
    Gpu,
    Secret,
    List(&'static Kind),
    /// Environment variables.
    Variables,
    /// A flat map of parameters of a job, each kept as it is written.
    Params,
    Section(&'static Section),
    /// A list of sections.
    Sections(&'static Section),
    /// A map from a plain name to a section.
    Named(&'static Section),
    WordOr(&'static str, &'static Section),
}

impl Kind {
    /// The section below, and how the path to it goes on.
    pub(super) fn section(&self) -> Option<(&'static Section, &'static str)> {
        match self {
            Self::Section(section) | Self::WordOr(_, section) => Some((section, "")),
            Self::Sections(section) => Some((section, "[]")),
            Self::Named(section) => Some((section, ".<name>")),
            Self::Flag
            | Self::Count { .. }
            | Self::Duration { .. }
            | Self::DurationOr(_)
            | Self::Rate
            | Self::Mode
            | Self::Word(_)
            | Self::Text(_)
            | Self::LocalPath
            | Self::Gpu
            | Self::Secret
            | Self::List(_)
            | Self::Variables
            | Self::Params => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Choice {
    pub(super) word: &'static str,
    /// Set where the word is right but nothing can come of it in this version: what to
    /// write instead.
    pub(super) instead: Option<&'static str>,
}

pub(super) const fn choice(word: &'static str) -> Choice {
    Choice { word, instead: None }
}

pub(super) const fn later(word: &'static str, instead: &'static str) -> Choice {
    Choice { word, instead: Some(instead) }
}

#[derive(Debug)]
pub(super) struct TextRule {
    /// With its article, for messages and for the reference.
    pub(super) expected: &'static str,
    pub(super) check: fn(&str) -> Result<(), Complaint>,
}

pub(super) static ANY: TextRule = TextRule { expected: "text", check: line };
pub(super) static SCRIPT: TextRule = TextRule { expected: "a shell command", check: script };
pub(super) static NAME: TextRule = TextRule { expected: "a plain name", check: name };
pub(super) static FILE_NAME: TextRule = TextRule { expected: "a file name", check: file_name };
pub(super) static MANIFEST: TextRule =
    TextRule { expected: "auto, none or a file name", check: file_name };
pub(super) static GLOB: TextRule =
    TextRule { expected: "a relative pattern such as results/*.vcf", check: glob };
pub(super) static RELATIVE: TextRule = TextRule { expected: "a relative path", check: relative };
pub(super) static HOST: TextRule = TextRule { expected: "local, or a host for ssh", check: host };
pub(super) static HOST_PATH: TextRule =
    TextRule { expected: "an absolute path or one beginning with ~/", check: host_path };
pub(super) static WORK_DIR: TextRule = TextRule { expected: "a path", check: line };
pub(super) static TIME_ZONE: TextRule =
    TextRule { expected: "system, or a time zone such as Europe/Berlin", check: time_zone };
pub(super) static HOURS: TextRule =
    TextRule { expected: "two times of a day such as 20:00-06:00", check: hours };
pub(super) static LISTEN: TextRule =
    TextRule { expected: "an address such as 127.0.0.1:8787", check: listen };

fn line(text: &str) -> Result<(), Complaint> {
    no_control(text, |_| false)
}

fn script(text: &str) -> Result<(), Complaint> {
    no_control(text, |c| matches!(c, '\n' | '\t'))
}

fn no_control(text: &str, allowed: fn(char) -> bool) -> Result<(), Complaint> {
    if text.trim().is_empty() {
        return Err(Complaint::new("found blank text, expected something or null"));
    }
    match text.chars().find(|c| c.is_control() && !allowed(*c)) {
        None => Ok(()),
        Some(control) => {
            let shown = control.escape_debug();
            Err(Complaint::new(format!("found the control character {shown} in {}", quoted(text))))
        }
    }
}

/// Names end in paths, in labels and on command lines.
pub(super) fn name(text: &str) -> Result<(), Complaint> {
    const MOST: usize = 64;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty()
        || text.len() > MOST
        || text.starts_with(['.', '-'])
        || !text.chars().all(plain)
    {
        return Err(Complaint::new(format!("found {}, expected a plain name", quoted(text))).hint(
            format!(
                "at most {MOST} letters, digits, dots, dashes and underscores, not beginning \
                 with a dot or a dash"
            ),
        ));
    }
    Ok(())
}

fn file_name(text: &str) -> Result<(), Complaint> {
    line(text)?;
    if text.contains('/') || text == "." || text == ".." {
        return Err(Complaint::new(format!(
            "found {}, expected a file name without a folder",
            quoted(text)
        )));
    }
    Ok(())
}

fn relative(text: &str) -> Result<(), Complaint> {
    line(text)?;
    if text.starts_with(['/', '~']) || text.split('/').any(|part| part == "..") {
        return Err(Complaint::new(format!(
            "found {}, expected a relative path without ..",
            quoted(text)
        )));
    }
    Ok(())
}

fn glob(text: &str) -> Result<(), Complaint> {
    relative(text)?;
    match Glob::new(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Complaint::new(format!("found the pattern {}: {}", quoted(text), error.kind()))
                .hint("a literal bracket or brace is written \\[ or \\{"))
        }
    }
}

fn host(text: &str) -> Result<(), Complaint> {
    line(text)?;
    if text == "local" {
        return Ok(());
    }
    if text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err(Complaint::new(format!(
            "found {}, expected local, or user@host or an alias of ~/.ssh/config",
            quoted(text)
        )));
    }
    Ok(())
}

fn host_path(text: &str) -> Result<(), Complaint> {
    line(text)?;
    if text.contains(':') || !(text.starts_with('/') || text.starts_with("~/")) {
        return Err(Complaint::new(format!(
            "found {}, expected an absolute path, or one beginning with ~/, without a colon",
            quoted(text)
        )));
    }
    Ok(())
}

fn time_zone(text: &str) -> Result<(), Complaint> {
    line(text)?;
    if text == "system" || jiff::tz::TimeZone::get(text).is_ok() {
        return Ok(());
    }
    Err(Complaint::new(format!("found {}, which is no time zone known here", quoted(text)))
        .hint("system, UTC, or a name as in /usr/share/zoneinfo, such as Europe/Berlin"))
}

fn hours(text: &str) -> Result<(), Complaint> {
    if units::hours(text).is_some() {
        return Ok(());
    }
    Err(Complaint::new(format!("found {}, expected {}", quoted(text), HOURS.expected)))
}

fn listen(text: &str) -> Result<(), Complaint> {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(());
    }
    Err(Complaint::new(format!("found {}, expected {}", quoted(text), LISTEN.expected)))
}

pub(super) fn variable(text: &str) -> Result<(), Complaint> {
    const OURS: [&str; 5] =
        ["CUDA_VISIBLE_DEVICES", "DAYLILY_SLOT", "DAYLILY_ATTEMPT", "DAYLILY_STOP", "DAYLILY_CASE"];
    if !is_identifier(text) {
        return Err(Complaint::new(format!(
            "found {}, expected the name of an environment variable",
            quoted(text)
        ))
        .hint("letters, digits and underscores, not beginning with a digit"));
    }
    if OURS.contains(&text) || text.starts_with("DAYLILY_PARAM_") {
        return Err(Complaint::new(format!("{} is set for each job by the program", quoted(text)))
            .hint("choose another name"));
    }
    Ok(())
}

/// The name of a parameter: it becomes the end of a variable's.
pub(super) fn parameter(text: &str) -> Result<(), Complaint> {
    const MOST: usize = 128;
    if is_identifier(text) && text.len() <= MOST {
        return Ok(());
    }
    Err(Complaint::new(format!("found {}, expected the name of a parameter", quoted(text))).hint(
        format!("at most {MOST} letters, digits and underscores, not beginning with a digit"),
    ))
}

/// The value of a parameter: what a variable can hold.
pub(super) fn parameter_value(text: &str) -> Result<(), Complaint> {
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        None => Ok(()),
        Some(control) => {
            let shown = control.escape_debug();
            Err(Complaint::new(format!("found the control character {shown} in {}", quoted(text))))
        }
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether unquoted text is a number or a truth value to some reader of YAML, so that it
/// must not pass for text: 0600 is not 600.
pub(super) fn is_no_text(plain: &str) -> Option<&'static str> {
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let number = digits.starts_with(|c: char| c.is_ascii_digit())
        && (digits.parse::<f64>().is_ok()
            || digits.starts_with("0x")
            || digits.starts_with("0o")
            || digits.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
        || matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    if number {
        return Some("the number");
    }
    matches!(plain, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        .then_some("the truth value")
}

/// Where in the table a key of this name is, as a path.
pub(super) fn place_of(section: &Section, name: &str, path: &str) -> Option<String> {
    for key in section.keys {
        let own = match path {
            "" => key.name.to_owned(),
            path => format!("{path}.{}", key.name),
        };
        if key.name == name {
            return Some(own);
        }
        if let Some((below, suffix)) = key.kind.section()
            && let Some(found) = place_of(below, name, &format!("{own}{suffix}"))
        {
            return Some(found);
        }
    }
    None
}

/// The nearest of the names, where one is so near that it is probably meant.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > 64 {
        return None;
    }
    let allowed = (text.chars().count() / 3).clamp(1, 3);
    names
        .map(|name| (distance(text, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let change = usize::from(from[i - 1] != to[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}
