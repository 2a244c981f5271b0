//! Owns what people ask for that takes longer than a round: adopting a headnode,
//! removing data. Each is a task, one at a time on each headnode; its request stays
//! open until it is done, so that one that a crash cut off is begun again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use daylily_lifecycle::ids::{Actor, CaseId, HeadnodeName};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};

use super::adopt::adopt;
use super::clean::{Asked, clean};
use super::poll::Poller;
use super::{Context, Pass, ourselves, ringing};
use crate::store::read::Reader;
use crate::store::requests::{RequestId, StoredRequest};

pub(super) struct Errands {
    context: Context,
    under_way: BTreeMap<HeadnodeName, UnderWay>,
    /// Cases whose time has come, by `retention`.
    retained: VecDeque<CaseId>,
    tasks: JoinSet<Pass<()>>,
    wake: Arc<Notify>,
}

struct UnderWay {
    task: Id,
    request: Option<RequestId>,
    /// Whose data is removed. None: the headnode is being adopted.
    case: Option<CaseId>,
}

/// What has ended since the last round.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Headnodes on which something was done.
    pub(super) headnodes: Vec<HeadnodeName>,
}

impl Errands {
    pub(super) fn new(context: Context, wake: Arc<Notify>) -> Self {
        let (under_way, retained) = (BTreeMap::new(), VecDeque::new());
        Self { context, under_way, retained, tasks: JoinSet::new(), wake }
    }

    /// Whether a request is being done.
    pub(super) fn has(&self, request: RequestId) -> bool {
        self.under_way.values().any(|errand| errand.request == Some(request))
    }

    /// Whether the data of a case is being removed: nothing may bring it back to life.
    pub(super) fn is_cleaning(&self, case: &CaseId) -> bool {
        self.under_way.values().any(|errand| errand.case.as_ref() == Some(case))
    }

    /// Whether something is being done on a headnode, so that what is asked for waits.
    pub(super) fn is_busy(&self, headnode: &HeadnodeName) -> bool {
        self.under_way.contains_key(headnode)
    }

    /// Whether nothing else may look at a headnode, or act there.
    pub(super) fn is_adopting(&self, headnode: &HeadnodeName) -> bool {
        self.under_way.get(headnode).is_some_and(|errand| errand.case.is_none())
    }

    pub(super) fn adopt(&mut self, headnode: HeadnodeName, stored: &StoredRequest) {
        let (context, request, node) = (self.context.clone(), stored.id, headnode.clone());
        let asked = stored.request.clone();
        let work = async move {
            let outcome = adopt(&context, &node, &asked.actor).await?;
            finish(&context, request, outcome).await
        };
        self.begin(headnode, Some(request), None, work);
    }

    pub(super) fn clean(
        &mut self,
        headnode: HeadnodeName,
        case: CaseId,
        by_hand: bool,
        stored: &StoredRequest,
    ) {
        let (context, request) = (self.context.clone(), stored.id);
        let actor = stored.request.actor.clone();
        let asked = Asked { actor, reason: stored.request.reason.clone(), by_hand };
        let id = case.clone();
        let work = async move {
            let outcome = clean(&context, &id, &asked).await?;
            finish(&context, request, outcome).await
        };
        self.begin(headnode, Some(request), Some(case), work);
    }

    /// Cases that have ended long enough ago.
    pub(super) fn retain(&mut self, cases: Vec<CaseId>) {
        for case in cases {
            if !self.retained.contains(&case) {
                self.retained.push_back(case);
            }
        }
    }

    /// Goes on with what `retention` removes, where nothing that people asked for is done.
    pub(super) fn go_on(&mut self, reader: &Reader, poller: &Poller) -> Pass<()> {
        while self.under_way.is_empty() {
            let Some(id) = self.retained.pop_front() else { break };
            let Some(case) = reader.case(&id)? else { continue };
            let Some(attempt) = case.attempts().last() else { continue };
            let (context, headnode) = (self.context.clone(), attempt.place.headnode.clone());
            if poller.is_to_be_owned(reader, &headnode)? {
                self.retained.push_front(id);
                break;
            }
            let actor: Actor = ourselves();
            let asked = Asked { actor, reason: Some("retention".to_owned()), by_hand: false };
            let name = case.name.clone();
            let work = async move {
                let outcome = clean(&context, &id, &asked).await?;
                tracing::info!(case = %name, outcome, "its time on the headnode is over");
                Ok(())
            };
            self.begin(headnode, None, Some(case.id), work);
        }
        Ok(())
    }

    fn begin(
        &mut self,
        headnode: HeadnodeName,
        request: Option<RequestId>,
        case: Option<CaseId>,
        work: impl Future<Output = Pass<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(ringing(&self.wake, work)).id();
        self.under_way.insert(headnode, UnderWay { task, request, case });
    }

    /// Takes in what has ended. One that our own code failed on is answered so.
    pub(super) async fn collect(&mut self) -> Pass<Ended> {
        let mut ended = Ended::default();
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            let (task, failed) = match joined {
                Ok((task, outcome)) => {
                    outcome?;
                    (task, None)
                }
                Err(error) => (error.id(), Some(error.to_string())),
            };
            let of_task = |(_, errand): &(&HeadnodeName, &UnderWay)| errand.task == task;
            let headnode = self.under_way.iter().find(of_task).map(|(name, _)| name.clone());
            let Some(headnode) = headnode else { continue };
            let errand = self.under_way.remove(&headnode);
            if let (Some(error), Some(request)) = (failed, errand.and_then(|errand| errand.request))
            {
                tracing::error!(%headnode, error, "our own code failed");
                let outcome = format!("the program itself failed on it: {error}");
                finish(&self.context, request, outcome).await?;
            }
            ended.headnodes.push(headnode);
        }
        Ok(ended)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.retained.is_empty()
    }

    /// What is cut off here is done again at the next start.
    pub(super) async fn shut_down(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn finish(context: &Context, request: RequestId, outcome: String) -> Pass<()> {
    context.store.finish_request(request, context.clock.now(), outcome).await
}
