//! Owns what ssh says when it cannot connect, and what each of it means: one table, read
//! from the top, so that the reason is found before its consequences.

use daylily_lifecycle::outcome::{Fault, FaultClass};

use crate::adapters::host::quote::quote;

/// What the sentences name.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) headnode: String,
    /// `ssh`, with the configuration file it is given. Like `host` a word to be pasted.
    pub(super) ssh: String,
    pub(super) host: String,
    /// The user we run as.
    pub(super) us: String,
}

struct Row {
    /// All of them on one line.
    says: &'static [&'static str],
    class: FaultClass,
    /// With `{headnode}`, `{ssh}`, `{host}` and `{us}` as in [`Names`]; `{said}` is the line
    /// that says it, `{ask}` how a person connects and is asked about the host key,
    /// `{forget}` how the one that is known is forgotten.
    text: &'static str,
    hint: &'static str,
}

const fn person(says: &'static [&'static str], text: &'static str, hint: &'static str) -> Row {
    Row { says, class: FaultClass::NeedsPerson, text, hint }
}

const fn broken(says: &'static [&'static str], text: &'static str, hint: &'static str) -> Row {
    Row { says, class: FaultClass::FatalHost, text, hint }
}

const fn passing(says: &'static [&'static str], text: &'static str, hint: &'static str) -> Row {
    Row { says, class: FaultClass::TransientHost, text, hint }
}

const OPEN_IT: &str = "open the connection yourself: set ssh.control_path of {headnode} to a \
                       path, and run as user {us}: {ssh} -M -N -S THAT_PATH \
                       -o ServerAliveInterval=5 {host}";
const OUR_KEY: &str = "see as user {us} whether this works without a question: {ssh} -o \
                       BatchMode=yes {host}; a key with a passphrase needs an agent, a new one \
                       ssh-copy-id";
const OR_OPEN_IT: &str = "see as user {us} whether this works without a question: {ssh} -o \
                          BatchMode=yes {host}; where it must ask, set ssh.control_path of \
                          {headnode} to a path, and run: {ssh} -M -N -S THAT_PATH \
                          -o ServerAliveInterval=5 {host}";

static TABLE: &[Row] = &[
    broken(
        &["Bad configuration option"],
        "ssh does not understand its configuration: {said}",
        "correct that line",
    ),
    broken(
        &["Can't open user config file"],
        "ssh cannot read its configuration: {said}",
        "correct ssh.config_file of {headnode}",
    ),
    broken(
        &["Bad owner or permissions on"],
        "ssh does not trust its configuration: {said}",
        "nobody but user {us} may be able to write that file",
    ),
    broken(
        &["bad configuration options"],
        "ssh does not understand its configuration: {said}",
        "correct it",
    ),
    broken(&["too long for Unix domain socket"], "{said}", "set XDG_RUNTIME_DIR to a shorter path"),
    passing(&["not permitted to log in yet"], "it is starting, and lets nobody in yet", ""),
    passing(&["System is going down"], "it is going down, and lets nobody in", ""),
    passing(
        &["Resource temporarily unavailable"],
        "it has no room for another process: {said}",
        "see `ulimit -u` there",
    ),
    passing(
        &["Cannot fork"],
        "it has no room for another process: {said}",
        "see `ulimit -u` and `free -h` there",
    ),
    // ssh itself says the same without a name before it, of this machine.
    passing(
        &[": fork: Cannot allocate memory"],
        "it has no memory for another process: {said}",
        "see `free -h` there",
    ),
    passing(
        &["failed to map segment from shared object"],
        "it has no memory for another process: {said}",
        "see `ulimit -v` and `free -h` there",
    ),
    person(
        &["Host key for ", " has changed"],
        "the host key of {headnode} has changed: {said}",
        "if it was installed anew, run as user {us}: {forget}, then compare the new key in: \
         {ask}",
    ),
    person(
        &["No ", " host key is known for "],
        "the host key of {headnode} is not known: {said}",
        "run as user {us}, and compare the key: {ask}",
    ),
    person(
        &["Host key verification failed"],
        "the host key of {headnode} could not be verified",
        "run as user {us}, and compare the key: {ask}",
    ),
    broken(
        &["Unable to negotiate with"],
        "ssh and {headnode} have no method in common: {said}",
        "allow one that it offers in the configuration of ssh",
    ),
    person(
        &["UNPROTECTED PRIVATE KEY FILE"],
        "ssh does not use our key for {headnode}, because others may read its file",
        "see as user {us} which file this names, and chmod 600 it: {ssh} {host}",
    ),
    person(
        &["Permission denied (", "publickey", "keyboard-interactive"],
        "{headnode} refuses our key and would ask for a password: {said}",
        OR_OPEN_IT,
    ),
    person(
        &["Permission denied (", "publickey", "password"],
        "{headnode} refuses our key and would ask for a password: {said}",
        OR_OPEN_IT,
    ),
    person(
        &["Permission denied (", "keyboard-interactive"],
        "{headnode} asks for a one-time password or the like: {said}",
        OPEN_IT,
    ),
    person(&["Permission denied (", "password"], "{headnode} asks for a password: {said}", OPEN_IT),
    person(&["Permission denied ("], "{headnode} refuses our key: {said}", OUR_KEY),
    person(
        &["Too many authentication failures"],
        "{headnode} refuses our keys before the right one is tried: {said}",
        "set IdentityFile and `IdentitiesOnly yes` for it in the configuration of ssh",
    ),
    person(
        &["o more authentication methods"],
        "{headnode} accepts none of our ways to log in: {said}",
        OUR_KEY,
    ),
    passing(
        &["Temporary failure in name resolution"],
        "its name cannot be looked up at present",
        "",
    ),
    passing(
        &["Could not resolve hostname"],
        "its name is not known: {said}",
        "see `host` of {headnode}, and HostName in the configuration of ssh",
    ),
    passing(&["Connection refused"], "connection refused", ""),
    passing(&["Connection timed out"], "connection timed out", ""),
    passing(&["Operation timed out"], "connection timed out", ""),
    passing(&["No route to host"], "no route to host", ""),
    passing(&["Network is unreachable"], "the network is unreachable", ""),
    passing(
        &["open failed"],
        "sshd refuses a channel on its connection: {said}",
        "see MaxSessions and AllowTcpForwarding of sshd there; MaxSessions 10 is enough",
    ),
    passing(
        &["Session open refused by peer"],
        "sshd allows no more sessions on one connection",
        "see MaxSessions of sshd there; 10 is enough",
    ),
    passing(&["Connection reset"], "connection reset", ""),
    passing(&["Broken pipe"], "the connection broke", ""),
    passing(&["not responding"], "the connection broke: nothing came over it any more", ""),
    passing(&["closed by remote host"], "the connection was closed by the other side", ""),
    passing(&["Connection closed"], "the connection was closed by the other side", ""),
    passing(&["banner exchange"], "sshd did not answer: {said}", ""),
    passing(&["kex_exchange_identification"], "sshd did not answer: {said}", ""),
    passing(&["ControlSocket", "already exists"], "another connection of ours came first", ""),
];

