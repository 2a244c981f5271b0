//! What a look costs.

use std::time::Instant;

use super::ground::Ground;

/// Milliseconds of one look, the median of nine.
#[allow(clippy::disallowed_methods, reason = "time is what is measured")]
async fn cost(ground: &Ground) -> f64 {
    let mut all = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        ground.look().await;
        all.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    all.sort_by(f64::total_cmp);
    all[4]
}

/// Many entries of others at once, as a state file of its own.
fn fill(ground: &mut Ground, entries: usize) {
    ground.pueued.must(&["pause", "--group", "default"]);
    let id = ground.pueued.add("theirs", "exec /bin/sh '/data/lab/.daylily-watch'/x/job.sh");
    ground.pueued.kill_9();
    let file = ground.pueued.path("data/state.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tasks = state.pointer_mut("/tasks").and_then(|tasks| tasks.as_object_mut()).unwrap();
    let one = tasks[&id].clone();
    for number in 0..entries {
        let mut task = one.clone();
        task["id"] = number.into();
        task["label"] = format!("dw-{number:026}").into();
        tasks.insert(number.to_string(), task);
    }
    std::fs::write(&file, state.to_string()).unwrap();
    ground.pueued.start_again();
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "what it takes is worth knowing")]
async fn a_thousand_entries_are_looked_at_in_a_fraction_of_a_poll() {
    let mut ground = Ground::new().await;
    fill(&mut ground, 10);
    assert_eq!(ground.look().await.words.len(), 10);
    let few = cost(&ground).await;
    fill(&mut ground, 1000);
    assert_eq!(ground.look().await.words.len(), 1000);
    let many = cost(&ground).await;
    println!("a look takes {few:.1} ms with 10 entries, {many:.1} ms with 1,000");
    // Far more than it takes, so that a busy machine does not matter.
    assert!(many < 2000.0, "{many} ms");
}
