//! Every order in which monitors can meet: each of their calls is a step, and all
//! interleavings of the steps are played.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use daylily_lifecycle::outcome::FaultClass;
use daylily_lifecycle::workset::Lock;
use futures_util::task::noop_waker;

use super::tests::{LEASE, World, held, running, ws};
use super::{Lapse, Lease, Leases, LockBody, Taken};
use crate::adapters::objects::fake::{Call, Conditions, Moment};

type Story = Pin<Box<dyn Future<Output = ()>>>;

/// Plays all interleavings of what `make` gives, each from the beginning, and calls
/// `check` at the end of each. Returns how many there are.
fn every_order<W>(make: impl Fn() -> (W, Vec<Story>), mut check: impl FnMut(&W)) -> usize {
    let mut chosen: Vec<usize> = Vec::new();
    for played in 1.. {
        let (world, mut stories) = make();
        let (mut at, mut choices) = (0, Vec::new());
        while !stories.is_empty() {
            let choice = chosen.get(at).copied().unwrap_or_default();
            choices.push((choice, stories.len()));
            at += 1;
            let waker = noop_waker();
            let done = stories[choice].as_mut().poll(&mut Context::from_waker(&waker));
            if done == Poll::Ready(()) {
                drop(stories.remove(choice));
            }
        }
        check(&world);
        // The next one differs as late as it can.
        while choices.last().is_some_and(|(choice, of)| choice + 1 == *of) {
            choices.pop();
        }
        let Some((last, _)) = choices.last_mut() else { return played };
        *last += 1;
        chosen = choices.into_iter().map(|(choice, _)| choice).collect();
    }
    unreachable!("it counts without end")
}

/// What came of each who tried.
type Outcomes = Arc<Mutex<Vec<(Option<Lease>, Option<LockBody>)>>>;

fn contender(monitor: Arc<Leases>, outcomes: Outcomes) -> Story {
    Box::pin(async move {
        match monitor.take(&ws()).await.unwrap() {
            Taken::Held { lease, former } => {
                outcomes.lock().unwrap().push((Some(lease), former));
            }
            Taken::Busy(_) => outcomes.lock().unwrap().push((None, None)),
            Taken::Waiting(_) => unreachable!("conditions are heeded"),
        }
    })
}

fn winners(outcomes: &Outcomes) -> usize {
    outcomes.lock().unwrap().iter().filter(|(lease, _)| lease.is_some()).count()
}

fn on_a_free_lock(names: &[&str], conditions: Conditions) -> (Outcomes, Vec<Story>) {
    let world = World::new();
    world.bucket.state().steps = true;
    world.bucket.state().conditions = conditions;
    let outcomes = Outcomes::default();
    let story = |name: &&str| contender(world.monitor(name), outcomes.clone());
    let stories = names.iter().map(story).collect();
    (outcomes, stories)
}

#[test]
fn of_three_who_take_a_free_lock_one_has_it_in_every_order() {
    let make = || on_a_free_lock(&["anna", "ben", "carl"], Conditions::Honoured);
    let played = every_order(make, |outcomes| assert_eq!(winners(outcomes), 1));
    assert!(played > 1000, "only {played} orders were played");
}

#[test]
fn where_a_store_looks_first_and_writes_later_the_same_finds_two() {
    let mut most = 0;
    let make = || on_a_free_lock(&["anna", "ben"], Conditions::NotAtomic);
    every_order(make, |outcomes| most = most.max(winners(outcomes)));
    assert!(most > 1, "this could not have found a second winner");
}

/// One lock whose owner is gone, and monitors that have watched it for a whole lease.
fn expired(names: &[&str]) -> (World, Vec<Arc<Leases>>, Lease) {
    let world = World::new();
    let monitors: Vec<_> = names.iter().map(|name| world.monitor(name)).collect();
    let owner = world.monitor("owner");
    let lease = at_once(async {
        let (lease, _) = held(owner.take(&ws()).await.unwrap());
        for monitor in &monitors {
            assert_eq!(monitor.look(&ws()).await.unwrap().lock, Lock::Theirs);
        }
        lease
    });
    world.pass(LEASE);
    world.bucket.state().steps = true;
    (world, monitors, lease)
}

