//! Owns an intake that is a directory: each folder in it is a case. A look at the
//! root gives the candidates, a scan what is in one of them; both are the truth.
//! The watcher only says where to look sooner.

pub mod hash;
mod lease;
pub mod listing;
pub mod mount;
pub mod scan;
pub mod watch;
pub mod writers;
