//! The laws over any schedule of faults: proptest draws it, and takes out of one that
//! breaks a law all that is not needed for that.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use crate::lives::setting;
use crate::schedule::{Ask, CasePlan, Class, Fate, Happening, Lie, Mishap, Planned, Schedule};
use crate::world::live;

/// How many cases a drawn life has at most.
const CASES: usize = 3;

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Exits(0)),
        2 => (1..4).prop_map(Fate::Exits),
        1 => Just(Fate::Vanishes),
        1 => (1..60_u32).prop_map(Fate::LeavesProcesses),
        1 => Just(Fate::RunsForEver),
        1 => Just(Fate::IsDeaf),
    ]
}

fn case() -> impl Strategy<Value = CasePlan> {
    (0..600_u32, 0..3_u32, fate(), 10..600_u32, 0..200_u32, any::<bool>()).prop_map(
        |(arrives, gpus, fate, runs, lingers, unheard)| CasePlan {
            arrives,
            gpus,
            fate,
            runs,
            lingers,
            unheard,
        },
    )
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Host),
        Just(Class::Step),
        Just(Class::Space),
        Just(Class::Unclear),
        Just(Class::Person),
        Just(Class::Broken),
        Just(Class::Throttled),
        Just(Class::Case),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let lie = prop_oneof![
        Just(Lie::Empty),
        Just(Lie::Over),
        Just(Lie::Runs),
        Just(Lie::Blind),
        Just(Lie::Twice)
    ];
    prop_oneof![
        class().prop_map(Mishap::Refused),
        Just(Mishap::Lost),
        (1..3_000_u32).prop_map(Mishap::Late),
        (1..3_000_u32).prop_map(Mishap::Slow),
        Just(Mishap::KilledBefore),
        Just(Mishap::KilledAfter),
        (1..3_000_u32).prop_map(Mishap::KilledAndLate),
        lie.prop_map(Mishap::Lie),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let ask = prop_oneof![
        2 => Just(Ask::Cancel),
        2 => Just(Ask::Rerun),
        1 => Just(Ask::Hold),
        1 => Just(Ask::Resume),
        1 => Just(Ask::Retry),
    ];
    prop_oneof![
        Just(Happening::Kill),
        Just(Happening::Restart),
        any::<bool>().prop_map(Happening::HostAway),
        any::<bool>().prop_map(Happening::QueueAway),
        Just(Happening::QueueWiped),
        Just(Happening::QueueReset),
        any::<bool>().prop_map(Happening::QueuePaused),
        Just(Happening::Reboot),
        any::<bool>().prop_map(Happening::Unmounted),
        any::<bool>().prop_map(Happening::IntakeAway),
        any::<bool>().prop_map(Happening::DiskFull),
        (-3_600..3_600).prop_map(Happening::ClockStep),
        (0..CASES).prop_map(Happening::Written),
        (0..CASES).prop_map(Happening::Taken),
        (0..CASES).prop_map(Happening::PutBack),
        (0..CASES, ask).prop_map(|(case, ask)| Happening::Asked(case, ask)),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let event = (0..2_000_u32, happening()).prop_map(|(at, what)| Planned { at, what });
    let cases = vec(case(), 1..=CASES);
    let mishaps = btree_map(1..80_u32, mishap(), 0..6);
    (any::<u64>(), cases, vec(event, 0..6), mishaps, vec(0..300_u64, 0..3)).prop_map(
        |(seed, cases, events, mishaps, kills)| Schedule {
            seed,
            cases,
            events,
            mishaps,
            kills,
            ..Schedule::default()
        },
    )
}

fn cases() -> u32 {
    u32::try_from(setting("MODEL_SCHEDULES", 24)).unwrap_or(u32::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_of_faults_breaks_a_law(schedule in schedule()) {
        if let Err(broken) = live(&schedule, false).verdict {
            let story = live(&schedule, true).story.join("\n");
            return Err(TestCaseError::fail(format!("{broken}\n{story}")));
        }
    }
}

/// What is recorded while all waits for the next thing to happen is looked at as well.
#[test]
fn a_folder_that_changes_at_the_very_end_is_known_to_the_checker() {
    let gone = CasePlan { fate: Fate::Vanishes, runs: 10, ..CasePlan::PLAIN };
    let lingering = CasePlan { runs: 68, lingers: 56, ..CasePlan::PLAIN };
    let schedule = Schedule {
        cases: vec![gone, lingering],
        events: vec![
            Planned { at: 698, what: Happening::Asked(1, Ask::Hold) },
            Planned { at: 1257, what: Happening::Unmounted(true) },
            Planned { at: 1755, what: Happening::Written(1) },
        ],
        mishaps: [(4, Mishap::Late(141)), (42, Mishap::KilledAndLate(2860)), (53, Mishap::Lost)]
            .into(),
        kills: vec![72],
        ..Schedule::default()
    };
    assert_eq!(live(&schedule, false).verdict, Ok(()));
}

/// Its sentence asks for the folder, and somebody puts it back in the end.
#[test]
fn a_case_that_is_run_again_without_its_folder_waits_for_it() {
    let schedule = Schedule {
        cases: vec![CasePlan::PLAIN],
        events: vec![
            Planned { at: 758, what: Happening::Taken(0) },
            Planned { at: 1945, what: Happening::Asked(0, Ask::Rerun) },
        ],
        ..Schedule::default()
    };
    let lived = live(&schedule, true);
    assert_eq!(lived.verdict, Ok(()));
    let story = lived.story.join("\n");
    assert!(story.contains("folder HG002 is put back"), "{story}");
    assert_eq!(story.matches("HG002 is succeeded").count(), 2, "{story}");
}
