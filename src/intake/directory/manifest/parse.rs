//! Owns the formats of a manifest: what GNU coreutils write, with binary mode and escaped
//! names, and the tagged lines of BSD. A line that is neither is told, never guessed at.

use super::{Checksum, Named, Problems};
use crate::tree::shortened;

/// What the kernel takes for one path, in bytes.
const LONGEST_PATH: usize = 4096;

/// So many are found, of which few are listed.
const MOST_MISTAKES: usize = 1_000;

/// More than a manifest of the largest size names where names are as long as people's.
const MOST_NAMED: usize = 400_000;

/// Reads the whole of it; all that is wrong at once, as far as it is listed.
pub(super) fn parse(manifest: &str, text: &str) -> Result<Vec<Named>, Vec<String>> {
    let mut named = Vec::new();
    let mut problems = Problems::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.split('\n')) {
        if problems.many() >= MOST_MISTAKES {
            // It is no manifest, and nobody counts how much it is not one.
            break;
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Ok(_) if named.len() >= MOST_NAMED => {
                problems.add(|| format!("{manifest} names more than {MOST_NAMED} files"));
                break;
            }
            Ok(file) => named.push(file),
            Err(why) => problems.add(|| format!("{manifest} line {number} {why}")),
        }
    }
    if named.is_empty() && problems.is_empty() {
        problems.add(|| format!("{manifest} names no file"));
    }
    if problems.is_empty() { Ok(named) } else { Err(problems.finish()) }
}

fn parse_line(line: &str) -> Result<Named, String> {
    let (escaped, rest) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let Some((digits, name)) = plain(rest).or(tagged(rest)?) else {
        return Err("is no checksum with the name of a file".to_owned());
    };
    let checksum = checksum(digits)?;
    let name = match escaped {
        true => unescaped(name).ok_or("has a backslash that means nothing")?,
        false => name.to_owned(),
    };
    Ok(Named { path: path(&name)?, checksum })
}

/// `<digits>  <name>`, the second blank being a `*` in binary mode; old tools write one.
fn plain(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|c: char| !c.is_ascii_hexdigit())?;
    let (digits, rest) = line.split_at(end);
    let rest = rest.strip_prefix([' ', '\t'])?;
    let name = rest.strip_prefix([' ', '*']).unwrap_or(rest);
    // Words of a sentence may be hexadecimal too: `bad`.
    (digits.len() >= 32 && !name.is_empty()).then_some((digits, name))
}

/// `SHA256 (<name>) = <digits>`.
fn tagged(line: &str) -> Result<Option<(&str, &str)>, String> {
    let Some((tag, rest)) = line.split_once(" (") else { return Ok(None) };
    let Some((name, digits)) = rest.rsplit_once(") = ") else { return Ok(None) };
    let length = match tag {
        "SHA256" | "SHA-256" => 64,
        "MD5" => 32,
        _ => {
            let tag = shortened(tag);
            return Err(format!("has a checksum of the kind {tag:?}; SHA256 and MD5 are known"));
        }
    };
    if digits.len() != length || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("has no {tag} checksum, which has {length} hexadecimal digits"));
    }
    Ok(Some((digits, name)))
}

fn checksum(digits: &str) -> Result<Checksum, String> {
    match digits.len() {
        64 => bytes(digits).map(Checksum::Sha256),
        32 => bytes(digits).map(Checksum::Md5),
        _ => None,
    }
    .ok_or_else(|| {
        format!(
            "has a checksum of {} digits; those of SHA-256 (64) and MD5 (32) are known",
            digits.len()
        )
    })
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        plain.push(match c {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

/// The path within the case, without the `.` and doubled slashes that `find` likes.
fn path(name: &str) -> Result<String, String> {
    if name.len() > LONGEST_PATH {
        let bytes = name.len();
        return Err(format!("names a path of {bytes} bytes, longer than any path can be"));
    }
    let leaves = name.starts_with('/') || name.split('/').any(|part| part == "..");
    if leaves {
        let shown = crate::tree::shown(name.as_ref());
        return Err(format!("names {shown}, and only files of the case itself can be named"));
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        return Err("names no file".to_owned());
    }
    Ok(parts.join("/"))
}
