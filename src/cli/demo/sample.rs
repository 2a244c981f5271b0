//! Owns the sample case: small FASTQ files in nested folders, written as slowly as a
//! sequencer or a network would.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Shorter than the quiet period of the demo, so that the case is never taken for
/// complete in between.
const GAP: Duration = Duration::from_millis(900);

/// The files, and how many reads each write adds to each.
const FILES: [(&str, &[u32]); 3] = [
    ("lane1/HG002_R1.fastq", &[3, 4, 1]),
    ("lane1/HG002_R2.fastq", &[8]),
    ("lane2/deep/HG002_R1.fastq", &[2, 3]),
];

/// What the pipeline must find: each file and its reads, as in counts.tsv.
pub(super) fn expected() -> String {
    let mut text = "file\treads\n".to_owned();
    for (file, writes) in FILES {
        // Writing to a String has no way to fail.
        let _ = writeln!(text, "{file}\t{}", writes.iter().sum::<u32>());
    }
    text
}

/// Writes the case. Each file stays open until its last write.
pub(super) async fn write_slowly(case: &Path) -> std::io::Result<()> {
    std::fs::create_dir(case)?;
    let mut number = 0;
    for (name, writes) in FILES {
        let path = case.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::File::create(&path)?;
        for reads in writes {
            file.write_all(fastq(&mut number, *reads).as_bytes())?;
            tokio::time::sleep(GAP).await;
        }
    }
    Ok(())
}

fn fastq(number: &mut u32, reads: u32) -> String {
    let mut text = String::new();
    for _ in 0..reads {
        *number += 1;
        let bases: String = (0..40)
            .map(|place| match (*number * 7 + place * place) % 4 {
                0 => 'A',
                1 => 'C',
                2 => 'G',
                _ => 'T',
            })
            .collect();
        // As above.
        let _ = writeln!(text, "@demo:{number}\n{bases}\n+\n{}", "I".repeat(bases.len()));
    }
    text
}
