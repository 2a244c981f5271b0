//! What a headnode answers, whatever it answers: nothing panics, nothing takes long, what
//! is not understood is *could not look* or a fault that can be told.

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::ExitRecord;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::HostLook;
use super::found;
use super::names::{bounded_name, is_plain_id};
use super::quote::quote;
use super::read::{self, exit_record, tail};
use super::record::CaseRecord;
use super::survey::Rsync;
use crate::hostile::{bytes, can_be_told, mangled, meaning, soon, text};

const READING: &[u8] = b"w0rd\nhost node1\nmachine abc\nboot b00t\nmissing dw-2 directory\n\
    w0rd claims\n==> dw-1/claim <==\n{\"by\":\"job\",\"token\":\"t\",\"attempt\":\"dw-1\",\
    \"host\":\"node1\",\"machine_id\":\"abc\",\"boot_id\":\"b00t\",\"pid\":7,\
    \"at\":\"2026-11-20T06:00:00.000Z\"}\n\nw0rd alive\nyes dw-1\n\
    w0rd exits\n==> dw-1/exit.json <==\n{\"code\":0,\"signal\":null,\
    \"started\":\"2026-11-20T06:00:00.000Z\",\"ended\":\"2026-11-20T06:00:00.000Z\",\
    \"host\":\"node1\",\"boot_id\":\"b00t\"}\n\nw0rd end\n";
const EXIT: &[u8] = b"{\"code\":137,\"signal\":9,\"started\":\"2026-11-20T06:00:00Z\",\
    \"ended\":\"2026-11-20T06:00:00Z\",\"host\":\"n\",\"boot_id\":\"b\"}\n      ";
const LIST: &[u8] = b"dir ./dw-1\ndir ./dw-2\njob ./dw-1/job.sh\nclaim ./dw-1/claim\n\
    ./dw-1/case.json\0{\"attempt\":\"dw-1\",\"number\":1,\"intake\":\"new\",\"name\":\"HG002\",\
    \"arrival\":1,\"digest\":null,\"remote_name\":\"HG002\",\"dir\":\"/w/new/HG002\"}\nend\n";

proptest! {
    #[test]
    fn a_reading_of_anything_says_no_more_than_it_has(
        answer in mangled(&[READING]),
        stderr in text(),
    ) {
        let attempts = ["dw-1", "dw-2", "dw-3"].map(AttemptId::new);
        let looks = soon(|| read::parse(&answer, &stderr, &attempts));
        for look in looks.iter().flatten() {
            if let HostLook::Saw { exit: ExitRecord::Present { .. }, .. } = look {
                // Only an exit.json that was printed makes an end.
                prop_assert!(answer.windows(9).any(|part| part == b"exit.json"));
            }
        }
        if let Some(looks) = looks {
            prop_assert_eq!(looks.len(), attempts.len());
        }
    }

    #[test]
    fn an_end_record_is_whole_or_partial(record in mangled(&[EXIT, b"{}", b"   "]), more in bytes()) {
        let read = soon(|| exit_record(Some(&record), Some(&more)));
        prop_assert!(!matches!(read, ExitRecord::Absent));
        if let ExitRecord::Present { code: None, signal: None, .. } = read {
            panic!("an end without a code: {record:?}");
        }
        let _ = soon(|| read::claimed_by(&record));
    }

    #[test]
    fn a_list_of_attempts_names_plain_ids_only(answer in mangled(&[LIST])) {
        for found in soon(|| found::parse(&answer)).into_iter().flatten() {
            prop_assert!(is_plain_id(found.id.as_str()) && found.id.as_str().starts_with("dw-"));
            if let Some(record) = found.record {
                prop_assert_eq!(&record.attempt, &found.id);
                let line = record.to_line();
                prop_assert!(!line.contains('\n'));
            }
        }
        for id in found::names(&answer).into_iter().flatten() {
            prop_assert!(is_plain_id(id.as_str()));
        }
    }

    #[test]
    fn a_record_of_anything_is_none_or_one_line(record in mangled(&[&LIST[LIST.iter().position(|b| *b == 0).unwrap() + 1..]])) {
        if let Ok(record) = soon(|| serde_json::from_slice::<CaseRecord>(&record)) {
            prop_assert!(!record.to_line().contains('\n'));
        }
    }

    #[test]
    fn the_end_of_any_output_can_be_shown(end in bytes(), most in 0..2000_usize) {
        let text = soon(|| tail(&end, most));
        prop_assert!(text.len() <= end.len().max(most));
        prop_assert!(text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')));
    }

    #[test]
    fn any_name_becomes_one_file_name(name in text(), suffix in "[.a-z]{0,9}") {
        let file = bounded_name(&name, &suffix);
        prop_assert!(file.len() <= 255 && !file.contains(['/', '\0', '\n']), "{file:?}");
        prop_assert!(!matches!(file.as_str(), "" | "." | ".."), "{name:?}");
        prop_assert_eq!(&file, &bounded_name(&name, &suffix));
    }

    #[test]
    fn a_quoted_text_is_one_word_that_means_it(name in text()) {
        let Ok(word) = quote(&name) else { return Ok(()) };
        prop_assert_eq!(meaning(&word, ""), Some(name));
    }

    #[test]
    fn a_version_of_anything_is_one_or_none(says in text(), bytes in any::<[u8; 16]>()) {
        let _ = Rsync::version(&says);
        let _ = Rsync::version(&String::from_utf8_lossy(&bytes));
        let _ = Rsync::version(&format!("rsync  version {says}  protocol version 31"));
    }

    #[test]
    fn a_reading_that_could_not_be_made_says_why_in_words(
        answer in mangled(&[READING]),
        stderr in text(),
    ) {
        let attempts = [AttemptId::new("dw-1")];
        for look in read::parse(&answer, &stderr, &attempts).into_iter().flatten() {
            if let HostLook::CouldNot { why } = look {
                can_be_told(&why);
            }
        }
    }
}
