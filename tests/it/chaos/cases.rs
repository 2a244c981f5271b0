//! Owns the cases of a round: what is in them, what their jobs do and note, and how both
//! are compared without any of the program's code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::observer::Made;
use crate::dice::Dice;
use crate::system::world::write;

/// Makes a result that no other run makes, and notes checksums of what it found and of
/// what it made. Some leave a process behind that outlives them.
pub(super) const JOB: &str = r#"found=$(find . -type f ! -name 'out.*' | LC_ALL=C sort | xargs sha256sum | sha256sum)
[ ! -e leaves ] || setsid sleep 1000 &
cat input >out.new && head -c 20000 /dev/urandom >>out.new && sleep "$(cat takes)" &&
mv out.new out.txt && made=$(sha256sum <out.txt) &&
printf '%s\t%s\t%s\n' "$DAYLILY_ATTEMPT" "${found%% *}" "${made%% *}" >>"$ELSEWHERE/made""#;

/// Makes a case's folder and returns the checksum that its job will note.
pub(super) fn furnish(folder: &Path, name: &str, number: usize, dice: &mut Dice) -> String {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    files.insert("./input".to_owned(), format!("of {name}\n").into_bytes());
    let takes = ["0.05", "0.1", "0.3", "0.8", "1.5"];
    files.insert("./takes".to_owned(), dice.pick(&takes).as_bytes().to_vec());
    if number % 12 == 7 {
        files.insert("./leaves".to_owned(), Vec::new());
    }
    for file in 0..dice.roll(6) {
        let size = dice.roll(20_000);
        files.insert(format!("./d{}/f{file}", file % 3), noise(dice, size));
    }
    if number % 8 == 3 {
        let size = (1 << 18) + dice.roll(1 << 19);
        files.insert("./big".to_owned(), noise(dice, size));
    }
    let mut sums = String::new();
    for (path, content) in &files {
        write(&folder.join(path), content);
        sums.push_str(&format!("{}  {path}\n", sum(content)));
    }
    sum(sums.as_bytes())
}

fn noise(dice: &mut Dice, size: u64) -> Vec<u8> {
    let words = (0..size.div_ceil(8)).flat_map(|_| dice.roll(u64::MAX).to_le_bytes());
    words.collect()
}

fn sum(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum of what came home, where something did.
pub(super) fn home(results: &Path) -> Option<String> {
    fs::read(results.join("out.txt")).ok().map(|content| sum(&content))
}

/// What the jobs noted.
pub(super) fn made(file: &Path) -> Vec<Made> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| {
        let words: Vec<&str> = line.split('\t').collect();
        let [attempt, found, result] = words[..] else { panic!("a job noted {line:?}") };
        Made { attempt: attempt.to_owned(), found: found.to_owned(), result: result.to_owned() }
    };
    text.lines().map(line).collect()
}
