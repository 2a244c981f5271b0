//! Owns one run of rsync: a process group of its own, a bounded share of what it prints,
//! and the watchdog that ends it when nothing moves. rsync's own timeout does not catch
//! every hang.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::progress::{Far, Reader, Sent};
use super::{Lease, stopped};
use crate::mask::masked;

/// From being asked to end until being ended.
const GRACE: Duration = Duration::from_millis(500);
const NOISE_WITHIN: Duration = Duration::from_secs(15);
/// As much of standard error is kept; the rest is read and dropped.
const STDERR_MAX: usize = 64 << 10;
/// How often the watchdog looks within the time it allows.
const LOOKS: u32 = 8;

pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    pub(super) stdin: Vec<u8>,
    /// The name of the remote shell's program: what it moves are also its own signs of life.
    pub(super) remote_shell: &'a str,
    pub(super) stall_after: Duration,
}

#[derive(Debug)]
pub(super) struct Ended {
    /// None: by a signal.
    pub(super) code: Option<i32>,
    pub(super) stderr: String,
    pub(super) sent: Sent,
}

/// Runs it to its end. A fault: it could not be started, was stopped, or nothing moved.
pub(super) async fn run(
    run: Run<'_>,
    stop: &CancellationToken,
    mut further: impl FnMut(Far),
) -> Result<Ended, Fault> {
    #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts rsync")]
    let mut command = tokio::process::Command::new(run.program);
    command.args(&run.arguments).env_clear().envs(surroundings()).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(
            FaultClass::FatalHost,
            "rsync is not found on this machine\nhint: install it (`sudo apt-get install rsync`)",
        ),
        _ => trouble("start", &error),
    })?;
    let mut group = Group { leader: child.id() };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (moved, seen) = tokio::sync::watch::channel(0_u64);

    let say = async {
        if let Some(mut stdin) = stdin {
            // One that ended early says so by its code.
            let _ = stdin.write_all(&run.stdin).await;
        }
    };
    let read = async {
        let mut reader = Reader::default();
        if let Some(mut stdout) = stdout {
            let mut buffer = vec![0; 8 << 10];
            loop {
                match stdout.read(&mut buffer).await? {
                    0 => break,
                    n => {
                        if reader.take(&buffer[..n]) {
                            further(reader.far);
                            moved.send_modify(|moved| *moved += 1);
                        }
                    }
                }
            }
        }
        Ok::<_, std::io::Error>(reader.sent)
    };
    let talk = async {
        let ((), sent, complaint) = tokio::join!(say, read, keep(stderr));
        (sent, complaint, child.wait().await)
    };
    let talked = {
        let mut talk = std::pin::pin!(talk);
        let unmoved = watch(group.leader, run.remote_shell, run.stall_after, seen);
        let why = tokio::select! {
            talked = &mut talk => Ok(talked),
            () = stop.cancelled() => Err(stopped()),
            () = unmoved => Err(Fault::new(
                FaultClass::TransientStep,
                format!(
                    "nothing has moved for {} s, so the transfer was ended",
                    run.stall_after.as_secs_f64().ceil()
                ),
            )),
        };
        match why {
            Ok(talked) => talked,
            Err(fault) => {
                group.send(Signal::SIGTERM);
                if tokio::time::timeout(GRACE, &mut talk).await.is_ok() {
                    group.leader = None;
                }
                return Err(fault);
            }
        }
    };
    group.leader = None;
    let (sent, complaint, status) = talked;
    let status = status.map_err(|error| trouble("wait for", &error))?;
    let sent = sent.map_err(|error| trouble("read from", &error))?;
    let complaint = complaint.map_err(|error| trouble("read from", &error))?;
    let stderr = masked(&String::from_utf8_lossy(&complaint)).into_owned();
    Ok(Ended { code: status.code(), stderr, sent })
}

/// What the headnode's login shell prints before the command it is given.
pub(super) async fn noise(lease: &Lease) -> Option<String> {
    let (program, options) = lease.remote_shell.split_first()?;
    #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts ssh for rsync")]
    let mut command = tokio::process::Command::new(program);
    command.args(options).arg("--").arg(&lease.host).arg("true");
    command.env_clear().envs(surroundings()).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut group = Group { leader: child.id() };
    let stdout = child.stdout.take();
    let talk = async { (keep(stdout).await, child.wait().await) };
    let (printed, _) = tokio::time::timeout(NOISE_WITHIN, talk).await.ok()?;
    group.leader = None;
    let printed = printed.ok()?;
    let printed = String::from_utf8_lossy(&printed);
    let line = printed.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(80).collect())
}

fn trouble(what: &str, error: &std::io::Error) -> Fault {
    Fault::new(FaultClass::TransientStep, format!("{what} rsync: {error}"))
}

/// What rsync and ssh need of our surroundings, and nothing that changes what they do.
fn surroundings() -> Vec<(&'static str, String)> {
    let mut kept = vec![("LC_ALL", "C".to_owned())];
    for name in ["HOME", "USER", "LOGNAME", "PATH", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK"] {
        #[allow(
            clippy::disallowed_methods,
            reason = "what every program needs of its surroundings is no configuration"
        )]
        if let Ok(value) = std::env::var(name) {
            kept.push((name, value));
        }
    }
    kept
}

async fn keep(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return Ok(kept) };
    let mut buffer = vec![0; 8 << 10];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(kept);
        }
        let room = n.min(STDERR_MAX - kept.len());
        kept.extend_from_slice(&buffer[..room]);
    }
}

/// Returns when neither progress was told nor a byte moved for `after`.
async fn watch(
    leader: Option<u32>,
    remote_shell: &str,
    after: Duration,
    told: tokio::sync::watch::Receiver<u64>,
) {
    let mut last = (0, 0);
    let mut unmoved = 0;
    while unmoved < LOOKS {
        tokio::time::sleep(after / LOOKS).await;
        let now = (*told.borrow(), leader.map_or(0, |leader| moved_by(leader, remote_shell)));
        unmoved = if now == last { unmoved + 1 } else { 0 };
        last = now;
    }
}

/// Bytes read and written by the processes of a group, but not by its remote shell, which
/// also moves what keeps an idle line open.
fn moved_by(leader: u32, remote_shell: &str) -> u64 {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let of_one = |name: &str| -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        let (begin, rest) = stat.rsplit_once(") ")?;
        let group: u32 = rest.split(' ').nth(2)?.parse().ok()?;
        let comm = begin.split_once('(')?.1;
        if group != leader || comm == remote_shell {
            return None;
        }
        let io = std::fs::read_to_string(format!("/proc/{name}/io")).ok()?;
        let numbers = io.lines().filter_map(|line| {
            line.strip_prefix("rchar: ").or_else(|| line.strip_prefix("wchar: "))?.parse().ok()
        });
        Some(numbers.fold(0, u64::wrapping_add))
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|name| of_one(&name))
        .fold(0, u64::wrapping_add)
}

/// Ends a process group when dropped, as long as its leader was not waited for.
struct Group {
    leader: Option<u32>,
}

impl Group {
    fn send(&self, signal: Signal) {
        if let Some(leader) = self.leader.and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself meanwhile.
            let _ = killpg(Pid::from_raw(leader), signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::SIGKILL);
    }
}