/// The fault that a log tells of. None: nothing in it is known.
pub(super) fn fault(log: &str, names: &Names) -> Option<Fault> {
    let (row, line) = TABLE.iter().find_map(|row| Some((row, row.line(log)?)))?;
    let mut text = row.text.to_owned();
    if !row.hint.is_empty() {
        text.push_str("\nhint: ");
        text.push_str(row.hint);
    }
    let text = text
        .replace("{ask}", "{ssh} -o BatchMode=no -o StrictHostKeyChecking=ask {host}")
        .replace("{ssh}", &names.ssh)
        .replace("{host}", &names.host)
        .replace("{headnode}", &names.headnode)
        .replace("{us}", &names.us)
        .replace("{forget}", &forget(log))
        .replace("{said}", &said(line));
    Some(Fault::new(row.class, text))
}

/// The same, where something has to be said: what is not known may pass.
pub(super) fn some_fault(log: &str, otherwise: &str, names: &Names) -> Fault {
    fault(log, names).unwrap_or_else(|| {
        let last = log.lines().rev().map(said).find(|line| !line.is_empty());
        Fault::new(FaultClass::TransientHost, last.unwrap_or_else(|| otherwise.to_owned()))
    })
}

impl Row {
    fn line<'a>(&self, log: &'a str) -> Option<&'a str> {
        log.lines().find(|line| self.says.iter().all(|say| line.contains(say)))
    }
}

/// A line of ssh's as part of a sentence.
fn said(line: &str) -> String {
    let line = line.trim().trim_start_matches("ssh: ").trim_end_matches('.');
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// How ssh-keygen takes the key that ssh complains of out of the file it is in.
fn forget(log: &str) -> String {
    let between = |before: &str, after: &str| {
        let lines = log.lines().filter_map(|line| line.split_once(before)?.1.rsplit_once(after));
        lines.map(|(part, _)| part.trim().to_owned()).next()
    };
    let mut line = "ssh-keygen".to_owned();
    if let Some(file) = between(" key in ", ":") {
        line.push_str(&format!(" -f {}", word(&file)));
    }
    let name = between("Host key for ", " has changed").unwrap_or_default();
    format!("{line} -R {}", word(&name))
}

/// As a person writes a word for a shell: quoted where it must be.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:%+,=".contains(c);
    match quote(text) {
        Ok(quoted) if text.is_empty() || !text.chars().all(plain) => quoted,
        Ok(_) => text.to_owned(),
        // Nothing with a NUL in it comes from a configuration or out of ssh's lines.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
