//! Owns the toy cases: what is in one, the job that runs on it and writes a record of
//! its own for each execution, and what it must come to.

use std::fs;
use std::io;
use std::path::Path;

/// How many files a toy has whose copying is to be met half way.
pub(super) const MANY: usize = 1200;

/// How many any other has.
pub(super) const FEW: usize = 3;

/// What the job makes.
pub(super) const RESULT: &str = "result.txt";

/// Each execution makes a file of its own; two never share one. Then it waits for a sign,
/// and ends by itself when nobody gives it or the folder is gone.
pub(super) const JOB: &str = r#"{ read -r run; } </proc/sys/kernel/random/uuid || exit 3
: >"$RECORDS/run.$DAYLILY_CASE.$DAYLILY_ATTEMPT.$run" || exit 3
tries=0
until [ -e "$RECORDS/go.$DAYLILY_CASE" ]; do
    [ -d "$RECORDS" ] && [ "$tries" -lt 6000 ] || exit 3
    tries=$((tries + 1))
    sleep 0.1
done
cat part.* >result.txt
"#;

/// The sign that the job of a toy waits for.
pub(super) fn go(name: &str) -> String {
    format!("go.{name}")
}

/// One execution, as its own record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Execution {
    pub(super) case: String,
    pub(super) attempt: String,
}

/// None: it is no record of an execution.
pub(super) fn execution(record: &str) -> Option<Execution> {
    let mut parts = record.strip_prefix("run.")?.split('.');
    let (case, attempt) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    Some(Execution { case, attempt })
}

/// Writes a toy and puts it into the intake whole.
pub(super) fn offer(intake: &Path, name: &str, files: usize) -> io::Result<()> {
    let made = intake.join(format!(".making-{name}"));
    fs::create_dir(&made)?;
    for file in 0..files {
        fs::write(made.join(format!("part.{file:04}")), part(name, file))?;
    }
    fs::rename(made, intake.join(name))
}

/// What the job makes of it.
pub(super) fn result(name: &str, files: usize) -> String {
    (0..files).map(|file| part(name, file)).collect()
}

/// Some 2 KiB.
fn part(name: &str, file: usize) -> String {
    format!("part {file} of the toy case {name}\n").repeat(64)
}
