//! Owns a site whose headnode is behind a real sshd, with a real pueued or without, and
//! `check` run there: what it says, and that it leaves nothing behind on either side.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use serde_json::Value;

use super::site::Site;
use crate::servers::pueued::{PROGRAMS, Pueued};
use crate::servers::sshd::{Login, Sshd};
use crate::wait::{LIMIT, until};

pub(crate) struct FarSite {
    pub(crate) site: Site,
    pub(crate) pueued: Option<Pueued>,
    pub(crate) sshd: Sshd,
    /// Of the headnode in the configuration.
    lines: BTreeMap<&'static str, String>,
    pipeline: String,
}

/// What `check` said.
pub(crate) struct Checked {
    code: i32,
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    check: String,
    level: String,
    text: String,
    hint: String,
}

impl FarSite {
    /// Jobs run as sessions of their own, with no pueue anywhere.
    pub(crate) fn direct() -> Self {
        Self::with(Sshd::start(), None)
    }

    /// With a pueued of the user who logs in, and its group `default` of two places.
    pub(crate) fn pueue() -> Self {
        let sshd = Sshd::start();
        let pueued = pueued_for(&sshd);
        Self::with(sshd, Some(pueued))
    }

    pub(crate) fn with_login(login: Login) -> Self {
        Self::with(Sshd::with(login, &[]), None)
    }

    pub(crate) fn with(sshd: Sshd, pueued: Option<Pueued>) -> Self {
        let site = Site::bare();
        for folder in ["new_cases", "run"] {
            fs::create_dir(site.at(folder)).expect("there is room");
        }
        let config_file = sshd.config_file();
        let mut lines = BTreeMap::from([
            ("host", sshd.host().to_owned()),
            ("ssh", format!("{{config_file: {}}}", config_file.display())),
            ("work_dir", sshd.remote_dir().join("work").display().to_string()),
            ("queue", "direct".to_owned()),
            ("path", "[]".to_owned()),
        ]);
        if let Some(pueued) = &pueued {
            pueued.must(&["parallel", "2"]);
            lines.extend([
                ("queue", "pueue".to_owned()),
                ("path", format!("[{PROGRAMS}]")),
                ("env", format!("{{PUEUE_CONFIG_PATH: {}}}", pueued.config().display())),
            ]);
        }
        let far = Self { site, pueued, sshd, lines, pipeline: "command: 'true'".to_owned() };
        far.configure();
        far
    }

    /// Another line of the headnode's configuration.
    pub(crate) fn set(&mut self, key: &'static str, value: impl Into<String>) -> &mut Self {
        self.lines.insert(key, value.into());
        self.configure();
        self
    }

    pub(crate) fn set_pipeline(&mut self, text: &str) -> &mut Self {
        text.clone_into(&mut self.pipeline);
        self.configure();
        self
    }

    fn configure(&self) {
        let lines: String =
            self.lines.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
        let text = format!(
            "intakes: [{{name: new_cases, path: ./new_cases}}]\n\
             headnodes:\n  - name: hpc\n{lines}\
             pipelines: {{default: {{{}}}}}\n",
            self.pipeline
        );
        self.site.write("config.yaml", &text);
    }

    pub(crate) fn pueued(&self) -> &Pueued {
        self.pueued.as_ref().expect("a site with pueue")
    }

    /// A program of the headnode's that stands in for a real one that cannot be had, in
    /// a folder that comes first in its PATH.
    pub(crate) fn stand_in(&mut self, name: &str, script: &str) -> &mut Self {
        let folder = self.sshd.home().join("stand-in");
        fs::create_dir_all(&folder).expect("there is room");
        let program = folder.join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("there is room");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let folders = match &self.pueued {
            Some(_) => format!("[{}, {PROGRAMS}]", folder.display()),
            None => format!("[{}]", folder.display()),
        };
        self.set("path", folders)
    }

