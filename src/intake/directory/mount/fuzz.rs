//! Tables of mounts of anything: whoever mounts gives the names in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use proptest::prelude::{prop_assert, proptest};

use super::holder;
use crate::hostile::{bytes, mangled, soon};
use crate::tree::shown;

const MOUNTS: &[u8] = b"23 28 0:22 / /sys rw,relatime shared:7 - sysfs sysfs rw\n\
    28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
    99 28 0:50 / /mnt/a\\040b rw shared:9 master:2 - cifs //server/share rw,vers=3\n";

proptest! {
    #[test]
    fn what_holds_a_path_is_above_it(table in mangled(&[MOUNTS]), path in bytes()) {
        let path = Path::new("/").join(OsStr::from_bytes(&path));
        if let Some(line) = soon(|| holder(&table, &path)) {
            prop_assert!(path.starts_with(&line.point));
        }
    }

    #[test]
    fn any_name_can_be_shown(name in bytes()) {
        prop_assert!(!shown(OsStr::from_bytes(&name)).chars().any(char::is_control));
    }
}
