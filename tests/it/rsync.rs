//! What only rsync over ssh can meet: lines that break or fall silent, headnodes without
//! rsync, login shells that talk, and copies that only look right.

mod at_once;
mod broken;
mod bytes;
mod program;
mod room;
mod shared;
mod trouble;
mod verified;
mod world;
