//! The stores that the suite runs on, and in what they differ from S3.

use std::sync::Arc;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::objects::Bucket;
use daylily_watch::adapters::objects::fake::FakeBucket;
use daylily_watch::adapters::objects::s3::{S3, Settings};

use crate::servers::s3::{BUCKET, Kind, Store};

pub(crate) struct Rig {
    pub(crate) store: Option<Store>,
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) facts: Facts,
}

/// What a store does otherwise than S3.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// It decides on a condition and writes in one step.
    pub(crate) atomic: bool,
    pub(crate) heeds_conditions_of_delete: bool,
    pub(crate) lists_etags: bool,
    pub(crate) lists_uploads: bool,
    /// It knows an upload that is over from one that is not ours.
    pub(crate) knows_ended_uploads: bool,
    /// It tells the checksum of what was uploaded whole.
    pub(crate) tells_checksums: bool,
    /// It tells that of the parts of what was uploaded in parts.
    pub(crate) tells_checksums_of_parts: bool,
    /// Names that a file could not have, and a key may.
    pub(crate) odder_names: &'static [&'static str],
    pub(crate) part_of_an_ended_upload: FaultClass,
    /// What is written to a bucket that is not there makes it.
    pub(crate) makes_buckets: bool,
}

pub(crate) fn fake() -> Rig {
    let facts = Facts {
        atomic: true,
        heeds_conditions_of_delete: true,
        lists_etags: true,
        lists_uploads: true,
        knows_ended_uploads: true,
        tells_checksums: true,
        tells_checksums_of_parts: true,
        odder_names: &["a//b", "/a", "a/../b", "a/./b", "a\u{1}b", "a\nb"],
        part_of_an_ended_upload: FaultClass::TransientStep,
        makes_buckets: false,
    };
    Rig { store: None, bucket: Arc::new(FakeBucket::new()), facts }
}

pub(crate) fn moto() -> Rig {
    let facts = Facts {
        tells_checksums_of_parts: false,
        // A line break in a path is no path to it.
        odder_names: &["a//b", "/a", "a/../b", "a/./b", "a\u{1}b"],
        // It breaks down.
        part_of_an_ended_upload: FaultClass::TransientHost,
        ..fake().facts
    };
    real(Kind::Moto, facts)
}

pub(crate) fn s3s_fs() -> Rig {
    let facts = Facts {
        atomic: false,
        heeds_conditions_of_delete: false,
        lists_etags: false,
        lists_uploads: false,
        knows_ended_uploads: false,
        tells_checksums: true,
        tells_checksums_of_parts: false,
        odder_names: &[],
        // It says that access is denied.
        part_of_an_ended_upload: FaultClass::FatalHost,
        makes_buckets: true,
    };
    real(Kind::S3sFs, facts)
}

fn real(kind: Kind, facts: Facts) -> Rig {
    let store = Store::start(kind);
    Rig { bucket: Arc::new(store.bucket()), store: Some(store), facts }
}

impl Rig {
    /// The same store with other settings. None: it is not a real one.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Option<Arc<dyn Bucket>> {
        let mut settings = self.store.as_ref()?.settings();
        change(&mut settings);
        Some(Arc::new(S3::new(settings).bucket(BUCKET)))
    }

    pub(crate) fn other_bucket(&self, name: &str) -> Option<Arc<dyn Bucket>> {
        let settings = self.store.as_ref()?.settings();
        Some(Arc::new(S3::new(settings).bucket(name)))
    }
}
