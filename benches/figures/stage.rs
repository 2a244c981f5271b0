//! Owns the ground that one side stands on for one measurement: an sshd, a pueued, the
//! folders, the cases, and the work, which writes down by itself when it began and ended.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use daylily_watch::clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::servers::pueued::Pueued;
use crate::servers::sshd::{Login, Sshd};
use crate::wait;

/// More than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// The quiet period of both sides, in whole seconds.
pub(crate) const QUIET: u32 = 2;

/// The group that has the places.
pub(crate) const GROUP: &str = "bench";

/// What a case does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    Nothing,
    Seconds(u32),
    /// Until the stage is struck.
    ForEver,
}

pub(crate) struct Stage {
    /// The last of it ends first: pueued before the sshd, folders after both.
    pub(crate) pueued: Pueued,
    pub(crate) sshd: Sshd,
    dir: TempDir,
}

impl Stage {
    pub(crate) fn with(places: usize, job: Job) -> Self {
        // The path of a socket is short.
        let dir = tempfile::Builder::new().prefix("dwb-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Without it scp does not work, and every sshd that people meet has it.
        let sshd = Sshd::with(Login::Plain, &["Subsystem sftp internal-sftp"]);
        let pueued = match sshd.uid() == Uid::effective() {
            true => Pueued::start(),
            false => Pueued::start_as(sshd.user()),
        };
        pueued.must(&["group", "add", "--parallel", &places.to_string(), GROUP]);
        let stage = Self { pueued, sshd, dir };
        for folder in ["intake", "state", "run", "bin", "next", "work", "told"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        for folder in ["work", "told"] {
            stage.sshd.give_to_user(&stage.path(folder));
        }
        let told =
            |name: &str| format!("date +%s.%N >>{}\n", stage.path("told").join(name).display());
        let work = match job {
            Job::Nothing => String::new(),
            Job::Seconds(seconds) => format!("sleep {seconds}\n"),
            Job::ForEver => "exec sleep 100000\n".to_owned(),
        };
        fs::write(stage.path("job"), told("begun") + &work + &told("ended")).unwrap();
        stage
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// What a case runs, the same on every side.
    pub(crate) fn command(&self) -> String {
        format!("/bin/sh {}", self.path("job").display())
    }

    /// Puts cases of five files of 10 KiB into the intake, each by one rename, and tells
    /// when the first of them could start: when it has been quiet for long enough.
    pub(crate) fn put(&self, cases: usize) -> Timestamp {
        let content: Vec<u8> = (0..10 << 10).map(|n: u32| n.to_le_bytes()[0]).collect();
        for case in 0..cases {
            let folder = self.path("next").join(format!("case-{case:03}"));
            fs::create_dir(&folder).unwrap();
            for file in 0..5 {
                fs::write(folder.join(format!("file-{file}")), &content).unwrap();
            }
        }
        let mut first: Option<Timestamp> = None;
        for case in 0..cases {
            let name = format!("case-{case:03}");
            let folder = self.path("intake").join(&name);
            fs::rename(self.path("next").join(&name), &folder).unwrap();
            let newest = newest(&folder);
            first = Some(first.map_or(newest, |first| first.min(newest)));
        }
        first.unwrap() + Duration::from_secs(u64::from(QUIET))
    }

    /// The instants that jobs have written down under this name.
    pub(crate) fn told(&self, name: &str) -> Vec<Timestamp> {
        let text = fs::read_to_string(self.path("told").join(name)).unwrap_or_default();
        text.lines().filter_map(instant).collect()
    }

    /// Waits until so many jobs have written it down, and gives the last instant. `still`
    /// ends the run where nothing can come any more.
    pub(crate) fn until_told(&self, name: &str, many: usize, mut still: impl FnMut()) -> Timestamp {
        wait::until(&format!("{many} cases have {name}"), LIMIT, || {
            still();
            self.told(name).len() >= many
        });
        self.told(name).into_iter().max().unwrap()
    }

    /// When pueue started the one task that it has.
    pub(crate) fn started(&self) -> Timestamp {
        let list = self.pueued.list();
        let task = list["tasks"].as_object().unwrap().values().next().unwrap();
        let start = task["status"]["Running"]["start"].as_str();
        start.unwrap_or_else(|| panic!("it does not run: {task:#}")).parse().unwrap()
    }
}

/// The newest change of a folder and what is in it. A rename is a change too.
fn newest(folder: &Path) -> Timestamp {
    let inside = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let changes = inside.chain([folder.to_owned()]).map(|path| {
        let data = fs::symlink_metadata(path).unwrap();
        Timestamp::new(data.ctime(), i32::try_from(data.ctime_nsec()).unwrap()).unwrap()
    });
    changes.max().unwrap()
}

fn instant(line: &str) -> Option<Timestamp> {
    let (seconds, nanos) = line.split_once('.')?;
    Timestamp::new(seconds.parse().ok()?, nanos.parse().ok()?).ok()
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// From one instant to another, in seconds.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Lets time pass: a window of a measurement is one.
pub(crate) fn pass(window: Duration) {
    wait::holds(window, || false);
}
