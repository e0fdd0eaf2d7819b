//! Changes within JSON documents: what `binlog_row_value_options=PARTIAL_JSON` puts in the place
//! of a whole document.
//!
//! The form and the rules are those of `Json_diff_vector::read_binary` and `apply_json_diffs` of
//! the server's `json_diff.cc`: a list of an operation, a path and, unless it removes, a value.

use std::borrow::Cow;

use crate::json::{self, Container, MALFORMED, MAX_DEPTH};
use crate::rows_event::length_encoded;
use crate::value::ValueError;

/// What does not fit the document as it was.
const MISFIT: ValueError = ValueError::JsonChange;

/// The text of a binary document after these changes, as the server prints it.
///
/// # Errors
/// [`ValueError::Malformed`] when the bytes make no sense, [`ValueError::JsonChange`] when a path
/// leads nowhere.
pub(crate) fn apply(before: &[u8], mut diffs: &[u8]) -> Result<String, ValueError> {
    let (&kind, data) = before.split_first().ok_or(MALFORMED)?;
    let mut document = Node::Stored(kind, data);
    while let Some((&operation, rest)) = diffs.split_first() {
        diffs = rest;
        let path = legs(sized(&mut diffs)?)?;
        let value = match operation {
            0 | 1 => {
                let (&kind, data) = sized(&mut diffs)?.split_first().ok_or(MALFORMED)?;
                Some(Node::Stored(kind, data))
            }
            2 => None,
            _ => return Err(MALFORMED),
        };
        // The root cannot be changed: the server writes the whole document then.
        let (last, to_parent) = path.split_last().ok_or(MISFIT)?;
        let parent = document.find(to_parent)?;
        match (operation, value) {
            (0, Some(value)) => *parent.child(last)? = value,
            (_, Some(value)) => parent.insert(last, value)?,
            (_, None) => parent.remove(last)?,
        }
    }
    let mut out = String::with_capacity(before.len() * 2);
    document.push(&mut out, 0)?;
    Ok(out)
}

/// Cuts data that begins with its length.
fn sized<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], ValueError> {
    let length = length_encoded(bytes).and_then(|length| usize::try_from(length).ok());
    let (data, rest) = length.and_then(|length| bytes.split_at_checked(length)).ok_or(MALFORMED)?;
    *bytes = rest;
    Ok(data)
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Leg {
    Member(String),
    Cell(usize),
}

/// The steps of a path such as `$.a."b c"[3]`; wildcards and ranges do not occur.
fn legs(path: &[u8]) -> Result<Vec<Leg>, ValueError> {
    let path = std::str::from_utf8(path).map_err(|_| MALFORMED)?;
    let mut rest = path.strip_prefix('$').ok_or(MALFORMED)?;
    let mut legs = Vec::new();
    while !rest.is_empty() {
        if let Some(cell) = rest.strip_prefix('[') {
            let (index, after) = cell.split_once(']').ok_or(MALFORMED)?;
            legs.push(Leg::Cell(index.parse().map_err(|_| MALFORMED)?));
            rest = after;
            continue;
        }
        let member = rest.strip_prefix('.').ok_or(MALFORMED)?;
        let end = if member.starts_with('"') { quoted_end(member)? } else { plain_end(member) };
        let (name, after) = member.split_at(end);
        let name = match name.as_bytes() {
            [] => return Err(MALFORMED),
            [b'"', ..] => serde_json::from_str(name).map_err(|_| MALFORMED)?,
            _ => name.to_owned(),
        };
        legs.push(Leg::Member(name));
        rest = after;
    }
    Ok(legs)
}

fn plain_end(member: &str) -> usize {
    member.find(['.', '[']).unwrap_or(member.len())
}

/// The end of a name in quotes, behind its closing quote.
fn quoted_end(member: &str) -> Result<usize, ValueError> {
    let mut escaped = false;
    for (index, byte) in member.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(index + 1),
            _ => {}
        }
    }
    Err(MALFORMED)
}

