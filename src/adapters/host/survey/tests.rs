use jiff::SignedDuration;

use super::{Rsync, ahead};
use crate::adapters::host::attempts::moment;

#[test]
fn versions_of_rsync_are_read_from_what_it_says() {
    let check = |says, version| assert_eq!(Rsync::version(says), version, "{says}");
    check("rsync  version 3.2.7  protocol version 31", Some((3, 2, 7)));
    check("rsync  version v3.4.1pre1  protocol version 32", Some((3, 4, 1)));
    check("rsync  version 2.6  protocol version 29", Some((2, 6, 0)));
    check("openrsync: protocol version 29, rsync version 2.6.9 compatible", Some((2, 6, 9)));
    check("rsync: command not found", None);
    check("", None);
}

#[test]
fn the_time_that_the_question_took_is_no_difference_of_clocks() {
    let at = |text| moment(text).expect("it is a time");
    let difference = |there| ahead(at(there), at("100.0"), at("103.5"));
    assert_eq!(difference("100.000000000"), SignedDuration::ZERO);
    assert_eq!(difference("103.499999999"), SignedDuration::ZERO);
    assert_eq!(difference("160.000000000"), SignedDuration::from_millis(56_500));
    assert_eq!(difference("40.000000000"), SignedDuration::from_secs(-60));
    assert_eq!(moment("soon"), None);
}
