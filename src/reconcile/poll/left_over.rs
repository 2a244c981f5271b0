//! Takes entries out of a queue that can start nothing any more: of attempts that have
//! ended, that never can begin, or that run already. One request for all, best effort;
//! what is left is removed with the next look.

use daylily_lifecycle::attempt::{Attempt, ClaimedBy, Tenure};
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::QueueWord;

use super::reading::Work;
use crate::adapters::queue::{QueueLook, Word};
use crate::reconcile::Pass;

impl Work {
    pub(super) async fn remove_left_overs(&self, look: &QueueLook) -> Pass<()> {
        let odd =
            |(_, word): &(&AttemptId, &Word)| word.copies > 1 || word.says != QueueWord::Running;
        let labels: Vec<AttemptId> =
            look.words.iter().filter(odd).map(|(label, _)| label.clone()).collect();
        if labels.is_empty() {
            return Ok(());
        }
        // As they are by now: what this look has ended is among them. A label that the
        // database does not know is nobody's to remove.
        let known = self.context.store.read(move |reader| reader.attempts(&labels)).await?;
        let inert: Vec<AttemptId> = known
            .into_iter()
            .filter(|attempt| look.words.get(&attempt.id).is_some_and(|w| is_inert(attempt, w)))
            .map(|attempt| attempt.id)
            .collect();
        if inert.is_empty() {
            return Ok(());
        }
        let headnode = &self.node.settings.name;
        match self.node.queue.remove(&inert).await {
            Ok(()) => {
                tracing::debug!(%headnode, entries = inert.len(), "removed what was left in its queue");
            }
            Err(fault) => {
                tracing::debug!(%headnode, error = %fault.text, "entries stay in its queue");
            }
        }
        Ok(())
    }
}

/// Whether what a queue may take out under this label can start nothing. It never takes
/// out what runs. While an end is in doubt, what the queue says of it is needed; and one
/// entry that waits although its job has begun may be that job, halted.
fn is_inert(attempt: &Attempt, word: &Word) -> bool {
    let over = attempt.end.is_some() && attempt.tenure == Tenure::None;
    match attempt.claimed_by {
        Some(ClaimedBy::Daemon) => true,
        Some(ClaimedBy::Job) => over || word.copies > 1,
        None => over,
    }
}
