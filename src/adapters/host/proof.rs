//! Owns the proof that a headnode can do what attempt directories rest on. It works in
//! directories of its own, asks nobody for ownership, and leaves nothing behind.

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::shell::{Answer, Ask, Ran, SHORT, Shell};

const PROVE: &str = include_str!("scripts/prove.sh");
const PROBE: &str = include_str!("scripts/probe.sh");
const PROBED: &str = include_str!("scripts/probed.sh");
const LOGOUT: &str = include_str!("scripts/logout.sh");

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// A program, or `ln`, `flock`, `rename`, `fifo`, `write`, `owner`, `proc`.
    pub name: String,
    pub works: bool,
    pub said: String,
}

/// How a probe was started that outlived its starter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survived {
    /// In a scope of the user's service manager.
    Scope,
    /// In a session of its own.
    Session,
    No,
}

/// What becomes of our processes when our last login ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logout {
    /// There is no systemd, and nothing ends them.
    Nothing,
    Systemd {
        linger: bool,
        kills: bool,
        user: String,
    },
}

/// Tries everything in `dir`, which must be there; `work_dir` need not.
pub async fn prove(shell: &dyn Shell, dir: &str, work_dir: &str) -> Result<Vec<Proof>, Fault> {
    let answer = ask(shell, PROVE, &[dir, work_dir]).await?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let proofs = text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (name, works, said) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Proof { name: name.to_owned(), works: works == "yes", said: said.to_owned() })
    });
    Ok(proofs.collect())
}

/// What was started the way `direct` starts a job, to be looked for afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    way: String,
    dir: String,
}

/// Starts a process in `dir` the way `direct` starts a job, and ends its starter. It goes
/// away by itself after 10 s.
pub async fn begin_probe(shell: &dyn Shell, dir: &str) -> Result<Begun, Fault> {
    let answer = ask(shell, PROBE, &[dir]).await?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let mut lines = text.lines();
    let (Some(way), Some(dir)) = (lines.next(), lines.next()) else {
        let text = format!("the probe said nothing: {}", answer.stderr.trim());
        return Err(Fault::new(FaultClass::TransientStep, text));
    };
    Ok(Begun { way: way.to_owned(), dir: dir.to_owned() })
}

/// Whether it outlived its starter. It is ended, and its directory removed.
pub async fn probe_lives(shell: &dyn Shell, begun: &Begun) -> Result<Survived, Fault> {
    let looked = ask(shell, PROBED, &[&begun.dir]).await?;
    Ok(match (looked.code, begun.way.as_str()) {
        (Some(0), "scope") => Survived::Scope,
        (Some(0), _) => Survived::Session,
        (Some(_) | None, _) => Survived::No,
    })
}

pub async fn logout(shell: &dyn Shell) -> Result<Logout, Fault> {
    let answer = ask(shell, LOGOUT, &[]).await?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words[..] {
        [linger, kills, user] => Logout::Systemd {
            linger: linger == "yes",
            kills: kills == "yes",
            user: user.to_owned(),
        },
        _ => Logout::Nothing,
    })
}

pub(super) async fn ask(
    shell: &dyn Shell,
    script: &'static str,
    args: &[&str],
) -> Result<Answer, Fault> {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let ask = Ask { script, args, stdin: &[], more: None, limit: SHORT, keep: 64 << 10 };
    match shell.run(ask).await? {
        Ran::Ended(answer) => Ok(answer),
        Ran::TimedOut => {
            let text = format!("a script has not ended for {} s", SHORT.as_secs());
            Err(Fault::new(FaultClass::TransientHost, text))
        }
    }
}
