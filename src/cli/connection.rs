//! Owns over whose connection a verb asks a headnode behind ssh.

use ulid::Ulid;

use crate::adapters::host::ssh::shell::SshShell;
use crate::app;
use crate::config::HeadnodeSettings;
use crate::store::read::Reader;

/// Whose connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Persons,
    Daemons,
    Ours,
}

impl Whose {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Persons => "the connection that a person opened",
            Self::Daemons => "the connection of the daemon",
            Self::Ours => "a connection of its own",
        }
    }
}

/// Nothing is opened in the daemon's place: it could not be told apart afterwards.
pub(super) async fn connection(
    headnode: &HeadnodeSettings,
    host: &str,
    reader: Option<&Reader>,
    verb: &str,
) -> (SshShell, Whose) {
    if headnode.ssh.control_path.is_some() {
        return (app::ssh_shell(headnode, host, ""), Whose::Persons);
    }
    let about = reader.and_then(|reader| reader.about().ok());
    if let Some(about) = about {
        let daemons = app::ssh_shell(headnode, host, about.database.as_str());
        if daemons.masters().is_there().await {
            return (daemons, Whose::Daemons);
        }
    }
    (app::ssh_shell(headnode, host, &new_name(verb)), Whose::Ours)
}

/// What a connection of a verb's own is called.
pub(super) fn new_name(verb: &str) -> String {
    format!("{verb}-{}", Ulid::generate())
}
