//! Owns what it means that pueue's client did not do as asked: a table of what it prints
//! and ends with, as versions 3 and 4 were seen to, the class of each, and the sentence
//! with the way out. It runs nothing.

use daylily_lifecycle::explain::{pueue_client, pueue_daemon, quoted};
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::answers::Surroundings;

/// What the client was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    Looking,
    /// An answer that was lost may have been a yes.
    Adding,
    /// May be repeated without harm.
    Changing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    NotExecutable,
    Silent,
    Panicked,
    NoGroup,
    NotSaved,
    NoSecret,
    SecretForbidden,
    NoConfiguration,
    BadConfiguration,
    SocketForbidden,
    NotRunning,
    OtherMajor,
    /// Once: the daemon went away. Again at once: it refuses our secret.
    HungUp,
    /// After the handshake: what was asked for may have been done.
    BrokeOff,
    NoFolder,
    OldClient,
    Other,
}

/// The first row that fits decides. A row fits where the code is its code, or it has
/// none, and all its words are said.
struct Row {
    code: Option<i32>,
    says: &'static [&'static str],
    trouble: Trouble,
}

const fn code(code: i32, trouble: Trouble) -> Row {
    Row { code: Some(code), says: &[], trouble }
}

const fn says(says: &'static [&'static str], trouble: Trouble) -> Row {
    Row { code: None, says, trouble }
}

const TABLE: [Row; 28] = [
    code(127, Trouble::NotFound),
    code(126, Trouble::NotExecutable),
    code(124, Trouble::Silent),
    code(137, Trouble::Silent),
    says(&["doesn't exists. Use one of these"], Trouble::NoGroup),
    says(&["Failed to save state"], Trouble::NotSaved),
    says(&["opening secret file", "Permission denied"], Trouble::SecretForbidden),
    says(&["opening secret file"], Trouble::NoSecret),
    says(&["reading secret file"], Trouble::SecretForbidden),
    says(&["Couldn't find a configuration file"], Trouble::NoConfiguration),
    says(&["opening config file", "Permission denied"], Trouble::BadConfiguration),
    says(&["opening config file"], Trouble::NoConfiguration),
    says(&["Error while reading configuration"], Trouble::BadConfiguration),
    says(&["Failed to read configuration"], Trouble::BadConfiguration),
    says(&["connecting to daemon", "Permission denied"], Trouble::SocketForbidden),
    says(&["Did you start it?"], Trouble::NotRunning),
    says(&["Connection refused"], Trouble::NotRunning),
    says(&["Failed to initialize stream"], Trouble::NotRunning),
    says(&["Couldn't deserialize message"], Trouble::OtherMajor),
    says(&["Failed to deserialize message"], Trouble::OtherMajor),
    says(&["Got unexpected but valid message"], Trouble::OtherMajor),
    says(&["Did you use the correct secret?"], Trouble::HungUp),
    says(&["during handshake", "early eof"], Trouble::HungUp),
    says(&["early eof"], Trouble::BrokeOff),
    says(&["Failed to canonicalize"], Trouble::NoFolder),
    says(&["Failed to parse query"], Trouble::OldClient),
    code(2, Trouble::OldClient),
    code(101, Trouble::Panicked),
];

/// What the client's end and words mean.
pub fn trouble(ended: Option<i32>, said: &str) -> Trouble {
    let said = without_colours(said);
    let fits = |row: &&Row| {
        row.code.is_none_or(|code| ended == Some(code))
            && row.says.iter().all(|words| said.contains(words))
    };
    TABLE.iter().find(fits).map_or(Trouble::Other, |row| row.trouble)
}

impl Trouble {
    pub fn class(self, doing: Doing) -> FaultClass {
        match self {
            Self::NotFound
            | Self::NotExecutable
            | Self::NoSecret
            | Self::SecretForbidden
            | Self::NoConfiguration
            | Self::BadConfiguration
            | Self::SocketForbidden
            | Self::OtherMajor
            | Self::OldClient => FaultClass::FatalHost,
            // Neither reached the daemon with more than the secret.
            Self::NotRunning | Self::HungUp => FaultClass::TransientHost,
            Self::NoGroup => FaultClass::NeedsPerson,
            Self::NoFolder => FaultClass::FatalCase,
            Self::Silent | Self::Panicked | Self::NotSaved | Self::BrokeOff | Self::Other => {
                match doing {
                    Doing::Adding => FaultClass::Ambiguous,
                    Doing::Looking | Doing::Changing => FaultClass::TransientHost,
                }
            }
        }
    }
}

