//! Owns what a world stands on: the servers of its site, the folders there, and what the
//! configuration says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, chown};

use super::setup::Setup;
use super::site::Site;
use crate::servers::meter::Meter;
use crate::servers::pueued::{PROGRAMS, Pueued};
use crate::servers::sshd::Sshd;

/// The last of it ends first: pueued before the sshd.
pub(crate) struct Ground {
    site: Site,
    pueued: Option<Pueued>,
    meter: Option<Meter>,
    sshd: Option<Sshd>,
}

impl Ground {
    /// Starts the servers and makes the folders that are there before the daemon.
    pub(crate) fn lay(setup: &Setup, dir: &Path) -> Self {
        let site = setup.site;
        let sshd = site.is_far().then(|| Sshd::with(setup.login, &[]));
        let pueued = site.has_pueue().then(|| match &sshd {
            Some(sshd) if sshd.uid() != Uid::effective() => Pueued::start_as(sshd.user()),
            Some(_) | None => Pueued::start(),
        });
        let meter = sshd.as_ref().filter(|_| setup.metered);
        let meter = meter.map(|sshd| Meter::start(sshd.port()));
        let ground = Self { site, pueued, meter, sshd };
        for folder in ["new_cases", "state", "elsewhere"] {
            fs::create_dir(dir.join(folder)).expect("it is new");
        }
        fs::create_dir(dir.join("bin")).expect("it is new");
        if site.is_far() {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("it is ours");
            for folder in ["work", "run"] {
                fs::create_dir(dir.join(folder)).expect("it is new");
            }
            ground.give(&dir.join("work"));
            ground.give(&dir.join("elsewhere"));
        }
        ground
    }

    /// What the configuration says of the headnode.
    pub(crate) fn lines(&self, setup: &Setup, dir: &Path) -> Vec<String> {
        let mut lines = match &self.sshd {
            None => vec!["host: local".to_owned()],
            Some(sshd) => vec![
                format!("host: {}", sshd.host()),
                format!(
                    "ssh: {{config_file: {}, connect_timeout: 5s{}}}",
                    self.config_file(sshd, dir).display(),
                    setup.ssh
                ),
            ],
        };
        lines.push(format!("work_dir: {}", dir.join("work").display()));
        match &self.pueued {
            None => lines.extend([
                "queue: direct".to_owned(),
                format!("path: [{}]", dir.join("bin").display()),
            ]),
            Some(pueued) => {
                lines.extend([
                    "queue: pueue".to_owned(),
                    match setup.no_pueue {
                        true => format!("path: [{}]", dir.join("bin").display()),
                        false => format!("path: [{}, {PROGRAMS}]", dir.join("bin").display()),
                    },
                    format!("env: {{PUEUE_CONFIG_PATH: {}}}", pueued.config().display()),
                ]);
            }
        }
        lines
    }

    /// For ssh: straight to sshd, or over the meter.
    fn config_file(&self, sshd: &Sshd, dir: &Path) -> PathBuf {
        let Some(meter) = &self.meter else { return sshd.config_file() };
        let text = fs::read_to_string(sshd.config_file()).expect("it was written");
        let port = sshd.port();
        let over = format!("Port {}\n    HostKeyAlias [127.0.0.1]:{port}", meter.port());
        let file = dir.join("ssh_config");
        fs::write(&file, text.replace(&format!("Port {port}"), &over)).expect("it can be written");
        file
    }

    /// Makes a group with so many places, as a person does before the first start.
    pub(crate) fn group(&self, name: &str, places: usize) {
        let Some(pueued) = &self.pueued else { return };
        let places = places.to_string();
        if name == "default" {
            pueued.must(&["parallel", &places]);
        } else {
            pueued.must(&["group", "add", "--parallel", &places, name]);
        }
    }

    pub(crate) fn site(&self) -> Site {
        self.site
    }

    pub(crate) fn sshd(&self) -> &Sshd {
        self.sshd.as_ref().expect("a site with ssh")
    }

    pub(crate) fn sshd_mut(&mut self) -> &mut Sshd {
        self.sshd.as_mut().expect("a site with ssh")
    }

    pub(crate) fn meter(&self) -> &Meter {
        self.meter.as_ref().expect("a setup that is metered")
    }

    pub(crate) fn pueued(&self) -> &Pueued {
        self.pueued.as_ref().expect("a site with pueue")
    }

    pub(crate) fn pueued_mut(&mut self) -> &mut Pueued {
        self.pueued.as_mut().expect("a site with pueue")
    }

    /// As whom jobs run.
    pub(crate) fn jobs_run_as(&self) -> (Uid, Gid) {
        match &self.sshd {
            Some(sshd) => (sshd.uid(), sshd.gid()),
            None => (Uid::effective(), Gid::effective()),
        }
    }

    /// Makes a folder, and those above it that are missing, as the jobs do.
    pub(crate) fn make_there(&self, folder: &Path) {
        if fs::metadata(folder).is_ok() {
            return;
        }
        self.make_there(folder.parent().expect("the root is there"));
        fs::create_dir(folder).expect("it is missing");
        self.give(folder);
    }

    /// Makes a file or folder the jobs' own.
    pub(crate) fn give(&self, path: &Path) {
        let (uid, gid) = self.jobs_run_as();
        chown(path, Some(uid), Some(gid)).expect("it is there");
    }
}
