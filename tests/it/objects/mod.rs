//! What is made of buckets, on stores in memory and on real ones.

mod credentials;
mod export;
mod lease;
mod mirror;
mod world;
