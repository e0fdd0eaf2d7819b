//! Reading TOML into domain types: every value knows its line, every finding is kept, and a key
//! that nobody asked for is a finding.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Finding, Findings, RuleId};

/// The file is no TOML.
const SYNTAX: RuleId = RuleId("toml/syntax");
/// A key that means nothing here.
const UNKNOWN_KEY: RuleId = RuleId("definition/unknown-key");
/// A key that has to be there is missing.
const MISSING_KEY: RuleId = RuleId("definition/missing-key");
/// A value of the wrong TOML type, or one that does not parse.
const BAD_VALUE: RuleId = RuleId("definition/bad-value");

/// One file being read, and what was found in it.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// Lines that stand before `text` in the file.
    lines_before: usize,
    findings: RefCell<Findings>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str, lines_before: usize) -> Self {
        Reader { file, text, lines_before, findings: RefCell::default() }
    }

    pub(crate) fn file(&self) -> &'a str {
        self.file
    }

    /// The line, from 1, of a byte offset in the text.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let head = self.text.as_bytes().iter().take(offset);
        self.lines_before + 1 + head.filter(|b| **b == b'\n').count()
    }

    pub(crate) fn report(&self, rule: RuleId, line: usize, message: String, hint: String) {
        let file = self.file.to_owned();
        self.findings.borrow_mut().push(Finding { rule, file, line, message, hint });
    }

    pub(crate) fn into_findings(self) -> Findings {
        self.findings.into_inner()
    }

    /// Parses the text and hands its root to `read`; findings stay in the reader.
    pub(crate) fn root<T>(&self, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Option<T> {
        // Only the first syntax error: the parser trips over the rest of the file because of it.
        let root = match DeTable::parse(self.text) {
            Ok(root) => root,
            Err(error) => {
                let line = error.span().map_or(0, |span| self.line(span.start));
                let hint = "see https://toml.io for the syntax".to_owned();
                self.report(SYNTAX, line, error.message().to_owned(), hint);
                return None;
            }
        };
        let section = Section::new(self, root.get_ref(), self.lines_before + 1, "the file");
        let value = read(&section);
        section.finish();
        value
    }
}

/// A value with its line.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) line: usize,
}

