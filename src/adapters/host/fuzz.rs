//! What a headnode answers, whatever it answers: nothing panics, nothing takes long, what
//! is not understood is *could not look* or a fault that can be told.

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{ExitRecord, Fault, FaultClass};
use jiff::Timestamp;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::attempts::{globs, room};
use super::names::{bounded_name, is_plain_id};
use super::quote::quote;
use super::read::{self, exit_record, tail};
use super::record::CaseRecord;
use super::survey::{self, Rsync};
use super::{HostLook, found, outputs};
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
const OUTPUTS: &[u8] = b"a.txt\x0012\x001700000000.1234567890\0sub/b c\x000\x001700000000.0\0\
    ./link.txt\x007\x001700000000.999999999\0";
const SURVEY: &[u8] = b"time\t1700000000.123456789\nuser\tana\nplace\t/data\nowner\troot\n\
    folder\tyes\nwritable\tyes\nfree\t1000 4096 500 400\nclosed\t/data/.daylily-watch\n\
    rsync\t/usr/bin/rsync\nrsync_version\trsync  version 3.2.7  protocol version 31\n";
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
    fn a_list_of_outputs_is_whole_or_none(listing in mangled(&[OUTPUTS, b""])) {
        let wanted = globs(&["*.txt".to_owned(), "sub/**".to_owned()]).expect("they are patterns");
        let nuls = listing.iter().filter(|byte| **byte == 0).count();
        let is_whole = listing.last().is_none_or(|byte| *byte == 0) && nuls % 3 == 0;
        match soon(|| outputs::parse(&listing, &wanted)) {
            Ok(files) => {
                prop_assert!(is_whole && files.len() <= nuls / 3);
                for file in &files {
                    prop_assert!(wanted.is_match(&file.path));
                    let parts = file.path.split('/');
                    prop_assert!(parts.into_iter().all(|part| !["", ".", ".."].contains(&part)));
                    let as_listed = listing.windows(file.path.len()).any(|part| part == file.path.as_bytes());
                    prop_assert!(as_listed, "{file:?}");
                }
                prop_assert!(files.is_sorted_by(|a, b| a.path <= b.path));
            }
            Err(odd) => can_be_told(&Fault::new(FaultClass::TransientStep, odd.0).text),
        }
    }

    #[test]
    fn free_space_is_two_numbers_or_none(said in mangled(&[b"1234 4096\n"]), text in text()) {
        for said in [&*String::from_utf8_lossy(&said), &text, &format!("{text} 12 34")] {
            let numbers: Vec<_> = said.split_whitespace().map(str::parse::<u64>).collect();
            let are_two = matches!(numbers[..], [Ok(_), Ok(_)]);
            prop_assert_eq!(soon(|| room(said)).is_some(), are_two, "{:?}", said);
        }
    }

    #[test]
    fn a_survey_of_anything_is_one_or_can_be_told(
        said in mangled(&[SURVEY]),
        stderr in text(),
        before in -9_999_999_999_i64..9_999_999_999,
        took in 0..100_i64,
    ) {
        let at = |second| Timestamp::from_second(second).expect("it is a time");
        let said = String::from_utf8_lossy(&said);
        match soon(|| survey::read(&said, &stderr, at(before), at(before + took))) {
            Ok(survey) => {
                // What is told of a place stands in one line of what was said.
                let told = [&survey.user, &survey.place.path, &survey.place.owner];
                for text in told.into_iter().chain(&survey.place.closed) {
                    prop_assert!(!text.contains('\n') && said.contains(text.as_str()));
                }
                prop_assert!(!survey.place.path.is_empty());
                if let Rsync::Found { says, .. } = &survey.rsync {
                    let _ = Rsync::version(says);
                }
            }
            Err(fault) => can_be_told(&fault.text),
        }
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
