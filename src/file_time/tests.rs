//! Times as file systems keep them.

use super::kept_as;

#[test]
fn a_time_kept_in_coarser_units_is_the_same_time() {
    let given = 1_700_000_001_123_456_789;
    for kept in [
        1_700_000_001_123_456_789,
        1_700_000_001_123_456_700,
        1_700_000_001_123_456_000,
        1_700_000_001_123_000_000,
        1_700_000_001_000_000_000,
        1_700_000_000_000_000_000,
    ] {
        assert!(kept_as(given, kept), "{kept}");
    }
    assert!(kept_as(-1_500_000_000, -2_000_000_000));
}

#[test]
fn another_time_is_another_time() {
    let given = 1_700_000_001_123_456_789;
    for kept in [given + 1, given - 1, 1_700_000_002_000_000_000, 1_699_999_999_000_000_000, 0] {
        assert!(!kept_as(given, kept), "{kept}");
    }
}
