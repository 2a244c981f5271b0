//! The lifecycle, tested from outside: tables, sentences, laws.

mod circuit;
mod classes;
mod contact;
mod queue;
mod asking;
mod laws;
mod plans;
mod schedule;
mod sentences;
mod states;
mod stopping;
