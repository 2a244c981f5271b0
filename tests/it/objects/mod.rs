//! What is made of buckets, on stores in memory and on real ones.

mod credentials;
mod lease;
