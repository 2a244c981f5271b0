//! Owns what tests measure a world with: programs put before the real ones on either side
//! that count their calls or spoil their answers, and what is said of the headnode.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::policy::HeadnodeState;
use daylily_watch::store::places::Headnode;
use serde_json::json;

use super::world::{HEADNODE, World};
use crate::servers::pueued::PROGRAMS;

impl World {
    /// Puts a script before pueue on the headnode, from the next call on. `$REAL` is the
    /// real one, `$NOTES` a folder that it may write to.
    pub(crate) fn before_pueue(&self, script: &str) {
        let real = format!("{PROGRAMS}/pueue");
        self.put_program(&self.path("bin/pueue"), &real, script);
    }

    /// Counts the calls of pueue on the headnode, and does nothing else.
    pub(crate) fn count_pueue(&self) {
        self.before_pueue(&format!("{COUNT}exec \"$REAL\" \"$@\""));
    }

    /// The first words of the calls that a script with [`COUNT`] has counted.
    pub(crate) fn pueue_calls(&self, verb: &str) -> usize {
        let calls = fs::read_to_string(self.path("elsewhere/calls")).unwrap_or_default();
        calls.lines().filter(|line| *line == verb).count()
    }

    /// Puts a script before ssh on this side, which notes every start of it. For a daemon
    /// that is started afterwards.
    pub(crate) fn count_ssh(&self) {
        let folder = self.path("near");
        fs::create_dir_all(&folder).unwrap();
        let script = "echo \"$*\" >>\"$NOTES/ssh\"\nexec \"$REAL\" \"$@\"";
        self.put_program(&folder.join("ssh"), "/usr/bin/ssh", script);
    }

    /// How often the daemon has tried to connect: one that starts a master does.
    pub(crate) fn connects(&self) -> usize {
        let calls = fs::read_to_string(self.path("elsewhere/ssh")).unwrap_or_default();
        calls.lines().filter(|line| line.split(' ').any(|word| word == "-M")).count()
    }

    /// Puts a script in the place of a program, which it finds as `$REAL`.
    pub(crate) fn put_program(&self, at: &Path, real: &str, script: &str) {
        let notes = self.path("elsewhere").display().to_string();
        let text = format!("#!/bin/sh\nREAL='{real}' NOTES='{notes}'\n{script}\n");
        let beside = at.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(beside, at).unwrap();
    }

    /// A sign for scripts and jobs, such as the file `go`.
    pub(crate) fn sign(&self, name: &str) -> PathBuf {
        self.path("elsewhere").join(name)
    }

    pub(crate) fn give_sign(&self, name: &str) {
        fs::write(self.sign(name), "").unwrap();
    }

    pub(crate) fn headnode(&self) -> Headnode {
        self.reader().headnode(&HeadnodeName::new(HEADNODE)).unwrap().unwrap()
    }

    pub(crate) fn is_reached(&self) -> bool {
        matches!(self.headnode().state, HeadnodeState::Ok)
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.headnode().state, HeadnodeState::Broken { .. })
    }

    pub(crate) fn resume_headnode(&self) {
        let args = json!({ "headnode": HEADNODE }).as_object().unwrap().clone();
        assert_eq!(self.ask_with("resume", "", args), "done");
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Lines by which the daemon's log calls for a person's attention.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let log = self.log();
        let loud = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
        loud.map(str::to_owned).collect()
    }

    /// The sentence without what differs from run to run.
    pub(crate) fn sentence(&self, name: &str) -> String {
        let mut said = self.because(name);
        said = said.replace(&self.path("").display().to_string(), "DIR/");
        said = said.replace(PROGRAMS, "TOOLS");
        if self.ground.site().is_far() {
            let sshd = self.ground.sshd();
            for (what, name) in [
                (sshd.config_file().parent().unwrap().display().to_string(), "SSHD"),
                (format!("127.0.0.1:{}", sshd.port()), "127.0.0.1:PORT"),
                (format!("[127.0.0.1]:{}", sshd.port()), "[127.0.0.1]:PORT"),
                (format!("port {}", sshd.port()), "port PORT"),
                (sshd.user().to_owned(), "USER"),
                (format!("as user {}", us()), "as user USER"),
            ] {
                said = said.replace(&what, name);
            }
        }
        if self.ground.site().has_pueue() {
            let own = self.ground.pueued().path("").display().to_string();
            said = said.replace(own.trim_end_matches('/'), "PUEUED");
        }
        without_times(&said)
    }
}

/// Notes the first word of a call; for the beginning of a script of [`World::before_pueue`].
pub(crate) const COUNT: &str = "echo \"$1\" >>\"$NOTES/calls\"\n";

fn us() -> String {
    let us = nix::unistd::User::from_uid(nix::unistd::Uid::effective());
    us.ok().flatten().expect("we have a name").name
}

/// Instants become `TIME`.
fn without_times(said: &str) -> String {
    let words = said.split(' ').map(|word| {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let is_time = digits.len() >= 5
            && digits.split(':').count() >= 2
            && digits.split(':').all(|part| part.len() == 2 && part.parse::<u8>().is_ok());
        if is_time { word.replacen(digits, "TIME", 1) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}
