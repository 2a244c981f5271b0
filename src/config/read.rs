//! Owns the walk through the file's tree along the table of sections: which keys there
//! are, what type each value has, what its default is. It checks one value at a time;
//! what two values mean together is for `check`.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::config::NotActive;
use crate::config::error::{Complaint, Position, Problems, quoted};
use crate::config::fields::{Fields, Item, Value};
use crate::config::keys::{join, refuse_duplicates};
use crate::config::kind::{self, Choice, Default, Key, Kind, Section, TextRule, nearest};
use crate::config::places::Places;
use crate::config::secret::SecretSource;
use crate::config::tree::{self, Content, Entry, Node};
use crate::config::units;

const PARAMS: &str = "a map from names to text, numbers or truth values";

/// In bytes. What a job's environment can hold is more.
const MOST_PARAMS: usize = 64 << 10;

pub(super) struct Reader<'a> {
    pub(super) places: &'a Places,
    pub(super) problems: &'a mut Problems,
    pub(super) not_active: &'a mut Vec<NotActive>,
    /// What the whole file is.
    pub(super) root: &'static Section,
}

impl Reader<'_> {
    /// None where the file is no map, which is told.
    pub(super) fn root(&mut self, node: &Node) -> Option<Fields> {
        match self.section(self.root, node, "") {
            Value::Section(fields) => Some(fields),
            _ => None,
        }
    }

    fn section(&mut self, section: &'static Section, node: &Node, path: &str) -> Value {
        let Content::Map(entries) = &node.content else {
            let keys: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            return self.wrong(node, path, &format!("a map with the keys {}", keys.join(", ")));
        };
        refuse_duplicates(entries, path, self.problems);
        for entry in entries {
            if !section.keys.iter().any(|key| key.name == entry.key) {
                let complaint = unknown_key(self.root, section, &entry.key);
                self.problems.add(entry.key_at, join(path, &entry.key), complaint);
            }
        }
        let mut items = Vec::new();
        for key in section.keys {
            let entry = entries.iter().find(|entry| entry.key == key.name);
            items.push((key, self.item(key, entry, node.at, &join(path, key.name))));
        }
        Value::Section(Fields { at: node.at, path: path.to_owned(), items })
    }

    fn item(&mut self, key: &Key, entry: Option<&Entry>, section: Position, path: &str) -> Item {
        let entry = entry.filter(|entry| !entry.value.is_null());
        let Some(entry) = entry else {
            let value = match key.default {
                Default::Is(text) => self.default(&key.kind, text, section, path),
                Default::Computed(_) => Value::Null,
                Default::Required => {
                    let complaint =
                        Complaint::new(format!("missing, expected {}", expected(&key.kind)));
                    self.problems.add(section, path, complaint);
                    Value::Bad
                }
            };
            return Item { at: section, path: path.to_owned(), value };
        };
        let value = self.value(&key.kind, &entry.value, path);
        if let (Some(why), Default::Is(text)) = (key.not_yet, key.default)
            && value != Value::Bad
            && value != self.default(&key.kind, text, section, path)
        {
            let (key_path, line) = (path.to_owned(), entry.key_at.line);
            self.not_active.push(NotActive { key_path, line, why: why.to_owned() });
        }
        Item { at: entry.value.at, path: path.to_owned(), value }
    }

    fn default(&mut self, kind: &Kind, text: &str, at: Position, path: &str) -> Value {
        // `null` alone is an empty document to the tree.
        if text == "null" {
            return Value::Null;
        }
        match tree::parse(text) {
            Ok(mut node) => {
                stand_at(&mut node, at);
                self.value(kind, &node, path)
            }
            Err((_, complaint)) => {
                self.problems.add(at, path, complaint);
                Value::Bad
            }
        }
    }

    fn value(&mut self, kind: &Kind, node: &Node, path: &str) -> Value {
        match kind {
            Kind::Section(section) => self.section(section, node, path),
            Kind::Sections(section) => {
                self.list(node, path, |reader, node, path| reader.section(section, node, path))
            }
            Kind::List(kind) => {
                self.list(node, path, |reader, node, path| reader.value(kind, node, path))
            }
            Kind::Named(section) => self.named(section, node, path),
            Kind::Variables => self.variables(node, path),
            Kind::Params => self.params(node, path),
            Kind::Secret => self.secret(node, path),
            Kind::WordOr(_, section) if matches!(node.content, Content::Map(_)) => {
                self.section(section, node, path)
            }
            Kind::Flag
            | Kind::Count { .. }
            | Kind::Duration { .. }
            | Kind::DurationOr(_)
            | Kind::Rate
            | Kind::Mode
            | Kind::Word(_)
            | Kind::Text(_)
            | Kind::LocalPath
            | Kind::Gpu
            | Kind::WordOr(..) => {
                let Content::Scalar { text, plain } = &node.content else {
                    return self.wrong(node, path, &expected(kind));
                };
                if node.is_null() {
                    return self.wrong(node, path, &expected(kind));
                }
                match scalar(kind, text, *plain, self.places) {
                    Ok(value) => value,
                    Err(complaint) => {
                        self.problems.add(node.at, path, complaint);
                        Value::Bad
                    }
                }
            }
        }
    }

    fn list(
        &mut self,
        node: &Node,
        path: &str,
        mut read: impl FnMut(&mut Self, &Node, &str) -> Value,
    ) -> Value {
        let Content::List(nodes) = &node.content else {
            return self.wrong(node, path, "a list");
        };
        let mut items = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{path}[{index}]");
            items.push(Item { at: node.at, value: read(self, node, &path), path });
        }
        Value::List(items)
    }

    fn named(&mut self, section: &'static Section, node: &Node, path: &str) -> Value {
        let Content::Map(entries) = &node.content else {
            return self.wrong(node, path, "a map from names to sections");
        };
        refuse_duplicates(entries, path, self.problems);
        let empty = |at| Node { at, content: Content::Map(Vec::new()) };
        let mut named = Vec::new();
        for entry in entries {
            let path = join(path, &entry.key);
            if let Err(complaint) = kind::name(&entry.key) {
                self.problems.add(entry.key_at, &path, complaint);
            }
            let value = match entry.value.is_null() {
                true => self.section(section, &empty(entry.key_at), &path),
                false => self.section(section, &entry.value, &path),
            };
            named.push((entry.key.clone(), Item { at: entry.key_at, path, value }));
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        Value::Named(named)
    }

    fn variables(&mut self, node: &Node, path: &str) -> Value {
        let Content::Map(entries) = &node.content else {
            return self.wrong(node, path, "a map from names of environment variables to text");
        };
        refuse_duplicates(entries, path, self.problems);
        let mut variables = BTreeMap::new();
        for entry in entries {
            let path = join(path, &entry.key);
            if let Err(complaint) = kind::variable(&entry.key) {
                self.problems.add(entry.key_at, &path, complaint);
            }
            let is_empty_text = matches!(&entry.value.content, Content::Scalar { text, plain: false } if text.is_empty());
            if is_empty_text {
                variables.insert(entry.key.clone(), String::new());
            } else if let Value::Text(text) =
                self.value(&Kind::Text(&kind::ANY), &entry.value, &path)
            {
                variables.insert(entry.key.clone(), text);
            }
        }
        Value::Variables(variables)
    }

    fn params(&mut self, node: &Node, path: &str) -> Value {
        let Content::Map(entries) = &node.content else {
            return self.wrong(node, path, PARAMS);
        };
        refuse_duplicates(entries, path, self.problems);
        let mut params = BTreeMap::new();
        for entry in entries {
            let path = join(path, &entry.key);
            if let Err(complaint) = kind::parameter(&entry.key) {
                self.problems.add(entry.key_at, &path, complaint);
            }
            match &entry.value.content {
                Content::Scalar { text, .. } if !entry.value.is_null() => {
                    if let Err(complaint) = kind::parameter_value(text) {
                        self.problems.add(entry.value.at, &path, complaint);
                    }
                    params.insert(entry.key.clone(), text.clone());
                }
                Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {
                    self.wrong(&entry.value, &path, "text, a number or a truth value");
                }
            }
        }
        // Aliases can make far more of a file than it is.
        if params.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MOST_PARAMS
        {
            let complaint = Complaint::new("found more than 64 KiB of parameters");
            self.problems.add(node.at, path, complaint.hint("put what is long into a file"));
        }
        Value::Variables(params)
    }

    fn secret(&mut self, node: &Node, path: &str) -> Value {
        let source = match &node.content {
            Content::Map(entries) if entries.len() == 1 => entries.first(),
            Content::Map(_) | Content::List(_) | Content::Scalar { .. } => None,
        };
        let text = source.and_then(|entry| match &entry.value.content {
            Content::Scalar { text, .. } if !entry.value.is_null() => Some((entry, text)),
            Content::Scalar { .. } | Content::List(_) | Content::Map(_) => None,
        });
        let result = match text {
            Some((entry, text)) if entry.key == "env" => {
                kind::variable(text).map(|()| SecretSource::Environment(text.clone()))
            }
            Some((entry, text)) if entry.key == "file" => {
                self.places.resolve(text).map(SecretSource::File)
            }
            // What stands there may be the secret itself, so it is not repeated.
            Some(_) | None => Err(Complaint::new(format!("expected {}", expected(&Kind::Secret)))
                .hint("a secret never stands in the configuration itself")),
        };
        match result {
            Ok(source) => Value::Secret(source),
            Err(complaint) => {
                self.problems.add(node.at, path, complaint);
                Value::Bad
            }
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, expected: &str) -> Value {
        let found = match &node.content {
            Content::Scalar { .. } if node.is_null() => "nothing".to_owned(),
            Content::Scalar { text, plain } => found(text, *plain),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        };
        let complaint = Complaint::new(format!("found {found}, expected {expected}"));
        self.problems.add(node.at, path, complaint);
        Value::Bad
    }
}

fn scalar(kind: &Kind, text: &str, plain: bool, places: &Places) -> Result<Value, Complaint> {
    let wrong =
        || Complaint::new(format!("found {}, expected {}", found(text, plain), expected(kind)));
    match kind {
        Kind::Flag => match (text, plain) {
            ("true", true) => Ok(Value::Flag(true)),
            ("false", true) => Ok(Value::Flag(false)),
            _ => Err(wrong().hint("write true or false, without quotes")),
        },
        Kind::Count { least, most } => match text.parse::<u64>() {
            Ok(count) if plain && (*least..=*most).contains(&count) => Ok(Value::Count(count)),
            _ => Err(wrong()),
        },
        Kind::DurationOr(word) if text == *word => Ok(Value::Text((*word).to_owned())),
        Kind::DurationOr(_) => duration(text, 0, wrong),
        Kind::Duration { least_ms } => duration(text, *least_ms, wrong),
        Kind::Rate => {
            units::rate(text).map(Value::Rate).ok_or_else(|| unit_missing(wrong(), text, "MiB/s"))
        }
        Kind::Mode if plain && units::mode(text).is_some() => Err(wrong().hint(in_quotes(text))),
        Kind::Mode if plain => Err(wrong()),
        Kind::Mode => units::mode(text).map(Value::Mode).ok_or_else(wrong),
        Kind::Word(choices) => word(choices, text, wrong),
        Kind::WordOr(word, _) if text == *word => Ok(Value::Text((*word).to_owned())),
        Kind::WordOr(..) => Err(wrong()),
        Kind::Gpu => match text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            true if !text.is_empty() => Ok(Value::Text(text.to_owned())),
            true | false => Err(wrong()),
        },
        Kind::LocalPath => {
            real_text(text, plain, &kind::ANY, wrong)?;
            places.resolve(text).map(Value::Path)
        }
        Kind::Text(rule) => real_text(text, plain, rule, wrong),
        Kind::Secret
        | Kind::List(_)
        | Kind::Variables
        | Kind::Params
        | Kind::Section(_)
        | Kind::Sections(_)
        | Kind::Named(_) => Err(wrong()),
    }
}

