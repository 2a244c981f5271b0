//! One row of the table after the other.

use super::*;

fn class_of(asked: Asked, status: u16, code: &str) -> FaultClass {
    let refusal = Refusal { status, code: code.to_owned(), message: String::new() };
    of_refusal(asked, "list s3://lab/", &refusal).class
}

#[test]
fn a_refusal_means_what_the_table_says() {
    use Asked::{Bucket, Object, Once};
    use FaultClass::{
        Ambiguous, FatalCase, FatalHost, NeedsPerson, Throttled, TransientHost, TransientStep,
    };
    let rows = [
        (Bucket, 503, "SlowDown", Throttled),
        (Object, 503, "", Throttled),
        (Once, 503, "SlowDown", Throttled),
        (Bucket, 400, "ThrottlingException", Throttled),
        (Bucket, 429, "", Throttled),
        (Bucket, 400, "ExpiredToken", NeedsPerson),
        (Object, 403, "InvalidAccessKeyId", NeedsPerson),
        (Once, 403, "SignatureDoesNotMatch", NeedsPerson),
        (Bucket, 403, "RequestTimeTooSkewed", NeedsPerson),
        (Bucket, 404, "NoSuchBucket", FatalHost),
        (Bucket, 301, "PermanentRedirect", FatalHost),
        (Bucket, 403, "AccessDenied", FatalHost),
        (Once, 403, "AccessDenied", FatalHost),
        (Object, 403, "AccessDenied", FatalCase),
        (Object, 403, "InvalidObjectState", FatalCase),
        (Bucket, 500, "InternalError", TransientHost),
        (Once, 500, "InternalError", Ambiguous),
        (Once, 400, "RequestTimeout", Ambiguous),
        (Bucket, 400, "RequestTimeout", TransientHost),
        (Once, 400, "BadDigest", TransientStep),
        (Bucket, 404, "NoSuchUpload", TransientStep),
        (Bucket, 400, "SomethingNew", TransientStep),
    ];
    for (asked, status, code, expected) in rows {
        assert_eq!(class_of(asked, status, code), expected, "{asked:?} {status} {code}");
    }
}

#[test]
fn a_fault_names_what_was_done_what_was_said_and_what_to_do() {
    let message = "The specified bucket does not exist".to_owned();
    let refusal = Refusal { status: 404, code: "NoSuchBucket".to_owned(), message };
    assert_eq!(
        of_refusal(Asked::Bucket, "list s3://lab/", &refusal).text,
        "list s3://lab/: The specified bucket does not exist (NoSuchBucket)\n\
         hint: look at the name of the bucket and at endpoint_url"
    );
}
