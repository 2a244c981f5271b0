//! What rsync and the scripts beside it print, whatever it is.

use daylily_lifecycle::ids::{AttemptId, ByteCount};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::command::{There, Way, arguments};
use super::fault;
use super::listed::{Written, unite, write};
use super::progress::Reader;
use super::there::{Looked, stamp, sums};
use super::{Lease, Owner};
use crate::adapters::host::copy::list::Line;
use crate::hostile::{bytes, can_be_told, mangled, soon, text};

const LOOKED: &[u8] =
    b"folder\0whole\x00100 4096 50 7\0d\0sub\x004096\x001700000000.5000000000\0\0\
    f\0sub/a\x003\x001700000000.1234567890\0\0l\0link\x004\x001700000001.0000000000\0sub/x\0\
    p\0fifo\x000\x001.0\0\0end\0\
    {\"path\":\"a\",\"kind\":\"folder\",\"shipped\":true}\n\
    {\"path\":\"b\",\"kind\":\"file\",\"size\":3,\"modified\":{\"seconds\":1,\"nanoseconds\":2},\
    \"shipped\":false}\n";
const PRINTED: &[u8] = b"\r      1,234  12%    1.23MB/s    0:00:01 (xfr#5, to-chk=10/20)\
    \r 99999999 100%  1.0kB/s 0:00:00 (xfr#20, to-chk=0/20)\n\nLiteral data: 12 bytes\n\
    Total bytes sent: 1,000,000\nTotal bytes received: 7\n";
const SAID: &[u8] = b"rsync: [sender] send_files failed to open \"/a\": Permission denied (13)\n\
    rsync error: some files/attrs were not transferred (code 23) at main.c(1338) [sender=3.2.7]\n";

proptest! {
    #[test]
    fn a_look_at_anything_is_understood_whole_or_told(answer in mangled(&[LOOKED])) {
        match soon(|| Looked::parse(&answer, "/w/new/HG002", "/w/list")) {
            Ok(looked) => {
                for path in looked.entries.iter().flat_map(|entries| entries.paths()) {
                    prop_assert!(looked.at(path).is_some());
                }
                let old: Vec<&Line> = unite(&looked.list, []);
                prop_assert_eq!(old.len(), looked.list.len());
                let mut text = Vec::new();
                for line in unite(&looked.list, &looked.list) {
                    write(&mut text, &Written::from(line)).unwrap();
                }
                let again: Vec<Line> = text
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(|line| serde_json::from_slice(line).unwrap())
                    .collect();
                prop_assert_eq!(again.len(), looked.list.len());
            }
            Err(fault) => can_be_told(&fault.text),
        }
    }

    #[test]
    fn sums_and_times_of_anything(answer in bytes(), text in text()) {
        let _ = soon(|| sums(&answer).len());
        let _ = stamp(&text);
    }

    #[test]
    fn how_far_it_is_never_goes_back(printed in mangled(&[PRINTED]), cut in any::<prop::sample::Index>()) {
        let (first, rest) = printed.split_at(cut.index(printed.len() + 1));
        let mut reader = Reader::default();
        soon(|| reader.take(first));
        let before = reader.far;
        soon(|| reader.take(rest));
        prop_assert!(reader.far.bytes >= before.bytes && reader.far.files >= before.files);
    }

    #[test]
    fn any_end_of_rsync_is_a_fault_that_can_be_told(
        code in prop::option::of(-1..300_i32),
        said in mangled(&[SAID, b"daylily-watch: not the owner\n", b"ssh: connect\n"]),
    ) {
        let said = String::from_utf8_lossy(&said).into_owned();
        let fault = soon(|| fault::fault(code, &said));
        prop_assert!(!fault.text.trim().is_empty());
        can_be_told(&fault.text);
        can_be_told(&fault::with_noise(&fault, &said.chars().take(80).collect::<String>()).text);
        let _ = fault::of_remote_shell(&said);
    }

    #[test]
    fn what_a_login_shell_reads_has_no_word_of_anybodys(
        root in text(), dir in text(), lock in text(), path in text(), host in text(),
    ) {
        let attempt = AttemptId::new("dw-1");
        let owner = Owner::of_start("db", 1, "word");
        let folders = [path, "~/bin".to_owned()];
        let there = There {
            root: &root, attempt: &attempt, file: "rsync.sh", owner: &owner, path: &folders,
            lock: Some(&lock), umask: 0o27, dir: &dir,
        };
        if let Ok(begin) = there.begin() {
            prop_assert!(begin.program.chars().all(|c| crate::plain::is_plain(c) || c == '\''));
            prop_assert_eq!(begin.program.matches('\'').count(), 2);
        }
        let remote_shell = vec!["ssh".to_owned(), "-S".to_owned(), dir.clone()];
        let lease = Lease { remote_shell, host: host.clone(), held: Box::new(()) };
        let way = Way::Fetch { to: std::path::Path::new("/r") };
        if let Ok(words) = arguments(&way, &lease, "/bin/sh '/x'", Some(ByteCount(1))) {
            // What is not an option stands behind the end of options.
            let end = words.iter().position(|word| word == "--").unwrap();
            prop_assert_eq!(words.len(), end + 3);
            prop_assert!(!host.starts_with('-'));
        }
    }
}
