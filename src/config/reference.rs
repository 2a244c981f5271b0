//! Owns the reference page: the table of sections as Markdown. It adds nothing of its
//! own, so that the page cannot say anything else than what the reader does.

use std::fmt::Write as _;

use crate::config::kind::{Default, Key, Kind, Section};
use crate::config::read::expected;
use crate::config::sections::{CASE, ROOT};

pub(super) fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Generated from `src/config/sections.rs` by `UPDATE_DOCS=1 cargo test configuration_page`.\n\n\
         An annotated file to begin with is `config/daylily-watch.yaml`. Without `--config` the \
         program takes `$DAYLILY_WATCH_CONFIG`, `./config.yaml`, \
         `~/.config/daylily-watch/config.yaml` or `/etc/daylily-watch/config.yaml`, the first that \
         is there.\n\n\
         Every mistake in the file is told at once, with its line and column, and nothing of a \
         file with a mistake is used. Text that looks like a number stands in quotes: `\"0027\"`. \
         Secrets never stand in the file: `{env: NAME}` or `{file: PATH}` says where they are. A \
         key marked *not active yet* is checked, but its feature is not in this version; the \
         daemon names those that are set when it starts.\n",
    );
    section(&mut page, &ROOT, "", None);
    section(&mut page, &CASE, "case.yaml", None);
    page
}

fn section(page: &mut String, section: &'static Section, path: &str, not_yet: Option<&str>) {
    let title = if path.is_empty() { "The file".to_owned() } else { format!("`{path}`") };
    let _ = writeln!(page, "\n## {title}\n\n{}", section.doc.trim());
    if let Some(why) = not_yet {
        let _ = writeln!(page, "\n*Not active yet: {why}.*");
    }
    page.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in section.keys {
        row(page, key);
    }
    for key in section.keys {
        if let Some((below, suffix)) = key.kind.section() {
            let own = match path {
                "" => format!("{}{suffix}", key.name),
                path => format!("{path}.{}{suffix}", key.name),
            };
            self::section(page, below, &own, key.not_yet.or(not_yet));
        }
    }
}

fn row(page: &mut String, key: &Key) {
    let default = match key.default {
        Default::Required => "required".to_owned(),
        Default::Is(text) => format!("`{text}`"),
        Default::Computed(how) => how.to_owned(),
    };
    let not_yet = key.not_yet.map(|why| format!(" *Not active yet: {why}.*")).unwrap_or_default();
    let kind = match &key.kind {
        Kind::Word(choices) => {
            let later = choices.iter().filter(|choice| choice.instead.is_some());
            let later: Vec<&str> = later.map(|choice| choice.word).collect();
            match later.is_empty() {
                true => expected(&key.kind),
                false => {
                    format!("{}; in a later version {}", expected(&key.kind), later.join(", "))
                }
            }
        }
        kind => expected(kind),
    };
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {}{} |",
        key.name,
        cell(&kind),
        cell(&default),
        cell(key.doc.trim()),
        cell(&not_yet),
    );
}