fn real_text(
    text: &str,
    plain: bool,
    rule: &TextRule,
    wrong: impl Fn() -> Complaint,
) -> Result<Value, Complaint> {
    if plain && kind::is_no_text(text).is_some() {
        return match (rule.check)(text) {
            Ok(()) => Err(wrong().hint(in_quotes(text))),
            Err(_) => Err(wrong()),
        };
    }
    (rule.check)(text)?;
    Ok(Value::Text(text.to_owned()))
}

fn duration(text: &str, least_ms: i64, wrong: impl Fn() -> Complaint) -> Result<Value, Complaint> {
    match units::duration(text) {
        None => Err(unit_missing(wrong(), text, "s")),
        Some(duration) if duration < SignedDuration::from_millis(least_ms) => {
            // A longer least is in what is expected.
            Err(if least_ms > 1 { wrong() } else { wrong().hint("at least 1ms") })
        }
        Some(duration) if duration > units::LONGEST => Err(wrong().hint("at most 3650d")),
        Some(duration) => Ok(Value::Duration(duration)),
    }
}

fn word(choices: &[Choice], text: &str, wrong: impl Fn() -> Complaint) -> Result<Value, Complaint> {
    match choices.iter().find(|choice| choice.word == text) {
        Some(Choice { instead: Some(instead), .. }) => {
            Err(Complaint::new(format!("{} is not in this version", quoted(text))).hint(*instead))
        }
        Some(Choice { instead: None, .. }) => Ok(Value::Text(text.to_owned())),
        None => match nearest(text, choices.iter().map(|choice| choice.word)) {
            Some(near) => Err(wrong().hint(format!("did you mean {near}?"))),
            None => Err(wrong()),
        },
    }
}

