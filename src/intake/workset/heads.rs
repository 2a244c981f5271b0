//! The contract of asking for objects in S3 without reading them, and what the answers mean
//! for a workset. It says no more than whether what is named is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use daylily_lifecycle::ids::ByteCount;
use futures_util::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::document::Aws;
use super::location::ObjectUri;
use super::tables::{NamedFile, Place};
use crate::config::error::{Complaint, ConfigErrors, Problems, quoted};

/// Asks whether objects are there. It may be asked again at any time, and by many at once;
/// it tries again itself what is worth that, and answers within a bounded time.
#[async_trait::async_trait]
pub trait Heads: Send + Sync + 'static {
    /// `aws` is what the workset says; what it leaves out is the daemon's own.
    async fn head(&self, aws: &Aws, object: &ObjectUri) -> Head;
}

/// What S3 says of one object. The words are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    Found {
        bytes: ByteCount,
    },
    /// 404: there is no such object, or no such bucket.
    Missing,
    /// 403: whoever asks may not read it, or may not know whether it is there.
    Forbidden,
    /// It asks to be asked less: this says nothing of the object.
    Throttled {
        why: String,
    },
    /// No answer, or one that says nothing of the object.
    Unreachable {
        why: String,
    },
}

/// What came of asking for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Every answer is a verdict; empty: all are there.
    All {
        problems: ConfigErrors,
    },
    /// Some answers say nothing, so nothing is said of the workset.
    NotAll {
        throttled: bool,
        why: String,
    },
    Stopped,
}

/// Questions at a time. S3 takes thousands a second for one prefix.
const AT_ONCE: usize = 32;

/// Who does not answer so often is not asked for the rest.
const ENOUGH: usize = AT_ONCE;

/// Asks for every object once, however many cells name it.
pub async fn ask(
    heads: &Arc<dyn Heads>,
    aws: &Aws,
    objects: &[NamedFile],
    stop: &CancellationToken,
) -> Asked {
    let mut seen = BTreeSet::new();
    let wanted = objects.iter().enumerate().filter_map(|(index, file)| match &file.place {
        Place::Object(uri) => seen.insert(uri).then(|| (index, uri.clone())),
        Place::Inside(_) => None,
    });
    let wanted: Vec<(usize, ObjectUri)> = wanted.collect();
    let total = wanted.len();
    let aws = Arc::new(aws.clone());
    let questions = wanted.into_iter().map(|(index, uri)| {
        let (heads, aws) = (heads.clone(), aws.clone());
        async move {
            let head = heads.head(&aws, &uri).await;
            (index, uri, head)
        }
    });
    let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
    let mut wrong = Vec::new();
    let mut silent = Silent::default();
    loop {
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Asked::Stopped,
            answer = answers.next() => answer,
        };
        let Some((index, uri, head)) = answer else { break };
        match head {
            Head::Found { .. } => {}
            Head::Missing | Head::Forbidden => wrong.push((&objects[index], uri, head)),
            Head::Throttled { why } => silent.add(&uri, true, why),
            Head::Unreachable { why } => silent.add(&uri, false, why),
        }
        if silent.many >= ENOUGH {
            break;
        }
    }
    match silent.first {
        None => Asked::All { problems: told(wrong) },
        Some(first) => Asked::NotAll {
            throttled: silent.throttled,
            why: match silent.many {
                1 => format!("{first} (1 of {total} objects)"),
                many => format!("{first} (the first of {many}, of {total} objects)"),
            },
        },
    }
}

#[derive(Default)]
struct Silent {
    many: usize,
    throttled: bool,
    first: Option<String>,
}

impl Silent {
    fn add(&mut self, uri: &ObjectUri, throttled: bool, why: String) {
        self.many += 1;
        self.throttled |= throttled;
        let what = if throttled { "S3 asks to be asked less" } else { "S3 cannot be asked" };
        let uri = quoted(&uri.to_string());
        self.first.get_or_insert_with(|| format!("{what} for {uri}: {why}"));
    }
}

/// By table and place, so that the same answers are told the same.
fn told(mut wrong: Vec<(&NamedFile, ObjectUri, Head)>) -> ConfigErrors {
    wrong.sort_by(|(a, _, _), (b, _, _)| (&a.table, a.at).cmp(&(&b.table, b.at)));
    let mut errors = Vec::new();
    for (file, uri, head) in wrong {
        let shown = quoted(&uri.to_string());
        let complaint = match head {
            Head::Forbidden => Complaint::new(format!("S3 refuses to tell of {shown}"))
                .hint("allow whoever runs the daemon to read it, then `touch` the table"),
            Head::Missing
            | Head::Found { .. }
            | Head::Throttled { .. }
            | Head::Unreachable { .. } => Complaint::new(format!("{shown} is not there"))
                .hint("put it there, then `touch` the table; or correct the cell"),
        };
        let mut problems = Problems::new(Path::new(&file.table));
        problems.add(file.at, &file.column, complaint);
        errors.extend(problems.into_errors().0);
    }
    ConfigErrors(errors)
}

/// Buckets in memory, for tests.
pub mod fake {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use super::{Aws, Head, Heads, ObjectUri};

    /// What is not in it is missing.
    #[derive(Debug, Default)]
    pub struct FakeHeads {
        /// By `s3://bucket/key`.
        pub answers: Mutex<BTreeMap<String, Head>>,
        /// What was asked for, in order.
        pub asked: Mutex<Vec<String>>,
        /// How many were asked for at the same time: now, and at most.
        pub at_once: Mutex<(usize, usize)>,
    }

    impl FakeHeads {
        pub fn put(&self, uri: &str, head: Head) {
            lock(&self.answers).insert(uri.to_owned(), head);
        }

        pub fn asked(&self) -> Vec<String> {
            lock(&self.asked).clone()
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[async_trait::async_trait]
    impl Heads for FakeHeads {
        async fn head(&self, _aws: &Aws, object: &ObjectUri) -> Head {
            lock(&self.asked).push(object.to_string());
            {
                let mut at_once = lock(&self.at_once);
                at_once.0 += 1;
                at_once.1 = at_once.1.max(at_once.0);
            }
            // Others get their turn, as they do while an answer is on its way.
            tokio::task::yield_now().await;
            lock(&self.at_once).0 -= 1;
            lock(&self.answers).get(&object.to_string()).cloned().unwrap_or(Head::Missing)
        }
    }
}

#[cfg(test)]
mod tests;