/// One TOML table being read.
pub(crate) struct Section<'a> {
    pub(crate) reader: &'a Reader<'a>,
    table: &'a DeTable<'a>,
    pub(crate) line: usize,
    what: &'static str,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    fn new(
        reader: &'a Reader<'a>,
        table: &'a DeTable<'a>,
        line: usize,
        what: &'static str,
    ) -> Section<'a> {
        Section { reader, table, line, what, asked: RefCell::default() }
    }

    /// A table inside a value, such as an inline table of a list.
    pub(crate) fn of_value(
        reader: &'a Reader<'a>,
        value: &'a Spanned<DeValue<'a>>,
        what: &'static str,
    ) -> Option<Section<'a>> {
        let table = value.get_ref().as_table()?;
        Some(Section::new(reader, table, reader.line(value.span().start), what))
    }

    pub(crate) fn report(&self, rule: RuleId, line: usize, message: String, hint: String) {
        self.reader.report(rule, line, message, hint);
    }

    /// The raw value of a key; asking makes the key known.
    pub(crate) fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }

    pub(crate) fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.reader.line(value.span().start)
    }

    /// The line of a key's value; that of the section when the key is not there.
    pub(crate) fn line_of_key(&self, key: &'static str) -> usize {
        self.value(key).map_or(self.line, |value| self.line_of(value))
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!("`{key}` is {}, wanted is {wanted}", value.get_ref().type_str());
        self.report(BAD_VALUE, self.line_of(value), message, String::new());
    }

    /// Reports that a key is not there.
    pub(crate) fn missing(&self, key: &str) {
        let message = format!("`{key}` is missing in {}", self.what);
        self.report(MISSING_KEY, self.line, message, format!("add `{key} = …`"));
    }

    /// A text, when the key is there.
    pub(crate) fn text(&self, key: &'static str) -> Option<At<&'a str>> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(At { value: text, line: self.line_of(value) }),
            None => {
                self.wrong_type(key, value, "a string");
                None
            }
        }
    }

    /// A text of several lines, with the line on which its content begins: TOML leaves out a line
    /// end that directly follows the opening quotes.
    pub(crate) fn block(&self, key: &'static str) -> Option<At<&'a str>> {
        let text = self.text(key)?;
        let start = self.value(key)?.span().start;
        let quoted = self.reader.text.get(start..).unwrap_or_default();
        let opened = ["\"\"\"", "'''"].iter().find_map(|quotes| quoted.strip_prefix(quotes));
        let below = opened.is_some_and(|rest| rest.starts_with(['\n', '\r']));
        Some(At { value: text.value, line: text.line + usize::from(below) })
    }

    /// A text of several lines that has to be there.
    pub(crate) fn required_block(&self, key: &'static str) -> Option<At<&'a str>> {
        if self.value(key).is_none() {
            self.missing(key);
        }
        self.block(key)
    }

    /// A text that has to be there.
    pub(crate) fn required_text(&self, key: &'static str) -> Option<At<&'a str>> {
        if self.value(key).is_none() {
            self.missing(key);
        }
        self.text(key)
    }

    /// A text parsed to a domain type; the key has to be there.
    pub(crate) fn required<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<At<T>> {
        let text = self.required_text(key)?;
        self.parse(key, &text)
    }

    fn parse<T: FromStr<Err: Display>>(&self, key: &str, text: &At<&str>) -> Option<At<T>> {
        match text.value.parse() {
            Ok(value) => Some(At { value, line: text.line }),
            Err(error) => {
                self.report(BAD_VALUE, text.line, format!("`{key}`: {error}"), String::new());
                None
            }
        }
    }

    /// A text out of a closed list, when the key is there.
    pub(crate) fn one_of<T: Copy>(&self, key: &'static str, known: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text.value) {
            return Some(At { value: *value, line: text.line });
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("`{key}` is `{}`", text.value);
        self.report(BAD_VALUE, text.line, message, format!("known are {}", names.join(", ")));
        None
    }

    /// A boolean, when the key is there.
    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        boolean
    }

    /// A number, when the key is there.
    pub(crate) fn number(&self, key: &'static str) -> Option<f64> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => "",
        };
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong_type(key, value, "a decimal number");
        }
        number
    }

    /// An integer within bounds, when the key is there.
    pub(crate) fn integer(&self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let value = self.value(key)?;
        let number = value.get_ref().as_integer().and_then(|n| n.as_str().parse::<u32>().ok());
        match number.filter(|n| (min..=max).contains(n)) {
            Some(number) => Some(number),
            None => {
                self.wrong_type(key, value, &format!("an integer from {min} to {max}"));
                None
            }
        }
    }

    /// The elements of a list, when the key is there.
    pub(crate) fn list(&self, key: &'static str) -> Vec<&'a Spanned<DeValue<'a>>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        match value.get_ref().as_array() {
            Some(array) => array.iter().collect(),
            None => {
                self.wrong_type(key, value, "a list");
                Vec::new()
            }
        }
    }

    /// True when the key's list has no element, and when the key is not there.
    pub(crate) fn list_is_empty(&self, key: &'static str) -> bool {
        let array = self.value(key).map(|value| value.get_ref().as_array());
        array.is_none_or(|array| array.is_some_and(|elements| elements.iter().next().is_none()))
    }

    /// A list of texts parsed to a domain type; each bad element is a finding of its own.
    pub(crate) fn parsed_list<T: FromStr<Err: Display>>(&self, key: &'static str) -> Vec<At<T>> {
        let mut out = Vec::new();
        for element in self.list(key) {
            match element.get_ref().as_str() {
                Some(value) => {
                    out.extend(self.parse(key, &At { value, line: self.line_of(element) }));
                }
                None => self.wrong_type(key, element, "a string"),
            }
        }
        out
    }

    /// The tables of `[[key]]`, read one by one; unknown keys in them are findings too.
    pub(crate) fn each<T>(
        &self,
        key: &'static str,
        what: &'static str,
        mut read: impl FnMut(&Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let mut out = Vec::new();
        for element in self.list(key) {
            match Section::of_value(self.reader, element, what) {
                Some(section) => {
                    out.extend(read(&section));
                    section.finish();
                }
                None => self.wrong_type(key, element, "a table"),
            }
        }
        out
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if asked.contains(name) {
                continue;
            }
            let known: Vec<&str> = asked.iter().copied().collect();
            let hint = match known.iter().find(|k| distance(k, name) <= 2) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("known here are {}", known.join(", ")),
            };
            let line = self.reader.line(key.span().start);
            self.report(UNKNOWN_KEY, line, format!("unknown key `{name}` in {}", self.what), hint);
        }
    }

    /// Demands `version = 1`.
    pub(crate) fn version_one(&self) {
        match self.value("version") {
            None => self.missing("version"),
            Some(value) => {
                if value.get_ref().as_integer().is_none_or(|n| n.as_str() != "1") {
                    self.wrong_type("version", value, "1, the only version there is");
                }
            }
        }
    }
}

/// Edit distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.chars().enumerate() {
            let substitute = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.chars().count()]
}
