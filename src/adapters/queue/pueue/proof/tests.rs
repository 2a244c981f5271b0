use std::collections::BTreeMap;

use daylily_lifecycle::ids::GroupName;

use super::{daemon, document_of, running, version};

#[test]
fn places_that_are_taken_are_counted_in_both_versions_documents() {
    for document in [
        include_bytes!("../../../../../tests/fixtures/pueue/v3/10_all_states.json").as_slice(),
        include_bytes!("../../../../../tests/fixtures/pueue/v4/10_all_states.json").as_slice(),
    ] {
        let one = |group| (GroupName::new(group), 1);
        assert_eq!(running(document), BTreeMap::from([one("cpu"), one("gpu0")]));
        assert_eq!(document_of(document).expect("it is one").tasks.len(), 16);
    }
    assert!(running(b"no document").is_empty());
    assert!(document_of(b"a warning first\n{\"tasks\":{}}").is_some());
}

#[test]
fn only_what_can_be_a_version_is_one() {
    assert_eq!(version("pueue 4.0.4").as_deref(), Some("4.0.4"));
    assert_eq!(version("pueued 3.4.1-rc.1").as_deref(), Some("3.4.1-rc.1"));
    for odd in ["", "pueue", "pueue \u{1b}[31m4", "bash, version"] {
        assert_eq!(version(odd), None, "{odd:?}");
    }
    let daemon = daemon("daemon 12\tpueued 4.0.4\t0::/system.slice/pueued.service");
    let daemon = daemon.expect("it is one");
    assert_eq!((daemon.pid, daemon.version.as_deref()), (12, Some("4.0.4")));
    assert_eq!(daemon.cgroup, "0::/system.slice/pueued.service");
}
