//! What rsync 3.1 to 3.5 really printed, and what it never should.

use super::{Far, Reader, Sent};

fn read(printed: &str) -> Reader {
    let mut reader = Reader::default();
    reader.take(printed.as_bytes());
    reader
}

#[test]
fn the_last_line_says_how_far_it_is() {
    let printed = "\r         32768   0%    0.00kB/s    0:00:00  \
                   \r     104857600  50%   99.65MB/s    0:00:01 (xfr#1, to-chk=1/3)\
                   \r     209715200 100%   99.81MB/s    0:00:02 (xfr#2, to-chk=0/3)\n";
    assert_eq!(read(printed).far, Far { bytes: 209_715_200, files: 2 });
}

#[test]
fn a_line_that_is_not_ended_says_nothing_yet() {
    let mut reader = read("\r     104857600  50%   99.65MB/s    0:00:01 ");
    assert_eq!(reader.far, Far::default());
    assert!(reader.take(b"\r"));
    assert_eq!(reader.far.bytes, 104_857_600);
}

#[test]
fn a_line_may_come_in_any_pieces() {
    let whole = "\r  1048576  50%  9.65MB/s  0:00:01 (xfr#7, ir-chk=1/3)\r";
    for cut in 0..whole.len() {
        let mut reader = read(&whole[..cut]);
        reader.take(&whole.as_bytes()[cut..]);
        assert_eq!(reader.far, Far { bytes: 1_048_576, files: 7 });
    }
}

#[test]
fn separators_in_numbers_are_passed_over() {
    assert_eq!(read("  1,234,567  12%  1.23MB/s  0:00:01\r").far.bytes, 1_234_567);
    assert_eq!(read("  1.234.567  12%  1.23MB/s  0:00:01\r").far.bytes, 1_234_567);
}

#[test]
fn progress_only_grows() {
    let reader =
        read("  100  12%  1.23MB/s  0:00:01 (xfr#2, to-chk=0/3)\r  50  6%  1MB/s  0:00:01\r");
    assert_eq!(reader.far, Far { bytes: 100, files: 2 });
}

#[test]
fn what_is_not_progress_is_passed_over() {
    for line in [
        "",
        "sending incremental file list",
        "100%",
        "12 files",
        "1e9 12% 1MB/s",
        "99999999999999999999999 10% 1MB/s",
        "5 many% 1MB/s",
        ">f+++++++++ 100 50%/x",
        "\u{0}\u{ff}",
    ] {
        assert_eq!(read(&format!("{line}\n")).far, Far::default(), "{line:?}");
    }
    let mut reader = Reader::default();
    reader.take(&[b'7'; 100_000]);
    reader.take(b"\n");
    assert_eq!(reader.far, Far::default());
}

#[test]
fn the_statistics_are_read_from_the_end() {
    let printed = "Number of files: 3 (reg: 2, dir: 1)\nTotal file size: 209715200 bytes\n\
                   Literal data: 164099200 bytes\nMatched data: 45616000 bytes\n\
                   File list size: 0\nTotal bytes sent: 164,150,223\nTotal bytes received: 180\n";
    let sent = Sent { sent: 164_150_223, received: 180, literal: 164_099_200, matched: 45_616_000 };
    assert_eq!(read(printed).sent, sent);
}
