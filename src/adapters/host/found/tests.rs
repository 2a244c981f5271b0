use super::parse;

#[test]
fn only_a_record_of_the_attempt_itself_is_believed() {
    let record = |attempt: &str| {
        format!(
            r#"{{"arrival":1,"attempt":"{attempt}","digest":null,"dir":"/w/new/A","intake":"new",
"name":"A","number":1,"remote_name":"A"}}"#
        )
        .replace('\n', "")
    };
    let said = format!(
        "dir ./dw-1\ndir ./dw-2\ndir ./dw-3\ndir ./dw-x;rm\ndir ../dw-4\njob ./dw-1/job.sh\n\
         ./dw-1/case.json\0{}\n./dw-2/case.json\0{}\n./dw-3/case.json\0half\nend\n",
        record("dw-1"),
        record("dw-1"),
    );
    let found = parse(said.as_bytes()).expect("it is whole");
    let seen: Vec<_> =
        found.iter().map(|f| (f.id.as_str(), f.has_job, f.record.is_some())).collect();
    assert_eq!(seen, [("dw-1", true, true), ("dw-2", false, false), ("dw-3", false, false)]);
    assert_eq!(parse(b"dir ./dw-1\n"), None, "it was cut");
}
