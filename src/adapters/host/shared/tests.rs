//! Where a path is seen from there.

use std::path::Path;

use super::Mapping;

#[test]
fn what_is_below_one_folder_is_below_the_other() {
    let mapping = |there: &str| Mapping { here: "/mnt/lab".into(), there: there.into() };
    for there in ["/data/lab", "/data/lab/"] {
        let mapped = mapping(there).map(Path::new("/mnt/lab/new/it's HG002"));
        assert_eq!(mapped.as_deref(), Some("/data/lab/new/it's HG002"));
    }
    assert_eq!(mapping("/").map(Path::new("/mnt/lab/a")).as_deref(), Some("/a"));
    for outside in ["/mnt/lab", "/mnt/laboratory/a", "/mnt", "/elsewhere/a", "mnt/lab/a"] {
        assert_eq!(mapping("/data").map(Path::new(outside)), None, "{outside}");
    }
}
