//! What an inspection reports: rule, severity, place, meaning, hint.

use std::fmt;

use medallion_definition::finding::RuleId;
use medallion_definition::name::TableId;

/// How bad a finding is. Ordered: an error is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Rows or changes would be lost, cut or refused.
    Error,
    /// It works, but something could be lost in a case that is named.
    Warning,
    /// Worth knowing; nothing is lost.
    Note,
}

impl Severity {
    /// All values, the worst first.
    pub const ALL: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The server as a whole.
    Server,
    /// A server variable.
    Variable(&'static str),
    /// A privilege of the user that asked.
    Privilege(&'static str),
    /// A table.
    Table(TableId),
    /// A column of a table, as MySQL writes its name.
    Column(TableId, String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Server => f.write_str("server"),
            Place::Variable(name) => write!(f, "variable `{name}`"),
            Place::Privilege(name) => write!(f, "privilege `{name}`"),
            Place::Table(table) => write!(f, "table `{table}`"),
            Place::Column(table, column) => write!(f, "column `{table}.{column}`"),
        }
    }
}

/// One thing that a source's owner should know. It holds names, numbers and settings, never a
/// value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule, such as `source/binlog-off`.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is so, and what that means.
    pub message: String,
    /// What to do about it; empty when nothing has to be done.
    pub hint: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}: {}", self.rule, self.place, self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n    hint: {}", self.hint) }
    }
}

/// The findings of an inspection in the making.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn push(
        &mut self,
        severity: Severity,
        (rule, place): (RuleId, Place),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (message, hint) = (message.into(), hint.into());
        self.0.push(Finding { rule, severity, place, message, hint });
    }

    pub(crate) fn error(
        &mut self,
        at: (RuleId, Place),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Severity::Error, at, message, hint);
    }

    pub(crate) fn warning(
        &mut self,
        at: (RuleId, Place),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Severity::Warning, at, message, hint);
    }

    pub(crate) fn note(
        &mut self,
        at: (RuleId, Place),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Severity::Note, at, message, hint);
    }

    /// The worst first, then by place and rule.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(|a, b| (a.severity, &a.place, a.rule).cmp(&(b.severity, &b.place, b.rule)));
        self.0
    }
}
