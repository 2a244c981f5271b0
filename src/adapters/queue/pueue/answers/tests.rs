use super::*;

#[test]
fn the_surroundings_go_before_the_list() {
    let text = "user anna\nruntime /run/user/7\npath /usr/bin:/bin\npueued 12 1 345 unknown\n\
                answer\nwarning\n{}\n";
    let (around, list) = looked(text.as_bytes());
    assert_eq!(list, b"warning\n{}\n");
    assert_eq!((&*around.user, &*around.runtime), ("anna", "/run/user/7"));
    assert_eq!(around.path, "/usr/bin:/bin");
    assert_eq!(around.instance().as_deref(), Some("12 345"));
    assert_eq!(looked(b"user anna\npath"), (looked(b"user anna").0, &b""[..]));
}

fn instance(daemons: &[(u32, u32, Option<bool>)]) -> Option<String> {
    let daemons = daemons
        .iter()
        .map(|&(pid, parent, named)| Daemon { pid, parent, started: 5, named })
        .collect();
    Surroundings { daemons, ..Surroundings::default() }.instance()
}

#[test]
fn an_instance_is_told_only_where_one_can_be_meant() {
    assert_eq!(instance(&[]), None);
    assert_eq!(instance(&[(3, 1, None)]).as_deref(), Some("3 5"));
    assert_eq!(instance(&[(3, 1, None), (4, 1, None)]), None);
    // A job that is being started.
    assert_eq!(instance(&[(3, 1, None), (4, 3, None)]).as_deref(), Some("3 5"));
    let named = [(3, 1, Some(false)), (4, 1, Some(true)), (5, 1, Some(false))];
    assert_eq!(instance(&named).as_deref(), Some("4 5"));
    assert_eq!(instance(&[(3, 1, Some(true)), (4, 1, Some(true))]), None);
    // One that found its configuration by itself may be it.
    assert_eq!(instance(&[(3, 1, Some(false))]).as_deref(), Some("3 5"));
}

#[test]
fn each_answer_has_its_lines() {
    let text =
        "answer dw-a 0\n| 7\nmissing dw-b\nanswer dw-c 1\n| answer dw-d 0\n| end\nuser anna\nend\n";
    let all = answers(text.as_bytes());
    let said = |code, text: &str| Answer::Said { code, text: text.to_owned() };
    assert_eq!(all.of.len(), 3);
    assert_eq!(all.of["dw-a"], said(0, "7\n"));
    assert_eq!(all.of["dw-b"], Answer::Missing);
    assert_eq!(all.of["dw-c"], said(1, "answer dw-d 0\nend\n"));
    assert_eq!(all.around.user, "anna");
    assert!(all.whole);
    assert!(!answers(b"answer dw-a 0\n| 7\n").whole);
}
