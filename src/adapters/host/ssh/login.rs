//! Owns what it means that a login shell never came to run a script: whether the headnode
//! had no room for it just then, or runs no commands for us at all.

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::log::{Names, fault};

/// A shell tells a death by a signal as this and the signal's number; ssh and bash end
/// with more than this also when they come to nothing themselves.
const KILLED: i32 = 128;

/// `noise` is what was printed, the more telling stream first. What a shell refuses it
/// says; one that was ended, or came to no word, may fare better the next time.
pub(super) fn ran_nothing(code: Option<i32>, noise: [&str; 2], names: &Names) -> Fault {
    if let Some(fault) = noise.iter().find_map(|noise| fault(noise, names)) {
        return fault;
    }
    let lines = noise.iter().map(|noise| noise.lines().rfind(|line| !line.trim().is_empty()));
    let last = lines.flatten().next();
    let said = match (last, code) {
        (Some(line), _) => format!("says: {}", line.trim()),
        (None, Some(code)) => format!("ends with {code} and says nothing"),
        (None, None) => "says nothing".to_owned(),
    };
    let ended = code.is_none_or(|code| code >= KILLED);
    let (what, class) = match ended || last.is_none() {
        true => ("ran no command", FaultClass::TransientHost),
        false => ("runs no commands", FaultClass::FatalHost),
    };
    let text = format!(
        "the login shell on {} {what}, it {said}\nhint: as user {} this must answer with ok: \
         {} {} echo ok",
        names.headnode, names.us, names.ssh, names.host
    );
    Fault::new(class, text)
}

#[cfg(test)]
mod tests;
