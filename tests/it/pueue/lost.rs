//! Scripts whose answer never came, or came in part: nothing is known of what they did.

use std::sync::Arc;

use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::shell::{Answer, Ask, Ran, Shell, WorkDir};
use daylily_watch::adapters::queue::Queue;
use daylily_watch::adapters::queue::pueue::{Pueue, PueueSettings};

use crate::stage::{entry, new_attempt, owner};

/// A headnode on which every script comes to the same.
struct Same(Result<Ran, Fault>);

#[async_trait::async_trait]
impl Shell for Same {
    async fn run(&self, _ask: Ask<'_>) -> Result<Ran, Fault> {
        self.0.clone()
    }
}

fn every(ran: Result<Ran, Fault>) -> Pueue<Same> {
    let work_dir =
        WorkDir::new(Same(ran), HeadnodeName::new("same"), "/work".to_owned(), owner("ours", 1));
    let keep = std::env::temp_dir().join("not-written");
    let settings = PueueSettings::new(HeadnodeName::new("hpc"), "pueue".to_owned(), keep);
    Pueue::new(Arc::new(work_dir), settings)
}

fn ended(code: Option<i32>, stdout: &str) -> Result<Ran, Fault> {
    let (stdout, stderr) = (stdout.as_bytes().to_vec(), String::new());
    Ok(Ran::Ended(Answer { code, stdout, cut: false, stderr }))
}

/// The classes of a look, an add and a removal.
async fn classes(ran: Result<Ran, Fault>) -> [FaultClass; 3] {
    let (queue, attempt) = (every(ran), new_attempt());
    [
        queue.look().await.expect_err("there is no list").class,
        queue.add(&[entry(&attempt)]).await.remove(0).expect_err("nothing is known").class,
        queue.remove(&[attempt]).await.expect_err("nothing is known").class,
    ]
}

#[tokio::test]
async fn an_answer_that_never_came_may_have_been_a_yes() {
    use FaultClass::{Ambiguous, FatalHost, NeedsPerson, TransientHost};
    let unreachable = Fault::new(TransientHost, "hpc does not answer");
    let refused = Fault::new(NeedsPerson, "hpc refuses our key");
    for (ran, expected) in [
        (Err(unreachable), [TransientHost, Ambiguous, TransientHost]),
        (Err(refused), [NeedsPerson; 3]),
        (Ok(Ran::TimedOut), [TransientHost, Ambiguous, TransientHost]),
        (ended(None, ""), [TransientHost, Ambiguous, TransientHost]),
        (ended(Some(255), ""), [TransientHost, Ambiguous, TransientHost]),
        // Another daemon owns the work_dir.
        (ended(Some(91), ""), [FatalHost; 3]),
    ] {
        assert_eq!(classes(ran.clone()).await, expected, "{ran:?}");
    }
}

#[tokio::test]
async fn what_is_not_in_an_answer_is_known_only_where_it_came_to_its_end() {
    let (told, untold) = (new_attempt(), new_attempt());
    let entries = [entry(&told), entry(&untold)];
    for (end, class) in [("", FaultClass::Ambiguous), ("end\n", FaultClass::TransientHost)] {
        let text = format!("answer {told} 0\n| Different daemon version detected\n| 17\n{end}");
        let mut answers = every(ended(Some(0), &text)).add(&entries).await;
        assert_eq!(answers.pop().expect("two").expect_err("it is not told").class, class);
        assert!(answers.pop().expect("one").is_ok(), "{end}");
    }
    let text = format!("answer {told} 0\n| 17\nanswer {untold} 0\n| some warning\nend\n");
    let answers = every(ended(Some(0), &text)).add(&entries).await;
    let tasks: Vec<_> = answers.into_iter().map(|answer| answer.expect("it is there")).collect();
    assert_eq!(tasks[0].as_ref().map(|task| task.as_str()), Some("17"));
    assert_eq!(tasks[1], None);
}
