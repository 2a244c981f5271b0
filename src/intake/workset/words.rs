//! Owns how the words of a command are written in one text: split as a shell would, with
//! its quotes and backslashes, and with nothing else of it. No variable, pattern or command
//! in such a text means anything.

/// The words of a text. Quotes keep blanks within a word; a backslash takes the next
/// character as it is, within double quotes only before `"`, `\`, `$` and a backtick.
pub(super) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("a single quote is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("a double quote is not closed")? {
                        '"' => break,
                        '\\' => match characters.next().ok_or("a double quote is not closed")? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                let next = characters.next().ok_or("it ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What may stand in braces in the arguments of `day-clone`.
pub(super) const PLACEHOLDERS: [&str; 2] = ["workset", "workdir_name"];

/// The first `{name}` of a word that nothing is put in for. Braces around anything but
/// lower-case letters and `_` are braces.
pub(super) fn unknown_placeholder(word: &str) -> Option<&str> {
    let mut rest = word;
    while let Some((_, after)) = rest.split_once('{') {
        if let Some((name, _)) = after.split_once('}')
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && !PLACEHOLDERS.contains(&name)
        {
            return Some(name);
        }
        rest = after;
    }
    None
}

/// A name as the directory of a run may have it: what is no letter, digit, dot, dash or
/// underscore becomes an underscore, and so does a dash at the beginning, which would make
/// an option of it. None: nothing of it can be one.
pub(super) fn directory_name(name: &str) -> Option<String> {
    const MOST: usize = 200;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut safe: String =
        name.chars().take(MOST).map(|c| if plain(c) { c } else { '_' }).collect();
    if safe.starts_with('-') {
        safe.replace_range(..1, "_");
    }
    (!matches!(safe.as_str(), "" | "." | "..")).then_some(safe)
}
