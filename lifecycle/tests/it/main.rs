//! The lifecycle, tested from outside: tables, sentences, laws.

mod laws;
mod plans;
mod schedule;
mod sentences;
mod states;
