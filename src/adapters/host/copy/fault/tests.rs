//! Every row of the table.

use std::io;

use daylily_lifecycle::outcome::FaultClass;
use nix::errno::Errno;

use super::{Side, classify};

fn check(errno: Errno, source: FaultClass, dest: FaultClass) {
    let error = io::Error::from(errno);
    assert_eq!(classify(&error, Side::Source), source, "{errno} reading");
    assert_eq!(classify(&error, Side::Dest), dest, "{errno} writing");
}

#[test]
fn a_full_destination_waits_for_room() {
    check(Errno::ENOSPC, FaultClass::TransientStep, FaultClass::NoSpace);
    check(Errno::EDQUOT, FaultClass::TransientStep, FaultClass::NoSpace);
}

#[test]
fn a_source_that_may_not_be_read_is_fatal_for_the_case() {
    check(Errno::EACCES, FaultClass::FatalCase, FaultClass::TransientStep);
    check(Errno::EPERM, FaultClass::FatalCase, FaultClass::TransientStep);
}

#[test]
fn a_read_only_file_system_is_tried_again() {
    check(Errno::EROFS, FaultClass::TransientStep, FaultClass::TransientStep);
}

#[test]
fn what_a_file_system_cannot_hold_is_fatal_for_the_case() {
    for errno in [Errno::ENAMETOOLONG, Errno::EFBIG, Errno::EILSEQ] {
        check(errno, FaultClass::FatalCase, FaultClass::FatalCase);
    }
}

#[test]
fn something_else_in_the_way_is_fatal_and_a_source_of_another_kind_has_changed() {
    check(Errno::ELOOP, FaultClass::TransientStep, FaultClass::FatalCase);
    check(Errno::ENOTDIR, FaultClass::TransientStep, FaultClass::FatalCase);
}

#[test]
fn what_vanished_or_failed_in_the_hardware_is_tried_again() {
    for errno in [Errno::ENOENT, Errno::EIO, Errno::ESTALE, Errno::ETIMEDOUT, Errno::EMFILE] {
        check(errno, FaultClass::TransientStep, FaultClass::TransientStep);
    }
}

#[test]
fn an_error_that_is_not_of_the_system_is_tried_again() {
    let error = io::Error::other("odd");
    assert_eq!(classify(&error, Side::Dest), FaultClass::TransientStep);
}
