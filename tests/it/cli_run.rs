//! The program itself, as a person runs it: the daemon, its ends, and the verbs that
//! need no daemon.

mod backup;
mod check;
mod check_far;
mod check_login;
mod check_place;
mod check_pueue;
mod demo;
mod dry_run;
mod ends;
mod far;
mod init;
mod once;
mod pueue;
pub(crate) mod site;
