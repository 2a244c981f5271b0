//! Owns the question that the owner file cannot answer: whether this database is as new
//! as the work_dir. A copy made during the last start, or a snapshot that was gone back
//! to, has the right owner and knows nothing of what was done since. The attempt
//! directories do. It is asked once, when a work_dir is found to be ours.

use daylily_lifecycle::explain;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::Timestamp;
use ulid::Ulid;

use super::{Context, Node, Pass};

/// A fault where attempts were made there that this database knows nothing of: their
/// cases might be run again. What a person has adopted at a time is done with.
pub(super) async fn look(context: &Context, node: &Node) -> Pass<Result<(), Fault>> {
    let names = match node.host.names().await {
        Ok(names) => names,
        Err(fault) => return Ok(Err(fault)),
    };
    let headnode = node.settings.name.clone();
    let find = move |reader: &crate::store::read::Reader| {
        let since = reader.headnode(&headnode)?.and_then(|stored| stored.owned_at);
        let newest = reader.newest_attempt(&headnode)?;
        let mut unknown = Vec::new();
        // Ids begin with the time: what is missing in an old copy is the newest. What was
        // granted since is no measure: nothing of it has been done yet.
        for id in names {
            let newer = newest.as_ref().is_none_or(|newest| id > *newest)
                && since.is_none_or(|since| made_at(&id) > since);
            if newer && !reader.knows_attempt(&id)? {
                unknown.push(id);
            }
        }
        Ok(unknown)
    };
    let unknown = context.store.read(find).await?;
    if unknown.is_empty() {
        return Ok(Ok(()));
    }
    let found = match node.host.list().await {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    // Of what was only being copied there is no more than a lock.
    let mut made = found.into_iter().filter(|found| {
        unknown.contains(&found.id) && (found.has_job || found.has_claim || found.record.is_some())
    });
    let Some(first) = made.next() else { return Ok(Ok(())) };
    let more = match made.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let name = &node.settings.name;
    let text = format!(
        "{} on {name}{more} is not known to this database\nhint: an old copy of it was put in \
         place: use the newest one; where that is lost, `{}` takes over what runs there",
        first.id,
        explain::adopt(name)
    );
    Ok(Err(Fault::new(FaultClass::FatalHost, text)))
}

/// When an attempt was made, from its id.
pub(super) fn made_at(attempt: &AttemptId) -> Timestamp {
    let ulid = attempt.as_str().strip_prefix("dw-").and_then(|id| Ulid::from_string(id).ok());
    let ms = ulid.and_then(|ulid| i64::try_from(ulid.timestamp_ms()).ok());
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}
