//! Owns the one way a text of anybody's making gets into the text of a shell script.
//! Scripts that are not generated take such texts as arguments instead.

/// `text` as one word of a POSIX shell that means exactly that text. A NUL cannot be
/// in a word; see [`Unquotable`].
pub fn quote(text: &str) -> Result<String, Unquotable> {
    if text.contains('\0') {
        return Err(Unquotable { text: text.to_owned() });
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} has a NUL in it, which no program can be given")]
pub struct Unquotable {
    pub text: String,
}

#[cfg(test)]
mod tests;
