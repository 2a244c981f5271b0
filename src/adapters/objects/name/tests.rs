//! What callers may rely on.

use super::*;

#[test]
fn a_prefix_ends_with_a_slash_or_is_empty() {
    for (text, expected) in [("", ""), ("/", ""), ("a", "a/"), ("a/b/", "a/b/"), ("a//", "a/")] {
        assert_eq!(Prefix::new(text).as_str(), expected);
    }
    assert_eq!(Prefix::new("a/b").key("c").as_str(), "a/b/c");
}

#[test]
fn what_lies_under_a_prefix_is_not_what_begins_like_it() {
    assert_eq!(Key::new("in/ws10/a").below(&Prefix::new("in/ws1")), None);
    assert_eq!(Key::new("in/ws1/a/b").below(&Prefix::new("in/ws1")), Some("a/b"));
}

#[test]
fn an_etag_is_the_same_with_its_quotes_and_without() {
    assert_eq!(ETag::new("abc-2"), ETag::new("\"abc-2\""));
    assert_eq!(ETag::new("abc-2").as_str(), "\"abc-2\"");
    assert_eq!(ETag::new("abc-2").to_string(), "abc-2");
}

#[test]
fn addresses_are_taken_apart_or_refused_with_what_is_wrong() {
    let address: Address = "s3://lab-inbox/root/ready/".parse().unwrap();
    assert_eq!((address.bucket.as_str(), address.prefix().as_str()), ("lab-inbox", "root/ready/"));
    assert_eq!("s3://lab-inbox".parse::<Address>().unwrap().prefix(), Prefix::default());
    for text in ["lab-inbox/x", "S3://lab-inbox", "https://lab-inbox/x", ""] {
        assert!(matches!(text.parse::<Address>(), Err(AddressError::NotS3(_))), "{text}");
    }
    for text in ["s3://", "s3:///x", "s3://ab/x", "s3://Lab_Inbox/x", "s3://-lab/", "s3://a..b/x"] {
        assert!(matches!(text.parse::<Address>(), Err(AddressError::Bucket(_))), "{text}");
    }
    let odd = "s3://lab-inbox/a\nb".parse::<Address>();
    assert_eq!(odd, Err(AddressError::Control("s3://lab-inbox/a\\nb".to_owned())));
}
