//! The stories that are told with a crash at every point.

use crate::schedule::{CasePlan, Schedule};
use crate::world::live;

#[test]
fn a_case_goes_through() {
    let lived = live(&Schedule::of(vec![CasePlan::PLAIN]), true);
    let story = lived.story.join("\n");
    assert_eq!(lived.verdict, Ok(()), "{story}");
    assert!(story.contains("HG002 is succeeded"), "{story}");
}
