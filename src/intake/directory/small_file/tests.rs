//! What is read, and what is told in its place.

use super::{SmallFile, read};

#[test]
fn only_a_small_regular_text_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("text"), "é").unwrap();
    std::fs::write(at("large"), [b'x'; 11]).unwrap();
    std::fs::write(at("latin"), b"ab\xe9").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    std::os::unix::fs::symlink("text", at("link")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let seen = |name| read(dir.path(), name, 10).unwrap();
    let odd = |text: &str| SmallFile::Odd(text.to_owned());
    assert_eq!(seen("text"), SmallFile::Text("é".to_owned()));
    assert_eq!(seen("nothing"), SmallFile::Missing);
    assert_eq!(seen("text/below"), SmallFile::Missing);
    assert_eq!(seen("large"), odd("large is larger than 10 bytes, and no more is read"));
    assert_eq!(seen("latin"), odd("latin is not UTF-8, from byte 2 on; save it as UTF-8"));
    assert_eq!(seen("folder"), odd("folder is no regular file"));
    assert_eq!(seen("link"), odd("link is a symlink; put the file itself in its place"));
    assert_eq!(seen("fifo"), odd("fifo is no regular file"));
}