/// What a sentence names.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub headnode: &'a str,
    pub command: &'a str,
    pub doing: Doing,
    pub around: &'a Surroundings,
}

impl Asked<'_> {
    /// The client, as a person calls it there.
    fn client(&self) -> String {
        pueue_client(self.command, Some(&self.around.config))
    }

    /// The daemon, as a person starts it there.
    fn daemon(&self) -> String {
        pueue_daemon(self.command, Some(&self.around.config))
    }

    /// A line to be pasted there.
    fn there(&self, line: &str) -> String {
        format!("on {}: {line}", self.headnode)
    }
}

/// The fault of a client that ended so. `group` is the one that was asked for.
pub fn fault(asked: Asked<'_>, ended: Option<i32>, said: &str, group: Option<&str>) -> Fault {
    let trouble = trouble(ended, said);
    Fault::new(trouble.class(asked.doing), sentence(asked, trouble, ended, said, group))
}

/// The second of two refusals, one after the other.
pub fn wrong_secret(asked: Asked<'_>, said: &str) -> Fault {
    let Asked { headnode, .. } = asked;
    let text = format!(
        "pueued on {headnode} hangs up on us each time, as it does on a wrong secret ({})\n\
         hint: let `pueue` and `pueued` there use one configuration and one shared_secret file, \
         and restart pueued if the file was changed",
        gist(said)
    );
    Fault::new(FaultClass::FatalHost, text)
}

fn sentence(
    asked: Asked<'_>,
    trouble: Trouble,
    ended: Option<i32>,
    said: &str,
    group: Option<&str>,
) -> String {
    let Asked { headnode, command, around, .. } = asked;
    let gist = gist(said);
    let user = if around.user.is_empty() { "the user we are there" } else { &around.user };
    match trouble {
        Trouble::NotFound => not_found(asked),
        Trouble::NotExecutable => format!(
            "{command} on {headnode} cannot be executed ({gist})\n\
             hint: see whether it is a program for that machine, on a file system without noexec"
        ),
        Trouble::Silent => format!(
            "pueued on {headnode} does not answer\n\
             hint: run `{} status` there; if that hangs too, pueued is stuck, and restarting \
             it with kill -9 leaves running jobs alone",
            asked.client()
        ),
        Trouble::Panicked => format!("pueue on {headnode} broke down ({gist})"),
        Trouble::NoGroup => {
            let group = group.unwrap_or("?");
            let line = format!("{} group add {} --parallel N", asked.client(), quoted(group));
            format!(
                "pueue on {headnode} has no group {group}\n\
                 hint: {}, with the number of places for N, or set pueue.create_groups: true",
                asked.there(&line)
            )
        }
        Trouble::NotSaved => format!(
            "pueued on {headnode} cannot save its state ({gist})\n\
             hint: see whether the disk of its pueue_directory is full or read-only"
        ),
        Trouble::NoSecret => format!(
            "pueue on {headnode} has no secret yet ({gist})\n\
             hint: {} -d, once, as {user}",
            asked.there(&asked.daemon())
        ),
        Trouble::SecretForbidden => format!(
            "{user} may not read the secret of pueued on {headnode} ({gist})\n\
             hint: pueued runs as somebody else: start one as {user}, or log in as that user"
        ),
        Trouble::NoConfiguration if !around.config.is_empty() => format!(
            "pueue on {headnode} finds no configuration ({gist})\n\
             hint: correct PUEUE_CONFIG_PATH in this headnode's env, or put a configuration there"
        ),
        Trouble::NoConfiguration => format!(
            "pueue on {headnode} finds no configuration ({gist})\n\
             hint: {} -d, once, as {user}, which writes one",
            asked.there("pueued")
        ),
        Trouble::BadConfiguration => format!(
            "the configuration of pueue on {headnode} cannot be used ({gist})\n\
             hint: correct it and see that `{} status` works there as {user}",
            asked.client()
        ),
        Trouble::SocketForbidden => format!(
            "pueued on {headnode} is another user's: {user} may not connect to it ({gist})\n\
             hint: start one as {user}, or log in as the user whose it is"
        ),
        Trouble::NotRunning => not_running(asked, user, &gist),
        Trouble::OtherMajor => format!(
            "pueue and pueued on {headnode} do not understand each other: one is of another \
             major version ({gist})\n\
             hint: install one version of both and restart pueued when none of its jobs runs"
        ),
        Trouble::HungUp => format!("pueued on {headnode} went away while it was asked ({gist})"),
        Trouble::BrokeOff => {
            format!("pueued on {headnode} went away before it had answered ({gist})")
        }
        Trouble::NoFolder => {
            format!("pueue on {headnode} cannot start a job in / ({gist})")
        }
        Trouble::OldClient => format!(
            "pueue on {headnode} does not know what it was asked for ({gist})\n\
             hint: {}, which installs version 4",
            asked.there("cargo install pueue --locked")
        ),
        Trouble::Other => {
            let how = match ended {
                None => "was ended by a signal".to_owned(),
                Some(0) => "said something odd".to_owned(),
                Some(code) => format!("ended with {code}"),
            };
            let colon = if gist.is_empty() { "" } else { ": " };
            format!("pueue on {headnode} {how}{colon}{gist}")
        }
    }
}

