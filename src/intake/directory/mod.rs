//! Owns an intake that is a directory: each folder in it is a case. A look at the
//! root gives the candidates, a scan what is in one of them; both are the truth.
//! The watcher only says where to look sooner.
//!
//! Nothing here takes a case for gone. A name that is missing from a
//! [`root::RootLook::Listed`] is; a scan that finds its folder vanished is a reason
//! to look at the root, which may just have been unmounted.

pub mod root;

pub mod mount;

pub mod listing;

pub mod scan;

pub mod writers;

mod lease;

pub mod small_file;

pub mod manifest;

pub mod hash;

pub mod watch;
