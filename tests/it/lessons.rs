//! docs/lessons.md is true: it has every lesson, and each test that it names is there.

use std::fs;
use std::path::Path;

/// Everything in backticks of a line.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_of_the_twenty_five_lessons_names_tests_that_are_there_or_is_said_not_to_be_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/lessons.md")).expect("the page is there");
    let mut numbers = Vec::new();
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ") else { continue };
        let Some(number) = row.split(' ').next().and_then(|word| word.parse::<u32>().ok()) else {
            continue;
        };
        numbers.push(number);
        let mut file = None;
        let mut tests = 0;
        for word in quoted(row) {
            if word.ends_with(".rs") {
                let below = if word.contains("tests/it/") { "" } else { "tests/it/" };
                let path = root.join(format!("{below}{word}"));
                file = Some(fs::read_to_string(&path).expect(word));
                continue;
            }
            let text = file.as_deref().expect("a file is named before its tests");
            assert!(text.contains(&format!("fn {word}(")), "lesson {number}: there is no {word}");
            tests += 1;
        }
        let is_open = row.contains("not built yet");
        assert!(is_open != (tests > 0), "lesson {number} names {tests} tests");
        assert!(!is_open || page.contains(&format!("\n- {number}: ")), "{number} is not explained");
    }
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
}
