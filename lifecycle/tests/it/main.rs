//! The lifecycle, tested from outside: tables, sentences, laws.

mod laws;
mod schedule;
mod sentences;
mod states;
