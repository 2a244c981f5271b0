//! Owns the headnode that is this machine: scripts run by /bin/sh, files are copied
//! by [`super::copy`]. What it starts never outlives the call that started it, except
//! what a script itself puts into a session of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::attempts::ShellHost;
use super::headnode::Headnode;
use super::job::JobGround;
use super::shell::{Answer, Ask, Owner, Ran, Shell, WorkDir};
use super::{FetchOrder, Fetched, Progress, ShipOrder, Shipped, Transfer, copy};
use crate::mask::masked;

/// What a headnode on this machine is made of.
#[derive(Debug, Clone)]
pub struct LocalHostSettings {
    pub name: HeadnodeName,
    pub work_dir: PathBuf,
    pub owner: Owner,
    /// Put before the PATH; `~/` at the start is our home.
    pub path: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Of what a case's command makes, and of what is copied.
    pub umask: u32,
}

/// The headnode that is this machine.
pub type LocalHost = Headnode<LocalShell, LocalCopy>;

impl LocalHost {
    pub fn new(settings: LocalHostSettings) -> Self {
        let LocalHostSettings { name, work_dir, owner, path, env, umask } = settings;
        // A job's directories are named in full: it starts in another one than ours.
        let work_dir = std::path::absolute(&work_dir).unwrap_or(work_dir);
        let shell = LocalShell::new(&path, &env);
        let path_of_it = work_dir.to_string_lossy().into_owned();
        let work_dir = WorkDir::new(shell, name.clone(), path_of_it, owner);
        let ground = JobGround::new(work_dir.root(), path, env, umask);
        Self::joined(ShellHost::new(name, Arc::new(work_dir), ground), LocalCopy { umask })
    }
}

/// Copies files and reads them again.
#[derive(Debug)]
pub struct LocalCopy {
    umask: u32,
}

impl LocalCopy {
    /// `umask` is of what is shipped.
    pub fn new(umask: u32) -> Self {
        Self { umask }
    }
}

#[async_trait::async_trait]
impl Transfer for LocalCopy {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        copy::ship(order, self.umask, progress, stop).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        copy::fetch(order, progress, stop).await
    }

    /// There is no line.
    async fn get_ready(&self) {}

    fn compares_the_owner(&self) -> bool {
        false
    }
}

/// /bin/sh on this machine.
#[derive(Debug)]
pub struct LocalShell {
    env: BTreeMap<String, String>,
}

/// At most this much of standard error is kept.
const STDERR_MAX: usize = 64 << 10;

impl LocalShell {
    /// `path` goes before the PATH we were started with, `env` before everything.
    pub fn new(path: &[String], env: &BTreeMap<String, String>) -> Self {
        let mut clean: BTreeMap<String, String> = BTreeMap::new();
        for name in ["HOME", "USER", "LANG", "PATH", "XDG_RUNTIME_DIR"] {
            #[allow(
                clippy::disallowed_methods,
                reason = "what every program needs of its surroundings is no configuration"
            )]
            if let Ok(value) = std::env::var(name) {
                clean.insert(name.to_owned(), value);
            }
        }
        let home = clean.get("HOME").cloned().unwrap_or_else(|| "/".to_owned());
        let mut folders: Vec<String> = path
            .iter()
            .map(|folder| match folder.strip_prefix("~/") {
                Some(below) => Path::new(&home).join(below).to_string_lossy().into_owned(),
                None => folder.clone(),
            })
            .collect();
        folders.push(
            clean.remove("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()),
        );
        clean.insert("PATH".to_owned(), folders.join(":"));
        clean.extend(env.clone());
        Self { env: clean }
    }
}

#[async_trait::async_trait]
impl Shell for LocalShell {
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault> {
        let trouble = |what: &str, error: std::io::Error| {
            Fault::new(FaultClass::TransientHost, format!("{what} /bin/sh: {error}"))
        };
        #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts programs")]
        let mut command = tokio::process::Command::new("/bin/sh");
        command.arg("-c").arg(ask.script).arg("daylily-watch").args(&ask.args);
        command.env_clear().envs(&self.env).current_dir("/").process_group(0);
        let reads = !ask.stdin.is_empty() || ask.more.is_some();
        command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| trouble("start", error))?;
        let mut group = Group::of(&child);

        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let talk = async {
            let tell = async {
                if let Some(mut stdin) = stdin {
                    // A script that ended early says so by its code.
                    let _ = say(&ask, &mut stdin).await;
                }
            };
            let ((), out, err) =
                tokio::join!(tell, keep_some(stdout, ask.keep), keep_some(stderr, STDERR_MAX));
            (out, err, child.wait().await)
        };
        let Ok((out, err, ended)) = tokio::time::timeout(ask.limit, talk).await else {
            // Not waited for: what hangs in a dead file system cannot be ended. The runtime
            // reaps it when it goes.
            drop(group);
            return Ok(Ran::TimedOut);
        };
        group.spare();
        let status = ended.map_err(|error| trouble("wait for", error))?;
        let (stdout, cut) = out.map_err(|error| trouble("read from", error))?;
        let (stderr, _) = err.map_err(|error| trouble("read from", error))?;
        let stderr = masked(&String::from_utf8_lossy(&stderr)).into_owned();
        Ok(Ran::Ended(Answer { code: status.code(), stdout, cut, stderr }))
    }
}

/// Writes all that a script is given to read.
pub(super) async fn say(ask: &Ask<'_>, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
    to.write_all(ask.stdin).await?;
    let pieces = (0..).map_while(|number| ask.more?.piece(number));
    for piece in pieces {
        to.write_all(&piece).await?;
    }
    Ok(())
}

/// Reads all, so that the writer never blocks, and keeps the first `most` bytes.
async fn keep_some(
    from: Option<impl AsyncRead + Unpin>,
    most: usize,
) -> std::io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return Ok((kept, false)) };
    let mut cut = false;
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok((kept, cut));
        }
        let room = n.min(most - kept.len());
        kept.extend_from_slice(&buffer[..room]);
        cut |= room < n;
    }
}

/// Ends a child's process group when dropped, unless the child was waited for.
pub(super) struct Group {
    leader: Option<u32>,
}

impl Group {
    pub(super) fn of(child: &tokio::process::Child) -> Self {
        Self { leader: child.id() }
    }

    /// Its leader was waited for: the number may be another group's by now.
    pub(super) fn spare(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader.and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself meanwhile.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}
