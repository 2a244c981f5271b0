//! Owns a sender that is a process of its own and holds a file open as long as it is
//! asked to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) struct Sender(Child);

impl Sender {
    /// Opens `file` for appending; each line told is appended to it.
    #[allow(clippy::disallowed_methods, reason = "a sender is a process of its own")]
    pub(crate) fn open(file: &Path) -> Self {
        let script = "exec 3>>\"$0\" || exit 1
            echo done
            while read -r line; do echo \"$line\" >&3; echo done; done";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut sender = Self(shell.spawn().unwrap());
        sender.wait_for_answer();
        sender
    }

    pub(crate) fn append(&mut self, line: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.wait_for_answer();
    }

    fn wait_for_answer(&mut self) {
        let mut answer = String::new();
        // One byte at a time, so that no answer is lost in a buffer.
        let stdout = self.0.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, stdout).read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}