fn not_found(asked: Asked<'_>) -> String {
    let Asked { headnode, command, around, .. } = asked;
    let looked = if command.contains('/') {
        format!("{command} is not there on {headnode}")
    } else {
        let path = around.path.replace(':', ", ");
        format!("{command} is not found on {headnode}; looked for in {path}")
    };
    match around.found.first() {
        Some(folder) => {
            format!("{looked}\nhint: it is in {folder}: add that to `path` of this headnode")
        }
        None => format!(
            "{looked}\nhint: {}, or add its folder to `path` of this headnode",
            asked.there("cargo install pueue --locked --version 4.0.4")
        ),
    }
}

fn not_running(asked: Asked<'_>, user: &str, gist: &str) -> String {
    let Asked { headnode, around, .. } = asked;
    // One that hides its socket elsewhere was started with another XDG_RUNTIME_DIR.
    let elsewhere = around.daemons.iter().find(|daemon| daemon.named != Some(false));
    if let Some(daemon) = elsewhere.filter(|_| gist.contains("No such file")) {
        let runtime = match around.runtime.as_str() {
            "" => "is not set for us".to_owned(),
            runtime => format!("is {runtime} for us"),
        };
        return format!(
            "pueued runs on {headnode} (pid {}) and does not listen where we ask ({gist}); \
             XDG_RUNTIME_DIR {runtime}\n\
             hint: set XDG_RUNTIME_DIR in this headnode's env to what pueued was started with, \
             as /proc/{}/environ there tells",
            daemon.pid, daemon.pid
        );
    }
    format!(
        "pueued does not run on {headnode} ({gist})\n\
         hint: {} -d, as {user}, or better from a service manager",
        asked.there(&asked.daemon())
    )
}

/// Text without the colours that version 4 prints even where nobody sees them.
pub fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(sequence) = rest.strip_prefix('[') {
            let end = sequence.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c));
            rest = end.map_or("", |end| &sequence[end + 1..]);
        }
    }
    plain.push_str(rest);
    plain
}

/// What the client meant to say, on one line: the last of its chain of causes, without
/// where in its source that is, and without its question to whoever starts daemons.
fn gist(said: &str) -> String {
    let plain = without_colours(said);
    let lines = plain.lines().map(str::trim);
    let mut words: Vec<&str> = Vec::new();
    for line in lines.take_while(|line| !line.starts_with("Location:")) {
        match line.split_once(": ") {
            Some((number, cause)) if number.parse::<u8>().is_ok() => words = vec![cause],
            Some(_) | None if matches!(line, "" | "Error:") => {}
            Some(_) | None => words.push(line),
        }
    }
    let mut text = words.join(" ");
    if let Some((before, question)) = text.split_once(" Did you start ")
        && let Some((_, after)) = question.split_once('?')
    {
        text = format!("{}{after}", before.trim_end_matches('.'));
    }
    let plain = text.chars().filter(|c| !c.is_control()).take(300);
    plain.collect::<String>().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