fn in_quotes(text: &str) -> String {
    format!("write \"{}\", with the quotes", text.escape_debug())
}

fn unit_missing(complaint: Complaint, text: &str, unit: &str) -> Complaint {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => complaint.hint(format!("add the unit, such as {text}{unit}")),
        false => complaint,
    }
}

fn found(text: &str, plain: bool) -> String {
    match kind::is_no_text(text) {
        Some(what) if plain => format!("{what} {}", quoted(text)),
        Some(_) | None => quoted(text),
    }
}

pub(super) fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Count { least, most } => format!("a whole number from {least} to {most}"),
        Kind::Duration { least_ms: ..=1 } => units::DURATION.to_owned(),
        Kind::Duration { least_ms } => format!("{} of at least {least_ms}ms", units::DURATION),
        Kind::DurationOr(word) => format!("{word} or {}", units::DURATION),
        Kind::Rate => units::RATE.to_owned(),
        Kind::Mode => "an octal mode as text, such as \"0660\"".to_owned(),
        Kind::Word(choices) => {
            let words: Vec<&str> = choices
                .iter()
                .filter(|choice| choice.instead.is_none())
                .map(|choice| choice.word)
                .collect();
            match words.as_slice() {
                [only] => (*only).to_owned(),
                words => format!("one of {}", words.join(", ")),
            }
        }
        Kind::Text(rule) => rule.expected.to_owned(),
        Kind::LocalPath => "a path".to_owned(),
        Kind::Gpu => "the number or the UUID of a GPU".to_owned(),
        Kind::Secret => "{env: NAME} or {file: PATH}".to_owned(),
        Kind::List(kind) => format!("a list, each {}", expected(kind)),
        Kind::Variables => "a map from names of environment variables to text".to_owned(),
        Kind::Params => PARAMS.to_owned(),
        Kind::Section(_) => "a map".to_owned(),
        Kind::Sections(_) => "a list of maps".to_owned(),
        Kind::Named(_) => "a map from names to maps".to_owned(),
        Kind::WordOr(word, section) => {
            let keys: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            format!("{word} or a map with {}", keys.join(", "))
        }
    }
}

fn unknown_key(root: &'static Section, section: &'static Section, key: &str) -> Complaint {
    let complaint = Complaint::new("unknown key");
    if let Some(near) = nearest(key, section.keys.iter().map(|known| known.name)) {
        return complaint.hint(format!("did you mean {near}?"));
    }
    if let Some(elsewhere) = kind::place_of(root, key, "") {
        return complaint.hint(format!("there is {elsewhere}"));
    }
    let keys: Vec<&str> = section.keys.iter().map(|known| known.name).collect();
    complaint.hint(format!("known here: {}", keys.join(", ")))
}

fn stand_at(node: &mut Node, at: Position) {
    node.at = at;
    match &mut node.content {
        Content::Scalar { .. } => {}
        Content::List(nodes) => nodes.iter_mut().for_each(|node| stand_at(node, at)),
        Content::Map(entries) => {
            for entry in entries {
                entry.key_at = at;
                stand_at(&mut entry.value, at);
            }
        }
    }
}