    /// Runs it, and holds it to leaving everything as it was.
    pub(crate) fn check(&self) -> Checked {
        let before = self.traces();
        let checked = self.check_only();
        until("no session is left", LIMIT, || self.sshd.session_processes() == 0);
        let after = self.traces();
        let changed: Vec<_> =
            before.iter().filter(|trace| !after.contains(trace)).chain(&after).collect();
        assert_eq!(before, after, "{changed:?}");
        checked
    }

    /// The same where somebody else's connection stays.
    pub(crate) fn check_only(&self) -> Checked {
        let ran = self.site.run(&["check", "--json"]);
        let report: Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let text = |finding: &Value, field: &str| {
            let text = finding[field].as_str().unwrap_or_default();
            let text = text.replace(&self.sshd.home().display().to_string(), "[home]");
            let text = text.replace(&self.sshd.remote_dir().display().to_string(), "[remote]");
            let config = self.sshd.config_file().display().to_string();
            let text = text.replace(&config, "[ssh_config]").replace(PROGRAMS, "[programs]");
            let text = text.replace(self.sshd.user(), "[user]");
            let us = nix::unistd::User::from_uid(Uid::effective()).expect("users can be read");
            let us = format!("as user {}", us.map(|us| us.name).unwrap_or_default());
            text.replace(&us, "as user [us]")
        };
        let findings = report["findings"].as_array().expect("a list").iter();
        let findings = findings.map(|finding| Finding {
            check: text(finding, "check"),
            level: text(finding, "level"),
            text: text(finding, "text"),
            hint: text(finding, "hint"),
        });
        Checked { code: ran.code.unwrap_or(-1), findings: findings.collect() }
    }

    /// All that it could leave behind: files on both sides, sockets, entries in the queue.
    fn traces(&self) -> Vec<PathBuf> {
        let mut traces: Vec<PathBuf> = Vec::new();
        for root in [self.site.path().to_owned(), self.sshd.remote_dir(), self.sshd.home()] {
            below(&root, &mut traces);
        }
        // It is where the sockets are, for all who come later.
        traces.retain(|path| !path.ends_with("run/daylily-watch"));
        // One that was hurt does not answer us either.
        let list = self.pueued.as_ref().map(|pueued| pueued.cli(&["status", "--json"]).out);
        let list: Option<Value> = list.and_then(|list| serde_json::from_str(&list).ok());
        if let Some(tasks) = list.as_ref().and_then(|list| list["tasks"].as_object()) {
            traces.extend(tasks.keys().map(|id| PathBuf::from(format!("entry {id}"))));
        }
        traces.sort();
        traces
    }
}

pub(crate) fn pueued_for(sshd: &Sshd) -> Pueued {
    if sshd.uid() == Uid::effective() { Pueued::start() } else { Pueued::start_as(sshd.user()) }
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&path, found);
        }
        found.push(path);
    }
}

impl Checked {
    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    /// Those of the headnode, one a line; the text of those that are not well.
    pub(crate) fn of_headnode(&self) -> String {
        let mut text = format!("exit {}\n", self.code);
        for finding in self.findings.iter().filter(|f| f.check.starts_with("headnode.")) {
            let Finding { check, level, text: said, hint } = finding;
            // What a logout ends is the machine's affair.
            if check.ends_with(".logout") {
                continue;
            }
            text.push_str(&format!("{level:<5}{check}"));
            if level != "ok" {
                text.push_str(&format!(": {said}\n     hint: {hint}"));
            }
            text.push('\n');
        }
        text
    }

    /// Of one check, all that it says, well or not.
    pub(crate) fn said(&self, check: &str) -> String {
        let all = self.findings.iter().filter(|f| f.check == check);
        let all = all.map(|f| format!("{}: {}\nhint: {}", f.level, f.text, f.hint));
        all.collect::<Vec<_>>().join("\n")
    }

    /// Fails unless exactly this went wrong, and the program said so by its code.
    #[track_caller]
    pub(crate) fn fails_alone(&self, check: &str) -> String {
        let failed = self.findings.iter().filter(|f| f.level == "fail");
        let failed: Vec<&str> = failed.map(|f| f.check.as_str()).collect();
        assert_eq!((self.code, failed), (1, vec![check]), "{}", self.of_headnode());
        self.said(check)
    }
}
