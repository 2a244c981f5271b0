//! Owns running a script on a machine that ssh reaches. The script runs below `timeout`
//! there, so that it ends also when nobody can tell it to; what becomes of the call here
//! has a limit of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::{SignedDuration, Timestamp};
use openssh::{Session, Stdio};
use tokio::io::AsyncWriteExt as _;
use ulid::Ulid;

use super::answer::{Sifted, Token, sift};
use super::connect::names;
use super::log::fault;
use super::login::ran_nothing;
use super::masters::{Masters, ScriptLine};
use super::prelude::{KILL_AFTER, LINE, input};
use crate::adapters::host::local::say;
use crate::adapters::host::shell::{Answer, Ask, Heard, Ran, Shell};
use crate::clock::Clock;
use crate::mask::masked;

/// What an answer may take beside the script's own time: the way there and back, and its
/// end when it does not end by itself.
const GRACE: Duration = KILL_AFTER.saturating_add(Duration::from_secs(10));
/// At most this much of standard error is kept.
const STDERR_MAX: usize = 64 << 10;
/// How often the other side's clock is looked at.
const TIME_EVERY: Duration = Duration::from_secs(600);

/// /bin/sh on a machine that ssh reaches.
pub struct SshShell {
    masters: Arc<Masters>,
    clock: Arc<dyn Clock>,
    path: Vec<String>,
    env: BTreeMap<String, String>,
    heard: Mutex<Hearing>,
}

#[derive(Default)]
struct Hearing {
    heard: Heard,
    /// When the time was last asked for, on the monotonic clock.
    timed: Option<Duration>,
}

impl SshShell {
    /// `path` goes before the PATH there, with `~/` for the home there; `env` before
    /// everything.
    pub fn new(
        masters: Arc<Masters>,
        clock: Arc<dyn Clock>,
        path: Vec<String>,
        env: BTreeMap<String, String>,
    ) -> Self {
        Self { masters, clock, path, env, heard: Mutex::default() }
    }

    /// The connections that it shares with whoever moves files.
    pub fn masters(&self) -> &Arc<Masters> {
        &self.masters
    }

    fn hearing(&self) -> std::sync::MutexGuard<'_, Hearing> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the time should be asked for now.
    fn is_time(&self) -> bool {
        let now = self.clock.monotonic();
        let mut hearing = self.hearing();
        let due = hearing.timed.is_none_or(|at| now.saturating_sub(at) >= TIME_EVERY);
        if due {
            hearing.timed = Some(now);
        }
        due
    }

    fn hear(&self, out: &Sifted, err: &Sifted, sent: Timestamp) {
        let noise = [&out.noise, &err.noise].into_iter().find(|noise| !noise.is_empty());
        let skew = out.token.as_ref().and_then(|token| skew(token, sent));
        let mut hearing = self.hearing();
        hearing.heard.noise_in_answers |= !out.noise.is_empty();
        hearing.heard.noise = noise.cloned().or(hearing.heard.noise.take());
        hearing.heard.clock_skew_ms = skew.or(hearing.heard.clock_skew_ms);
    }

    /// The script's words to the other side and back. An error is the line's.
    async fn talk(&self, line: &ScriptLine, ask: &Ask<'_>) -> Result<Ran, Fault> {
        // Without a hyphen or anything else that a shell or a pattern could mean.
        let token = Ulid::generate().to_string();
        let (input, is_more) = input(ask, &self.path, &self.env, &token, self.is_time())
            .map_err(|error| Fault::new(FaultClass::FatalCase, error.to_string()))?;
        let session = Session::resume_mux(line.socket.as_path().into(), None);
        let (begun, sent) = (self.clock.monotonic(), self.clock.now());
        let mut child = session
            .raw_command(LINE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .await
            .map_err(|error| self.broken(line, &error))?;
        let stdin = child.stdin().take();
        let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(self.masters.lost(line));
        };
        let tell = async {
            // A script that ended early says so by its code.
            if stdin.write_all(&input).await.is_ok() && is_more {
                let _ = say(ask, &mut stdin).await;
            }
            stdin
        };
        // Its input stays open till it has ended: the end of it would end the script.
        let (open, out, err) = tokio::join!(
            tell,
            sift(stdout, &token, ask.keep, &*self.clock),
            sift(stderr, &token, STDERR_MAX, &*self.clock),
        );
        // Only then: with the exit code the session is let go, and with it what of the
        // output is still on its way.
        let ended = child.wait().await;
        drop(open);
        let took = self.clock.monotonic().saturating_sub(begun);
        let code = match ended {
            Ok(status) => status.code(),
            Err(openssh::Error::Remote(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Some(127)
            }
            Err(error) => return Err(self.broken(line, &error)),
        };
        let (Ok(out), Ok(err)) = (out, err) else { return Err(self.masters.lost(line)) };
        self.hear(&out, &err, sent);
        if out.token.is_none() || err.token.is_none() {
            let names = names(self.masters.settings());
            return Err(ran_nothing(code, [&err.noise, &out.noise], &names));
        }
        // It ends with these also of its own: `timeout` only when the time is up.
        if matches!(code, Some(124 | 137)) && took >= ask.limit {
            return Ok(Ran::TimedOut);
        }
        let stderr = masked(&String::from_utf8_lossy(&err.kept)).into_owned();
        Ok(Ran::Ended(Answer { code, stdout: out.kept, cut: out.cut, stderr }))
    }

    fn broken(&self, line: &ScriptLine, error: &openssh::Error) -> Fault {
        // What the master answered is about this session; else it is gone, and its log may
        // say why.
        match error {
            openssh::Error::SshMux(error) => {
                // That the socket broke is no reason that a person can do something with.
                fault(&error.to_string(), &names(self.masters.settings()))
                    .unwrap_or_else(|| self.masters.lost(line))
            }
            _ => self.masters.lost(line),
        }
    }
}

#[async_trait::async_trait]
impl Shell for SshShell {
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault> {
        let limit = ask.limit + GRACE;
        let line = self.masters.script(ask.limit, limit).await?;
        match tokio::time::timeout(limit, self.talk(&line, &ask)).await {
            Ok(ran) => ran,
            Err(_) => {
                let text = format!("no answer has come for {} s", limit.as_secs());
                Err(Fault::new(FaultClass::TransientHost, text))
            }
        }
    }

    fn heard(&self) -> Heard {
        self.hearing().heard.clone()
    }

    async fn close(&self) {
        self.masters.close().await;
    }
}

/// How far the clock there is before ours, as seen from the middle of the way there and
/// back. None: it was not asked for, or cannot tell.
fn skew(token: &Token, sent: Timestamp) -> Option<i64> {
    let (seconds, nanos) = token.says.split_once('.')?;
    let nanos = SignedDuration::from_nanos(nanos.get(..9)?.parse().ok()?);
    let there = Timestamp::from_second(seconds.parse().ok()?).ok()?.checked_add(nanos).ok()?;
    let half = token.at.duration_since(sent) / 2;
    let here = sent.checked_add(half).ok()?;
    i64::try_from(there.duration_since(here).as_millis()).ok()
}
