//! Whose refusals are believed. What a lease sees is tested with `writers`.

use nix::sys::statfs::{FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC};

use super::*;

#[test]
fn a_refusal_by_a_network_file_system_is_no_writer() {
    const SMB2: FsType = FsType(0xfe53_4d42);
    for kind in [NFS_SUPER_MAGIC, FUSE_SUPER_MAGIC, SMB2] {
        assert!(!keeps_leases_itself(kind), "{kind:?}");
    }
    assert!(keeps_leases_itself(EXT4_SUPER_MAGIC));
}
