//! Owns what each text of a workset must be like. A workset is written by whoever may put
//! files into the intake, so a text that could be taken for something else is refused.

use crate::config::error::{Complaint, quoted};
use crate::intake::workset::location;

type Checked = Result<(), Complaint>;

/// In bytes. What one argument of a program can be is more.
const LONGEST: usize = 32 << 10;

fn without_control(text: &str, allowed: &[char]) -> Checked {
    if text.len() > LONGEST {
        return Err(Complaint::new(format!(
            "found {} bytes of text, expected at most {LONGEST}",
            text.len()
        )));
    }
    match text.chars().find(|c| c.is_control() && !allowed.contains(c)) {
        None => Ok(()),
        Some(control) => {
            let shown = control.escape_debug();
            Err(Complaint::new(format!("found the control character {shown} in {}", quoted(text))))
        }
    }
}

fn something(text: &str) -> Checked {
    if text.trim().is_empty() {
        return Err(Complaint::new("found blank text, expected something").hint("or leave it out"));
    }
    Ok(())
}

fn wrong(text: &str, expected: &str) -> Complaint {
    Complaint::new(format!("found {}, expected {expected}", quoted(text)))
}

/// For people.
pub(super) fn any(text: &str) -> Checked {
    something(text)?;
    without_control(text, &['\n', '\t'])
}

/// Shell text.
pub(super) fn script(text: &str) -> Checked {
    something(text)?;
    without_control(text, &['\n', '\t'])
}

/// What follows `dy-r`.
pub(super) fn pipeline_command(text: &str) -> Checked {
    script(text)?;
    if text.split_whitespace().next() == Some("dy-r") {
        return Err(Complaint::new("begins with `dy-r` itself, expected what follows it")
            .hint("leave that word out"));
    }
    Ok(())
}

/// Words of a command, or what follows one.
pub(super) fn arguments(text: &str) -> Checked {
    without_control(text, &['\n', '\t'])
}

/// One word of a command, perhaps empty.
pub(super) fn argument(text: &str) -> Checked {
    without_control(text, &['\n', '\t'])
}

pub(super) fn variable_value(text: &str) -> Checked {
    without_control(text, &['\n', '\t'])
}

/// A name that becomes an argument: it is no option.
pub(super) fn word(text: &str) -> Checked {
    something(text)?;
    without_control(text, &[])?;
    if text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err(wrong(text, "a name without blanks that does not begin with a dash"));
    }
    Ok(())
}

pub(super) fn region(text: &str) -> Checked {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        return Ok(());
    }
    Err(wrong(text, "a region such as us-west-2"))
}

pub(super) fn file_name(text: &str) -> Checked {
    word(text)?;
    if text.contains('/') || text == "." || text == ".." {
        return Err(wrong(text, "a file name without a folder"));
    }
    Ok(())
}

/// A path within a folder.
pub(super) fn inside(text: &str) -> Checked {
    something(text)?;
    without_control(text, &[])?;
    if text.starts_with(['/', '~']) || text.split('/').any(|part| part == "..") {
        return Err(wrong(text, "a relative path without .."));
    }
    if tidy(text).is_empty() || text.ends_with('/') {
        return Err(wrong(text, "the path of a file"));
    }
    Ok(())
}

/// A directory on the headnode.
pub(super) fn directory(text: &str) -> Checked {
    something(text)?;
    without_control(text, &[])?;
    if text.starts_with('~') || text.split('/').any(|part| part == "..") {
        return Err(wrong(text, "an absolute path, or one within the workset, without .. and ~"));
    }
    Ok(())
}

pub(super) fn s3_uri(text: &str) -> Checked {
    match location::s3(text) {
        Some(uri) if uri.is_plain() => Ok(()),
        Some(_) | None => Err(wrong(text, "s3://bucket/prefix/")),
    }
}

/// The same path without `.` and doubled slashes.
pub(super) fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}
