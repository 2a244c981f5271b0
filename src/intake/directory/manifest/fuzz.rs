//! Manifests of anything that a sender may put there.

use proptest::prelude::{prop_assert, proptest};

use super::parse::parse;
use crate::hostile::{mangled, soon};

const SUMS: &[u8] =
    b"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae  run/R1.gz\n\
    \\2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae *a\\\\b\n\
    MD5 (a (1).txt) = acbd18db4cc2f85cedef654fccc4a4d8\n# by hand\n\
    acbd18db4cc2f85cedef654fccc4a4d8 ./x//y\r\n";

proptest! {
    #[test]
    fn a_manifest_of_anything_names_files_of_the_case_or_is_told(sums in mangled(&[SUMS])) {
        let text = String::from_utf8_lossy(&sums);
        match soon(|| parse("SUMS", &text)) {
            Ok(named) => {
                for path in named.iter().map(|file| file.path.as_str()) {
                    prop_assert!(!path.starts_with('/') && path.len() <= 4096, "{path:?}");
                    prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty() && problems.len() <= 51);
                for problem in problems {
                    prop_assert!(!problem.chars().any(char::is_control), "{problem:?}");
                    prop_assert!(problem.len() < 20_000, "{problem:.300}");
                }
            }
        }
    }
}
