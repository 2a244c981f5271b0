//! Owns the question whether a store heeds conditions: it is asked by trying. A store that
//! looks first and writes later passes; that cannot be seen by one who asks alone.

use daylily_lifecycle::outcome::Fault;

use super::name::{ETag, Prefix};
use super::{Bucket, Condition, Put, Stored};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heeds {
    Conditions,
    /// It writes all the same, or says that it has no conditions.
    Nothing,
}

/// Writes an object `daylily.probe-<word>` directly under the prefix twice as if it were
/// not there, and again as if it were another, and removes it. `word` is one that nobody
/// else uses. A crash leaves an object that means nothing to anybody.
pub async fn probe(bucket: &dyn Bucket, under: &Prefix, word: &str) -> Result<Heeds, Fault> {
    let key = under.key(&format!("daylily.probe-{word}"));
    let tried = tried(bucket, &Put::new(key.clone(), "", Condition::Absent)).await;
    bucket.delete(&key, None).await?;
    tried
}

async fn tried(bucket: &dyn Bucket, first: &Put) -> Result<Heeds, Fault> {
    match bucket.put(first).await? {
        Stored::Yes(_) => {}
        Stored::Refused | Stored::NoConditions => return Ok(Heeds::Nothing),
    }
    let of_another = ETag::new("00000000000000000000000000000000");
    for condition in [Condition::Absent, Condition::Version(of_another)] {
        let again = Put { condition, body: "again".into(), ..first.clone() };
        match bucket.put(&again).await? {
            Stored::Refused => {}
            Stored::Yes(_) | Stored::NoConditions => return Ok(Heeds::Nothing),
        }
    }
    Ok(Heeds::Conditions)
}