fn at_once<T>(story: impl Future<Output = T>) -> T {
    let mut story = std::pin::pin!(story);
    loop {
        let waker = noop_waker();
        if let Poll::Ready(end) = story.as_mut().poll(&mut Context::from_waker(&waker)) {
            return end;
        }
    }
}

#[test]
fn of_three_who_take_over_one_has_it_in_every_order() {
    let make = || {
        let (_, monitors, _) = expired(&["anna", "ben", "carl"]);
        let outcomes = Outcomes::default();
        let stories = monitors.into_iter().map(|one| contender(one, outcomes.clone()));
        (outcomes.clone(), stories.collect())
    };
    every_order(make, |outcomes| assert_eq!(winners(outcomes), 1));
}

/// What a frozen owner that goes on may hand over, and what others find.
#[derive(Clone, Default)]
struct Meeting {
    outcomes: Outcomes,
    /// The owner was told that it may begin its run.
    begun: Arc<Mutex<Option<bool>>>,
}

/// An owner that thaws after its lease and wants to begin, and others who take over.
fn thawing(others: &[&str], faults: &[(Moment, FaultClass)]) -> (Meeting, Vec<Story>) {
    let (world, monitors, mut lease) = expired(others);
    for (moment, class) in faults {
        world.bucket.fail(Call::Put, *moment, *class);
    }
    let meeting = Meeting::default();
    let told = meeting.clone();
    let owner: Story = Box::pin(async move {
        let answer = match lease.announce(running("1")).await {
            // An answer that was lost is looked for, and then it is tried again.
            Err(Lapse::Fault(_)) => lease.announce(running("1")).await,
            answer => answer,
        };
        *told.begun.lock().unwrap() = Some(answer.is_ok());
    });
    let mut stories = vec![owner];
    for monitor in monitors {
        let outcomes = meeting.outcomes.clone();
        stories.push(Box::pin(async move {
            // Another fault of the store is no answer; the next scan asks again.
            let taken = match monitor.take(&ws()).await {
                Err(_) => monitor.take(&ws()).await,
                taken => taken,
            };
            let outcome = match taken.unwrap() {
                Taken::Held { lease, former } => (Some(lease), former),
                Taken::Busy(_) | Taken::Waiting(_) => (None, None),
            };
            outcomes.lock().unwrap().push(outcome);
        }));
    }
    (meeting, stories)
}

/// Nobody has taken over without finding the run that was begun.
fn one_run_at_most(meeting: &Meeting) {
    let begun = meeting.begun.lock().unwrap().expect("the owner has its answer");
    let outcomes = meeting.outcomes.lock().unwrap();
    let blind = |(lease, former): &&(Option<Lease>, Option<LockBody>)| {
        let told = former.as_ref().and_then(|former| former.lease()?.attempt.clone());
        lease.is_some() && told.is_none()
    };
    let blind = outcomes.iter().filter(blind).count();
    assert!(blind + usize::from(begun) <= 1, "two would have begun a run");
}

#[test]
fn an_owner_that_thaws_and_those_who_take_over_never_begin_two_runs() {
    let played = every_order(|| thawing(&["anna", "ben"], &[]), one_run_at_most);
    assert!(played > 1000, "only {played} orders were played");
}

#[test]
fn nor_where_answers_are_lost() {
    use Moment::{After, Before};
    let lost = FaultClass::Ambiguous;
    for faults in [vec![(After, lost)], vec![(Before, lost)], vec![(After, lost), (After, lost)]] {
        every_order(|| thawing(&["anna"], &faults), one_run_at_most);
    }
}