/// A value: as it is stored, or taken apart because a path leads into it.
#[derive(Debug)]
enum Node<'a> {
    /// Type and data.
    Stored(u8, &'a [u8]),
    /// Members in the server's order.
    Object(Vec<(Cow<'a, [u8]>, Node<'a>)>),
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Takes an object or array apart; scalars stay as they are.
    fn open(&mut self) -> Result<(), ValueError> {
        let Node::Stored(kind, data) = *self else { return Ok(()) };
        let Some(container) = Container::of(kind, data)? else { return Ok(()) };
        let value = |index| container.value(index).map(|(kind, data)| Node::Stored(kind, data));
        *self = if container.object {
            let member = |index| Ok((Cow::Borrowed(container.key(index)?), value(index)?));
            Node::Object((0..container.count).map(member).collect::<Result<_, _>>()?)
        } else {
            Node::Array((0..container.count).map(value).collect::<Result<_, _>>()?)
        };
        Ok(())
    }

    fn find(&mut self, path: &[Leg]) -> Result<&mut Node<'a>, ValueError> {
        path.iter().try_fold(self, |node, leg| node.child(leg))
    }

    fn child(&mut self, leg: &Leg) -> Result<&mut Node<'a>, ValueError> {
        self.open()?;
        match (self, leg) {
            (Node::Object(members), Leg::Member(name)) => {
                let place = place(members, name).map_err(|_| MISFIT)?;
                Ok(&mut members[place].1)
            }
            (Node::Array(cells), Leg::Cell(index)) => cells.get_mut(*index).ok_or(MISFIT),
            _ => Err(MISFIT),
        }
    }

    fn insert(&mut self, leg: &Leg, value: Node<'a>) -> Result<(), ValueError> {
        self.open()?;
        match (self, leg) {
            (Node::Object(members), Leg::Member(name)) => match place(members, name) {
                Ok(_) => return Err(MISFIT),
                Err(place) => {
                    members.insert(place, (Cow::Owned(name.clone().into_bytes()), value));
                }
            },
            // Behind the end means at the end.
            (Node::Array(cells), Leg::Cell(index)) => {
                cells.insert((*index).min(cells.len()), value);
            }
            _ => return Err(MISFIT),
        }
        Ok(())
    }

    fn remove(&mut self, leg: &Leg) -> Result<(), ValueError> {
        self.open()?;
        match (self, leg) {
            (Node::Object(members), Leg::Member(name)) => {
                members.remove(place(members, name).map_err(|_| MISFIT)?);
            }
            (Node::Array(cells), Leg::Cell(index)) if *index < cells.len() => {
                cells.remove(*index);
            }
            _ => return Err(MISFIT),
        }
        Ok(())
    }

    fn push(&self, out: &mut String, depth: usize) -> Result<(), ValueError> {
        if depth > MAX_DEPTH {
            return Err(MALFORMED);
        }
        let comma = |out: &mut String, index| out.push_str(if index > 0 { ", " } else { "" });
        match self {
            Node::Stored(kind, data) => return json::push_value(out, *kind, data, depth),
            Node::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    comma(out, index);
                    json::push_string(out, name)?;
                    out.push_str(": ");
                    value.push(out, depth + 1)?;
                }
                out.push('}');
            }
            Node::Array(cells) => {
                out.push('[');
                for (index, value) in cells.iter().enumerate() {
                    comma(out, index);
                    value.push(out, depth + 1)?;
                }
                out.push(']');
            }
        }
        Ok(())
    }
}

/// Where a member is, or where it belongs: the server orders names by length, then by bytes.
fn place(members: &[(Cow<'_, [u8]>, Node<'_>)], name: &str) -> Result<usize, usize> {
    let wanted = (name.len(), name.as_bytes());
    members.binary_search_by(|(name, _)| (name.len(), name.as_ref()).cmp(&wanted))
}

#[cfg(test)]
#[path = "partial_json_tests.rs"]
mod tests;
