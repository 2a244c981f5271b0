//! Owns the step from YAML text to a tree in which every node knows its line and
//! column, and every scalar whether it was quoted. It knows no key and no type, and
//! never drops a duplicate key: what a file says twice must be told, not guessed.
//!
//! It is built from the events of serde-saphyr's parser and not through serde: a
//! deserializer keeps one of two equal keys and the position of only one of them, and
//! has already turned `0027` into a number or a text, so that neither mistake could
//! be explained.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use crate::config::error::{Complaint, Position, quoted};

/// A configuration is written by hand; these are far beyond any real one, and keep a
/// file full of aliases from filling the memory.
pub(crate) const MOST_BYTES: u64 = 1 << 20;
const MOST_DEPTH: usize = 32;
const MOST_WEIGHT: usize = 20_000;

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Scalar {
        text: String,
        /// Written without quotes, so that it may mean a number, a truth value or nothing.
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file, duplicates included.
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Content::Scalar { plain: false, .. } | Content::List(_) | Content::Map(_) => false,
        }
    }

    fn weight(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { text, .. } => text.len() / 64,
            Content::List(nodes) => nodes.iter().map(Node::weight).sum(),
            Content::Map(entries) => {
                entries.iter().map(|entry| 1 + entry.key.len() / 64 + entry.value.weight()).sum()
            }
        }
    }
}

/// Reads one document. The first mistake ends it: what follows a mistake in the
/// syntax cannot be trusted.
pub(crate) fn parse(text: &str) -> Result<Node, (Position, Complaint)> {
    parse_any(text)?.ok_or_else(|| {
        let complaint =
            Complaint::new("the file says nothing, expected at least an intake and a headnode")
                .hint("`daylily-watch init` writes one to begin with");
        (Position { line: 1, column: 1 }, complaint)
    })
}

/// The same for a file that may say nothing.
pub(crate) fn parse_any(text: &str) -> Result<Option<Node>, (Position, Complaint)> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.disallow_directives = true;
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        weight: 0,
    };
    builder.document()
}

type Result<T, E = (Position, Complaint)> = std::result::Result<T, E>;

struct Builder<'text> {
    events: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node>,
    weight: usize,
}

impl<'text> Builder<'text> {
    /// None: there is nothing in it.
    fn document(&mut self) -> Result<Option<Node>> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err((
                        position(span.start),
                        Complaint::new("found a second document, expected one")
                            .hint("put everything into one document, without a `---` in between"),
                    ));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root.filter(|root| !root.is_null()))
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node> {
        let at = position(span.start);
        if depth > MOST_DEPTH {
            return Err((at, Complaint::new(format!("more than {MOST_DEPTH} levels deep"))));
        }
        let (anchor, content) = match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err((at, Complaint::new("an alias stands inside what it stands for")));
                };
                self.add_weight(at, node.weight())?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.add_weight(at, 1 + text.len() / 64)?;
                let plain = style == ScalarStyle::Plain && !is_text_tag(at, tag.as_ref())?;
                (anchor, Content::Scalar { text: text.into_owned(), plain })
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(at, tag.as_ref())?;
                self.add_weight(at, 1)?;
                (anchor, self.list(depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(at, tag.as_ref())?;
                self.add_weight(at, 1)?;
                (anchor, self.map(depth)?)
            }
            _ => return Err((at, Complaint::new("found no value where one is expected"))),
        };
        let node = Node { at, content };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Content> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(nodes)),
                (event, span) => nodes.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.content {
                Content::Scalar { text, plain: true } if text == "<<" => merged.push(value),
                Content::Scalar { text, .. } => {
                    entries.push(Entry { key: text, key_at: key.at, value });
                }
                Content::List(_) | Content::Map(_) => {
                    return Err((key.at, Complaint::new("found a key that is not text")));
                }
            }
        }
        for value in merged {
            merge(&mut entries, value)?;
        }
        Ok(Content::Map(entries))
    }

    fn next(&mut self) -> Result<(Event<'text>, Span)> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(syntax(&error)),
            None => Err((Position { line: 1, column: 1 }, Complaint::new("the file ends early"))),
        }
    }

    fn add_weight(&mut self, at: Position, weight: usize) -> Result<()> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MOST_WEIGHT {
            return Err((at, Complaint::new("the file is too large for a configuration")));
        }
        Ok(())
    }
}

/// `<<: *base` or `<<: [*first, *second]`: what the map says itself wins, then the first.
fn merge(entries: &mut Vec<Entry>, value: Node) -> Result<()> {
    let at = value.at;
    let maps = match value.content {
        Content::List(nodes) => nodes,
        content @ (Content::Map(_) | Content::Scalar { .. }) => vec![Node { at, content }],
    };
    for map in maps {
        let Content::Map(more) = map.content else {
            return Err((map.at, Complaint::new("found something else than a map after `<<:`")));
        };
        // Compared with what was there before, so that duplicates within one map stay.
        let known = entries.len();
        for entry in more {
            if !entries[..known].iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
    }
    Ok(())
}

fn is_text_tag(at: Position, tag: Option<&Cow<'_, Tag>>) -> Result<bool> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(true),
        tag => refuse_tag(at, tag).map(|()| false),
    }
}

fn refuse_tag(at: Position, tag: Option<&Cow<'_, Tag>>) -> Result<()> {
    match tag {
        None => Ok(()),
        Some(tag) => Err((
            at,
            Complaint::new(format!(
                "found the tag {}, and tags mean nothing here",
                quoted(&tag.original())
            ))
            .hint("leave it out; quotes around a value make it text"),
        )),
    }
}

fn syntax(error: &ScanError) -> (Position, Complaint) {
    // It may repeat what stands there, however long that is.
    let kind: String = error.kind().to_string().chars().take(200).collect();
    let complaint = Complaint::new(format!("not YAML: {kind}"));
    (position(*error.marker()), complaint)
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}
