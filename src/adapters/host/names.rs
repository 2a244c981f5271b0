//! Owns how names of people's making become names of files: bounded, one folder
//! deep, and the same each time. It touches no file system.

/// What Linux file systems take for one name, in bytes.
const NAME_MAX: usize = 255;

/// `name` and `suffix` as one file name. A name that is too long is cut at a
/// character's boundary, and one that cannot stand for a file is altered; both then
/// get `-` and eight hex digits of a hash of the whole, so that no two meet.
pub fn bounded_name(name: &str, suffix: &str) -> String {
    bounded_name_with_room(name, suffix, 0)
}

/// The same where up to `room` bytes will be put behind it for files beside it.
pub fn bounded_name_with_room(name: &str, suffix: &str, room: usize) -> String {
    let most = NAME_MAX.saturating_sub(room);
    let plain = !name.is_empty()
        && !name.contains(['/', '\0', '\n'])
        && !matches!(name, "." | "..")
        && name.len() + suffix.len() <= most;
    if plain {
        return format!("{name}{suffix}");
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let left = most.saturating_sub(suffix.len() + 1 + 8);
    let kept = &name[..name.floor_char_boundary(left.min(name.len()))];
    format!("{}-{}{suffix}", kept.replace(['/', '\0', '\n'], "_"), &hash.as_str()[..8])
}

/// Whether an id can stand in a path, a line of input and a pattern as it is.
pub fn is_plain_id(id: &str) -> bool {
    id.len() <= 100
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests;
