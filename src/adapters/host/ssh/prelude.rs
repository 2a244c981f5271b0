//! Owns what is said to a login shell. One fixed line goes through it, whichever shell it
//! is; everything else comes on standard input to the /bin/sh that this line starts:
//! first the length of a prelude, then the prelude, then what the script itself reads.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapters::host::job::is_variable;
use crate::adapters::host::quote::{Unquotable, quote};
use crate::adapters::host::shell::Ask;

/// sh, csh and fish all take it as it is. `exec` leaves no login shell behind that could
/// say or do anything afterwards.
pub(super) const LINE: &str =
    r#"exec /bin/sh -c 'IFS= read -r n && s=$(head -c "$n") && eval "$s"'"#;

/// How long a script that does not end when it is told to is given.
pub(super) const KILL_AFTER: Duration = Duration::from_secs(5);

/// What a script is given to read is put into the prelude up to here.
const WITHIN: usize = 64 << 10;

const BEGIN: &str = include_str!("../scripts/remote_begin.sh");
const END: &str = include_str!("../scripts/remote_end.sh");

#[derive(Debug, thiserror::Error)]
pub(super) enum PreludeError {
    #[error(transparent)]
    Unquotable(#[from] Unquotable),
    #[error("{name:?} cannot be the name of an environment variable")]
    VariableName { name: String },
}

/// What goes to standard input, and whether what the script is given to read goes there
/// behind it: that may be large, and is not copied for it. `time` asks for the headnode's time on the token's
/// line.
pub(super) fn input(
    ask: &Ask<'_>,
    path: &[String],
    env: &BTreeMap<String, String>,
    token: &str,
    time: bool,
) -> Result<(Vec<u8>, bool), PreludeError> {
    let within = match std::str::from_utf8(ask.stdin) {
        Ok(text) if ask.stdin.len() <= WITHIN && !text.contains('\0') && ask.more.is_none() => {
            Some(text)
        }
        Ok(_) | Err(_) => None,
    };
    let mut text = String::new();
    text.push_str(&format!("token={token}\ntime={}\npath=", if time { "yes" } else { "" }));
    for folder in path {
        match folder.strip_prefix("~/") {
            Some(below) => text.push_str(&format!("\"${{HOME:-/}}\"/{}:", quote(below)?)),
            None => text.push_str(&format!("{}:", quote(folder)?)),
        }
    }
    text.push('\n');
    text.push_str(BEGIN);
    // Without any, `set --` would leave the script's own words in place.
    text.push_str("set -- \"$@\"");
    for (name, value) in env {
        if !is_variable(name) {
            return Err(PreludeError::VariableName { name: name.clone() });
        }
        text.push_str(&format!(" {}", quote(&format!("{name}={value}"))?));
    }
    text.push('\n');

    match within {
        // Standard input is free then, and its end tells that nobody waits any more.
        Some(_) => text.push_str("watch\n"),
        None => text.push_str("watcher=\n"),
    }
    match within {
        Some("") => {}
        Some(read) => text.push_str(&format!("printf %s {} |\n", quote(read)?)),
        None => {
            let length = ask.stdin.len() + ask.more.map_or(0, |more| more.length());
            text.push_str(&format!("head -c {length} <&3 |\n"));
        }
    }
    // Less than a millisecond would be no limit at all.
    let limit = ask.limit.as_secs_f64().max(0.001);
    text.push_str(&format!("env -i \"$@\" timeout -k {} {limit:.3} ", KILL_AFTER.as_secs()));
    text.push_str(&format!("/bin/sh -c {} daylily-watch", quote(ask.script)?));
    for arg in &ask.args {
        text.push_str(&format!(" {}", quote(arg)?));
    }
    text.push_str(if within == Some("") { " </dev/null 3<&-\n" } else { " 3<&-\n" });
    text.push_str(END);

    // The command substitution that takes it in drops newlines at its end.
    let input = format!("{}\n{text}", text.len()).into_bytes();
    Ok((input, within.is_none()))
}

#[cfg(test)]
mod tests;
