//! What a case asks for by its files and by its own `case.yaml`.

use daylily_lifecycle::case::{Priority, StateName};

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};

const TELLING: &str = "env | grep '^DAYLILY_PARAM_' | sort >out.txt; \
                       printf '%s' \"$DAYLILY_PARAM_label\" >>out.txt";

fn result(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.results_of(name).join("out.txt")).unwrap()
}

fn params_of_a_case_file_arrive_in_the_environment_of_the_job(site: Site) {
    let world = World::started(Setup::job(site, TELLING));
    let folder = world.intake().join("asks");
    let said = "priority: urgent\nnotify: [anna@example.org]\nparams:\n  threads: 08\n  \
                label: \"it's \\\"$HOME\\\" `id` é\"\n";
    write(&folder.join("case.yaml"), said);
    write(&folder.join("input"), "x");
    world.until_succeeded(&["asks"]);
    let label = "it's \"$HOME\" `id` é";
    let expected = format!("DAYLILY_PARAM_label={label}\nDAYLILY_PARAM_threads=08\n{label}");
    assert_eq!(result(&world, "asks"), expected);
    let case = world.case("asks").unwrap();
    assert_eq!(case.order.priority, Priority::Urgent);
    assert_eq!(case.order.notify, ["anna@example.org"]);
    assert_eq!(std::fs::read_to_string(world.copy_of("asks").join("case.yaml")).unwrap(), said);
    world.is_settled();
}

fn a_case_file_with_mistakes_needs_correction_and_then_goes_on_by_itself(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::job(site, TELLING) });
    let folder = world.intake().join("wrong");
    write(&folder.join("input"), "x");
    write(&folder.join("case.yaml"), "prioritaet: urgent\ngpus: two\ncommand: rm -rf /\n");
    world.until_state("wrong", StateName::Rejected);
    world.until_because("wrong", "case.yaml:1:1: prioritaet: unknown key; did you mean priority?");
    world.until_because("wrong", "(2 more below)");
    write(&folder.join("case.yaml"), "params: {label: right}\n");
    world.until_succeeded(&["wrong"]);
    assert_eq!(result(&world, "wrong"), "DAYLILY_PARAM_label=right\nright");
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn what_no_group_has_is_refused_until_the_case_file_asks_for_less(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::at(site) });
    let folder = world.intake().join("greedy");
    write(&folder.join("input"), "x");
    write(&folder.join("case.yaml"), "gpus: 3\n");
    world.until_state("greedy", StateName::Rejected);
    world.until_because("greedy", "it asks for 3 GPUs and no group of hpc has as many");
    write(&folder.join("case.yaml"), "group: default\n");
    world.until_succeeded(&["greedy"]);
    world.is_settled();
}

fn a_rule_chooses_the_pipeline_by_the_files_of_the_case(site: Site) {
    let mut setup = Setup::at(site);
    setup.more.push("rules: [{files: \"*.dcm\", pipeline: dose, priority: low}]".to_owned());
    // After `default`, whose lines these follow.
    setup.pipeline.push("expect: []".to_owned());
    let world = World::new(setup);
    let config = std::fs::read_to_string(world.path("config.yaml")).unwrap();
    let dose = "  dose:\n    command: echo dose >out.txt\n";
    write(&world.path("config.yaml"), format!("{config}{dose}"));
    let mut world = world;
    world.start();
    write(&world.intake().join("scan/series 1/0001.dcm"), "x");
    write(&world.intake().join("reads/input"), "reads");
    world.until_succeeded(&["scan", "reads"]);
    assert_eq!(result(&world, "scan"), "dose\n");
    assert_eq!(result(&world, "reads"), "reads");
    let case = world.case("scan").unwrap();
    let rule = "rules[0]: series 1/0001.dcm matches *.dcm";
    assert_eq!(case.order.rule.as_deref(), Some(rule));
    assert_eq!((case.order.pipeline.as_str(), case.order.priority), ("dose", Priority::Low));
    world.is_settled();
}

fn a_priority_that_a_person_has_set_is_not_taken_back_by_a_case_file(site: Site) {
    let world = World::started(Setup { rescan: "1s", ..Setup::job(site, UNTIL_LET_GO).slots(1) });
    write(&world.intake().join("first/input"), "x");
    world.until_running("first");
    let folder = world.intake().join("second");
    write(&folder.join("input"), "x");
    write(&folder.join("case.yaml"), "priority: low\n");
    world.until("it waits", |world| {
        world.case("second").is_some_and(|case| case.order.priority == Priority::Low)
    });
    let id = world.case("second").unwrap().id;
    let args = serde_json::json!({"priority": "urgent"});
    let args = args.as_object().cloned().unwrap();
    assert_eq!(world.ask_with("priority", id.as_str(), args), "done");
    world.is_looked_at();
    let order = world.case("second").unwrap().order;
    assert_eq!((order.priority, order.priority_by.is_some()), (Priority::Urgent, true));
    world.let_go();
    world.until_succeeded(&["first", "second"]);
    world.is_settled();
}

on_sites! {
    params_of_a_case_file_arrive_in_the_environment_of_the_job: here, ssh_pueue, ssh_direct;
    // What a case asks for is judged before any headnode knows of it.
    a_case_file_with_mistakes_needs_correction_and_then_goes_on_by_itself: here;
    what_no_group_has_is_refused_until_the_case_file_asks_for_less: here;
    a_rule_chooses_the_pipeline_by_the_files_of_the_case: here;
    a_priority_that_a_person_has_set_is_not_taken_back_by_a_case_file: here;
}
