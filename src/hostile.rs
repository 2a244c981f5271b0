//! Owns what tests feed to everything that reads what others wrote: bytes that somebody
//! made with care, and those that nobody would make. `PROPTEST_CASES` says how many.

use std::ops::Range;
use std::time::{Duration, Instant};

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop};
use proptest::{prop_oneof, sample};

/// Pieces that mean something to shells, terminals, parsers or paths.
pub(crate) const PIECES: &[&str] = &[
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned #",
    "${IFS}",
    "\\",
    "\\'",
    "''",
    "!!",
    "*",
    "?",
    "[x]",
    "{a,b}",
    "~",
    "~root",
    "-rf",
    "--",
    "-e",
    "%s",
    "%n",
    "#",
    "&&",
    "||",
    "|",
    ">",
    "<",
    ";",
    "\n",
    "\r",
    "\t",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{7f}",
    "\u{9b}31m",
    "\u{202e}",
    "\u{feff}",
    "é",
    "東京",
    "😀",
    " ",
    "  ",
    "..",
    "../",
    "/",
    "./",
    ".",
    "==> ",
    " <==",
    "==> dw-1/claim <==\n",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "{}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\u{0}",
    "end",
    "answer",
    "yes dw-1",
    "dw-1",
    "&a ",
    "*a ",
    "<<: ",
    "!!str ",
    "---\n",
    "? ",
    "rsync: ",
    "ssh: ",
    "(xfr#",
    "%",
    "hint: ",
];

/// Text of such pieces and of any characters.
pub(crate) fn text() -> BoxedStrategy<String> {
    let piece = prop_oneof![
        3 => sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z0-9./ =:_-]{0,12}",
        1 => (any::<char>(), 0..2000_usize).prop_map(|(c, many)| c.to_string().repeat(many)),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()).boxed()
}

/// The same, and bytes that are no text.
pub(crate) fn bytes() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        2 => text().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..600),
    ]
    .boxed()
}

/// What is left of something good when somebody has been at it.
pub(crate) fn mangled(good: &[&[u8]]) -> BoxedStrategy<Vec<u8>> {
    let good: Vec<Vec<u8>> = good.iter().map(|&good| good.to_vec()).collect();
    let harm = (any::<sample::Index>(), any::<sample::Index>(), harm());
    (sample::select(good), prop::collection::vec(harm, 0..6))
        .prop_map(|(mut bytes, harms)| {
            for (begin, end, harm) in harms {
                let (begin, end) = (begin.index(bytes.len() + 1), end.index(bytes.len() + 1));
                harm.apply(&mut bytes, begin.min(end)..begin.max(end));
            }
            bytes
        })
        .boxed()
}

#[derive(Debug, Clone)]
enum Harm {
    Cut,
    Remove,
    Repeat(usize),
    Put(Vec<u8>),
    Flip(u8),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::Cut),
        Just(Harm::Remove),
        (1..30_usize).prop_map(Harm::Repeat),
        bytes().prop_map(Harm::Put),
        any::<u8>().prop_map(Harm::Flip),
    ]
}

impl Harm {
    fn apply(self, bytes: &mut Vec<u8>, part: Range<usize>) {
        match self {
            Self::Cut => bytes.truncate(part.start),
            Self::Remove => drop(bytes.drain(part)),
            Self::Repeat(times) => {
                let again = bytes[part.clone()].repeat(times);
                // It is not to grow without end from harm to harm.
                if bytes.len() + again.len() < 1 << 20 {
                    bytes.splice(part.end..part.end, again);
                }
            }
            Self::Put(more) => drop(bytes.splice(part.start..part.start, more)),
            Self::Flip(with) => {
                if let Some(byte) = bytes.get_mut(part.start) {
                    *byte ^= with;
                }
            }
        }
    }
}

/// What `read` makes of it, in a time that nobody waits for in vain. A parser that takes
/// the square of what it is given is found by this, not one that is merely slow.
#[track_caller]
pub(crate) fn soon<T>(read: impl FnOnce() -> T) -> T {
    const MOST: Duration = Duration::from_secs(10);
    #[allow(clippy::disallowed_methods, reason = "a limit needs a clock")]
    let begun = Instant::now();
    let read = read();
    assert!(begun.elapsed() < MOST, "it took {:?}", begun.elapsed());
    read
}

/// Whether a text can be shown in a sentence: one that is no longer than people read, and
/// nothing in it steers a terminal. Hints stand on lines of their own.
#[track_caller]
pub(crate) fn can_be_told(text: &str) {
    let steers = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(steers, None, "{text:?}");
    let many = text.chars().count();
    assert!(many < 7_000, "{many} characters: {text:.200}");
}

/// What a POSIX shell takes a word for in which only letters, digits and `bare` stand outside
/// of single quotes. None: it is not one word, or something in it means something.
pub(crate) fn meaning(word: &str, bare: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = word.chars();
    while let Some(c) = characters.next() {
        match c {
            '\'' => loop {
                match characters.next()? {
                    '\'' => break,
                    c => text.push(c),
                }
            },
            '\\' if characters.next() == Some('\'') => text.push('\''),
            c if c.is_alphanumeric() || bare.contains(c) => text.push(c),
            _ => return None,
        }
    }
    (!word.is_empty()).then_some(text)
}
