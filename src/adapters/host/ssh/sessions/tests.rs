use std::time::Duration;

use futures_util::FutureExt as _;

use super::{AllInUse, FOR_LONG, LONG, Place, SESSIONS, Sessions};

const SHORT: Duration = Duration::from_secs(30);
/// Nobody gives anything back meanwhile.
const PATIENCE: Duration = Duration::from_millis(10);

async fn taken(sessions: &Sessions, limit: Duration, n: usize) -> Vec<Place> {
    let mut places = Vec::new();
    for _ in 0..n {
        places.push(sessions.place(limit, PATIENCE).await.expect("there is one"));
    }
    places
}

#[tokio::test]
async fn long_scripts_leave_places_for_the_short_ones() {
    let sessions = Sessions::new();
    let mut long = taken(&sessions, LONG, FOR_LONG).await;
    assert!(sessions.place(LONG, PATIENCE).now_or_never().is_none(), "a fifth waits");
    let short = taken(&sessions, SHORT, SESSIONS - FOR_LONG).await;
    assert_eq!(sessions.place(SHORT, PATIENCE).await.err(), Some(AllInUse));
    long.pop();
    taken(&sessions, SHORT, 1).await;
    drop(short);
    taken(&sessions, LONG, 1).await;
}

#[tokio::test]
async fn a_long_script_that_waits_holds_no_session() {
    let sessions = Sessions::new();
    let long = taken(&sessions, LONG, FOR_LONG).await;
    let waiting = sessions.place(LONG, PATIENCE);
    let mut waiting = std::pin::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    let short = taken(&sessions, SHORT, SESSIONS - FOR_LONG).await;
    drop((long, short));
    waiting.await.expect("it has waited its time");
}

#[tokio::test]
async fn what_polls_and_commands_ask_of_a_queue_counts_as_short() {
    let sessions = Sessions::new();
    let _long = taken(&sessions, LONG, FOR_LONG).await;
    // Sixty changes at pueue, and the doorbell.
    taken(&sessions, Duration::from_secs(60), 1).await;
    taken(&sessions, Duration::from_secs(35), 1).await;
}

#[tokio::test]
async fn when_all_are_in_use_a_short_script_waits_no_longer_than_it_was_given() {
    let sessions = Sessions::new();
    let mut all = taken(&sessions, SHORT, SESSIONS).await;
    assert_eq!(sessions.place(SHORT, PATIENCE).await.err(), Some(AllInUse));
    let next = sessions.place(SHORT, Duration::from_secs(20));
    let (next, ()) = tokio::join!(next, async { drop(all.pop()) });
    next.expect("one was given back");
}
