use super::CaseRecord;

#[test]
fn a_record_of_an_earlier_version_is_read() {
    let old = r#"{"arrival":1,"attempt":"dw-1","digest":null,"dir":"/w/new/HG002","intake":"new",
        "name":"HG002","number":2,"remote_name":"HG002"}"#;
    let record: CaseRecord = serde_json::from_str(old).expect("it is whole");
    assert_eq!((record.number, record.name.as_str()), (2, "HG002"));
    assert_eq!((record.made_at, record.cleaned_at, record.slots), (None, None, None));
}

#[test]
fn what_a_later_version_says_otherwise_counts_as_not_said() {
    let later = r#"{"arrival":1,"attempt":"dw-1","digest":"d","dir":"/w/new/HG002","intake":"new",
        "name":"HG002","number":1,"remote_name":"HG002","queue":"loom","priority":7,
        "slots":[{"place":1}],"gpus":2,"never heard of":{}}"#;
    let record: CaseRecord = serde_json::from_str(later).expect("it is whole");
    assert_eq!((record.queue, record.priority, &record.slots), (None, None, &None));
    assert_eq!(record.gpus, Some(2));
    let again: CaseRecord = serde_json::from_str(&record.to_line()).expect("it is whole");
    assert_eq!(again, record);
}
