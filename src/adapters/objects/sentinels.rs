//! Owns the reading of a workset's sentinels. What they mean is the lifecycle's.

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::Fault;
use daylily_lifecycle::workset::{Body, Sentinel};

use super::name::Prefix;
use super::{Bucket, Depth, Listing, walk};

/// No sentinel that anybody means has more.
const MOST: ByteCount = ByteCount(64 << 10);

/// Those that lie directly in the workset, by one request however much lies in it.
pub async fn look(bucket: &dyn Bucket, workset: &Prefix) -> Result<Vec<Sentinel>, Fault> {
    let starts = Sentinel::START.to_owned();
    let what = Listing { under: workset.clone(), starts, depth: Depth::OneLevel };
    let mut found = Vec::new();
    walk(bucket, &what, |page| {
        for object in &page.objects {
            found.extend(object.key.below(workset).and_then(Sentinel::of_name));
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// What one says. None: it is not there. One that is too long to be meant says nothing.
pub async fn read(
    bucket: &dyn Bucket,
    workset: &Prefix,
    sentinel: Sentinel,
) -> Result<Option<Body>, Fault> {
    let whole = bucket.get(&workset.key(sentinel.object_name()), MOST).await?;
    Ok(whole.map(|whole| Body::read(&whole.bytes)))
}
