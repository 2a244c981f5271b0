//! Owns which characters mean themselves in single quotes to every login shell: fish takes
//! a backslash there for more, and csh an exclamation mark.

pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._/+@%,=:~ -".contains(c)
}
