//! What is recorded, all or nothing.

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::{Arrival, CaseId};
use daylily_lifecycle::observation::{Observation, Verb};
use daylily_lifecycle::policy::SlotState;
use daylily_lifecycle::record::Recorded;
use daylily_watch::store::journal::JournalId;
use daylily_watch::store::recording::Fact;

use super::world::{
    appeared, asked, gpu, granted, observed, open, slot_states, state_dir, three_ready,
};

#[tokio::test]
async fn slots_are_given_all_or_none_and_come_back_with_the_end() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let first = store.record(CaseId::new("A"), granted("dw-1", vec![gpu(0)])).await;
    assert!(matches!(first, Ok(Recorded::Changed(_))), "{first:?}");

    let second = store.record(CaseId::new("B"), granted("dw-2", vec![gpu(1), gpu(0)])).await;
    assert!(matches!(second, Ok(Recorded::Stale { .. })), "{second:?}");
    let taken = [(SlotState::Reserved, Some("A".to_owned())), (SlotState::Free, None)];
    assert_eq!(slot_states(&store).await, taken);
    let case = store.read(|reader| reader.case(&CaseId::new("B"))).await.expect("it can be read");
    assert_eq!(case.map(|case| case.state.name()), Some(StateName::Ready));
    let journal = store.read(|reader| reader.journal(&CaseId::new("B"), JournalId::START)).await;
    assert_eq!(journal.expect("it can be read").len(), 2, "a grant that failed is not journalled");

    store.record(CaseId::new("A"), asked(Verb::Cancel { abandon: false })).await.expect("stored");
    let free = [(SlotState::Free, None), (SlotState::Free, None)];
    assert_eq!(slot_states(&store).await, free);
}

#[tokio::test]
async fn two_facts_are_recorded_together_or_not_at_all() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let facts = vec![
        Fact { case: CaseId::new("A"), observed: granted("dw-1", vec![gpu(0)]) },
        Fact { case: CaseId::new("B"), observed: granted("dw-2", vec![gpu(0)]) },
    ];
    let recorded = store.record_many(facts).await.expect("answered");
    assert!(recorded.iter().all(|one| matches!(one, Recorded::Stale { .. })), "{recorded:?}");
    let case = store.read(|reader| reader.case(&CaseId::new("A"))).await.expect("it can be read");
    assert_eq!(case.map(|case| case.state.name()), Some(StateName::Ready));
}

#[tokio::test]
async fn a_dropped_case_is_gone_and_its_journal_stays() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.appear(appeared("A", "HG002", Arrival::FIRST)).await.expect("stored");
    let dropped = store.record(CaseId::new("A"), observed(Observation::Vanished)).await;
    assert!(matches!(dropped, Ok(Recorded::Dropped { .. })), "{dropped:?}");
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.case(&CaseId::new("A")).expect("it can be read"), None);
    let journal = reader.journal(&CaseId::new("A"), JournalId::START).expect("it can be read");
    assert_eq!(journal.len(), 2);
    assert!(journal[1].to.is_none() && journal[1].note.is_some(), "{journal:?}");
    // The name is free again.
    let again = store.appear(appeared("B", "HG002", Arrival::FIRST)).await;
    assert!(matches!(again, Ok(Recorded::Changed(_))), "{again:?}");
    let twice = store.appear(appeared("C", "HG002", Arrival::FIRST)).await;
    assert!(matches!(twice, Ok(Recorded::Refused { .. })), "{twice:?}");
}
