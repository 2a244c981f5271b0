//! Everything that is tested from outside the library, in one program.

mod copy;
mod results;
mod wait;
