//! What scripts print, and what they never should.

use super::{Found, Looked, sums};
use crate::adapters::host::copy::list::{Kind, Stamp};

const LOOKED: &[u8] =
    b"folder\0whole\x00100 4096 50 7\0d\0sub\x004096\x001700000000.5000000000\0\0\
    f\0sub/a\nb\x003\x001700000000.1234567890\0\0l\0link\x004\x001700000001.0000000000\0sub/x\0\
    p\0fifo\x000\x001.0\0\0end\0\
    {\"path\":\"a\",\"kind\":\"folder\",\"shipped\":true}\n";

#[test]
fn a_look_is_understood() {
    let looked = Looked::parse(LOOKED, "/d", "/l").unwrap();
    let modified = Stamp { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
    assert_eq!(looked.at("sub"), Some(&Found::As(Kind::Folder)));
    assert_eq!(looked.at("sub/a\nb"), Some(&Found::As(Kind::File { size: 3, modified })));
    assert_eq!(looked.at("link"), Some(&Found::As(Kind::Symlink { target: "sub/x".into() })));
    assert_eq!(looked.at("fifo"), Some(&Found::Odd));
    assert_eq!(looked.at("none"), None);
    let entries = looked.entries.as_ref().unwrap();
    assert_eq!(entries.get("sub/a\nb").unwrap().looked(), "3 1700000000.123456789");
    assert_eq!(entries.get("fifo").unwrap().looked(), "0 1.000000000");
    assert_eq!(entries.paths().collect::<Vec<_>>(), ["fifo", "link", "sub", "sub/a\nb"]);
    assert_eq!((looked.room.bytes, looked.room.files), (409_600, Some(7)));
    assert_eq!(looked.list.len(), 1);
}

#[test]
fn a_look_that_is_cut_anywhere_before_its_list_is_not_believed() {
    let end = LOOKED.windows(4).position(|part| part == b"end\0").unwrap() + 4;
    for cut in 0..end {
        assert!(Looked::parse(&LOOKED[..cut], "/d", "/l").is_err(), "{cut}");
    }
    assert!(Looked::parse(&LOOKED[..LOOKED.len() - 9], "/d", "/l").is_err());
    assert!(Looked::parse(&[b"Welcome!\n", LOOKED].concat(), "/d", "/l").is_err());
}

#[test]
fn sums_are_read_with_escaped_names() {
    let sum = "a".repeat(64);
    let printed = format!("{sum}  sub/a b\n\\{sum}  back\\\\slash\n{sum} *binary\nodd\n\\{sum}\n");
    let read = sums(printed.as_bytes());
    let mut names: Vec<&str> = read.keys().map(AsRef::as_ref).collect();
    names.sort_unstable();
    assert_eq!(names, ["back\\slash", "binary", "sub/a b"]);
}
