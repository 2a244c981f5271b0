//! The lifecycle, tested from outside: tables, sentences, laws.

mod asking;
mod circuit;
mod classes;
mod contact;
mod queue;
mod laws;
mod plans;
mod schedule;
mod sentences;
mod states;
mod stopping;
