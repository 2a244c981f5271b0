//! The program itself, as a person runs it: the daemon, its ends, and the verbs that
//! need no daemon.

mod check;
mod demo;
mod dry_run;
mod ends;
mod init;
mod once;
mod pueue;
mod site;
