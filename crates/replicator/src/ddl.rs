//! Data definition in the binlog: which tables a statement touches, and what that means for them.
//!
//! Rows are never decoded by what is learned here, only by their own table maps. It serves to
//! count, to tell, and to notice when rows went or came without any row in the binlog.

use std::iter::Peekable;
use std::vec::IntoIter;

/// What data definition did to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableEffect {
    /// CREATE TABLE.
    Created,
    /// ALTER TABLE that keeps all rows.
    Altered,
    /// DROP TABLE or DROP DATABASE: its rows are gone and nothing in the binlog says which.
    Dropped,
    /// RENAME to another name: for this name, the rows are gone.
    RenamedAway,
    /// RENAME from another name: for this name, rows have come.
    RenamedInto,
    /// TRUNCATE TABLE, or a partition of it: rows are gone.
    Emptied,
}

impl TableEffect {
    /// True when rows came or went that no row event tells of. DMS writes nothing for them.
    pub fn changes_rows(self) -> bool {
        !matches!(self, TableEffect::Altered)
    }

    /// What happened, for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            TableEffect::Created => "was created",
            TableEffect::Altered => "was altered",
            TableEffect::Dropped => "was dropped",
            TableEffect::RenamedAway => "was renamed to another name",
            TableEffect::RenamedInto => "got its name by renaming another table",
            TableEffect::Emptied => "was truncated",
        }
    }
}

/// A table as a statement names it; no table stands for all tables of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) schema: String,
    pub(crate) table: Option<String>,
    pub(crate) effect: TableEffect,
}

/// The tables that a statement creates, changes or removes. `schema` is the session's default.
///
/// A statement that cannot be read touches nothing; rows are not affected by that.
pub(crate) fn touched(statement: &str, schema: &str) -> Vec<Touched> {
    let mut reader = Reader { tokens: tokens(statement).into_iter().peekable(), schema };
    reader.statement().unwrap_or_default()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word.
    Word(String),
    /// A name in backticks or double quotes.
    Name(String),
    /// A text; what it says does not matter.
    Text,
    Sign(char),
}

fn tokens(statement: &str) -> Vec<Token> {
    let mut chars = statement.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|c| c != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                match chars.peek() {
                    // The inside of `/*!50000 … */` and of MariaDB's `/*M! … */` counts.
                    Some('!' | 'M') => {
                        while chars.next_if(|c| "!M".contains(*c) || c.is_ascii_digit()).is_some() {
                        }
                    }
                    _ => skip_comment(&mut chars),
                }
            }
            '*' if chars.peek() == Some(&'/') => {
                chars.next();
            }
            '`' | '"' => tokens.push(Token::Name(quoted(&mut chars, c))),
            '\'' => {
                quoted(&mut chars, c);
                tokens.push(Token::Text);
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn skip_comment(chars: &mut impl Iterator<Item = char>) {
    let mut last = ' ';
    for c in chars {
        if last == '*' && c == '/' {
            return;
        }
        last = c;
    }
}

/// Reads to the closing quote; a doubled quote stands for one, a backslash escapes in texts.
fn quoted(chars: &mut Peekable<impl Iterator<Item = char>>, quote: char) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' && quote == '\'' {
            chars.next();
        } else if c != quote {
            text.push(c);
        } else if chars.next_if_eq(&quote).is_some() {
            text.push(quote);
        } else {
            break;
        }
    }
    text
}

struct Reader<'a> {
    tokens: Peekable<IntoIter<Token>>,
    schema: &'a str,
}

impl Reader<'_> {
    fn word(&mut self, wanted: &str) -> bool {
        let is = |t: &Token| matches!(t, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.tokens.next_if(is).is_some()
    }

    fn sign(&mut self, wanted: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(wanted)).is_some()
    }

    fn name(&mut self) -> Option<String> {
        match self.tokens.next()? {
            Token::Word(name) | Token::Name(name) => Some(name),
            Token::Text | Token::Sign(_) => None,
        }
    }

    fn table(&mut self, effect: TableEffect) -> Option<Touched> {
        let first = self.name()?;
        Some(match self.sign('.') {
            true => Touched { schema: first, table: Some(self.name()?), effect },
            false => Touched { schema: self.schema.to_owned(), table: Some(first), effect },
        })
    }

    /// `IF EXISTS` or `IF NOT EXISTS`.
    fn condition(&mut self) {
        if self.word("if") {
            self.word("not");
            self.word("exists");
        }
    }

    fn statement(&mut self) -> Option<Vec<Touched>> {
        if self.word("create") {
            if self.word("or") {
                self.word("replace");
            }
            return if self.word("table") { self.one(TableEffect::Created) } else { None };
        }
        if self.word("truncate") {
            self.word("table");
            return self.one(TableEffect::Emptied);
        }
        if self.word("rename") {
            return if self.word("table") || self.word("tables") { self.renames() } else { None };
        }
        if self.word("drop") {
            return self.drops();
        }
        if self.word("alter") {
            while self.word("online") || self.word("offline") || self.word("ignore") {}
            return if self.word("table") { self.alters() } else { None };
        }
        None
    }

    fn one(&mut self, effect: TableEffect) -> Option<Vec<Touched>> {
        self.condition();
        Some(vec![self.table(effect)?])
    }

    fn renames(&mut self) -> Option<Vec<Touched>> {
        self.condition();
        let mut found = Vec::new();
        loop {
            found.push(self.table(TableEffect::RenamedAway)?);
            while !self.word("to") {
                self.tokens.next()?;
            }
            found.push(self.table(TableEffect::RenamedInto)?);
            if !self.sign(',') {
                return Some(found);
            }
        }
    }

    fn drops(&mut self) -> Option<Vec<Touched>> {
        if self.word("database") || self.word("schema") {
            self.condition();
            let schema = self.name()?;
            return Some(vec![Touched { schema, table: None, effect: TableEffect::Dropped }]);
        }
        if !self.word("table") && !self.word("tables") {
            return None;
        }
        self.condition();
        let mut found = vec![self.table(TableEffect::Dropped)?];
        while self.sign(',') {
            found.push(self.table(TableEffect::Dropped)?);
        }
        Some(found)
    }

    /// What follows a table's name decides: a new name, or partitions that go with their rows.
    fn alters(&mut self) -> Option<Vec<Touched>> {
        self.condition();
        let mut found = vec![self.table(TableEffect::Altered)?];
        let mut depth = 0_i32;
        while let Some(token) = self.tokens.next() {
            let Token::Word(word) = token else {
                depth += match token {
                    Token::Sign('(') => 1,
                    Token::Sign(')') => -1,
                    _ => 0,
                };
                continue;
            };
            let loses = ["truncate", "drop", "exchange", "discard", "import"];
            if depth > 0 {
            } else if word.eq_ignore_ascii_case("rename") {
                if self.word("column") || self.word("index") || self.word("key") {
                    continue;
                }
                if !self.word("to") {
                    self.word("as");
                    self.sign('=');
                }
                found[0].effect = TableEffect::RenamedAway;
                found.push(self.table(TableEffect::RenamedInto)?);
            } else if word.eq_ignore_ascii_case("with") && self.word("table") {
                // The other side of EXCHANGE PARTITION.
                found.push(self.table(TableEffect::Emptied)?);
            } else if loses.iter().any(|w| word.eq_ignore_ascii_case(w))
                && (self.word("partition") || self.word("tablespace"))
            {
                found[0].effect = TableEffect::Emptied;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(statement: &str) -> String {
        let shown = touched(statement, "crm").into_iter().map(|t| {
            let table = t.table.unwrap_or_else(|| "*".to_owned());
            format!("{}.{table} {}", t.schema, t.effect.as_str())
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn statements_tell_which_tables_they_touch() {
        let cases = [
            ("TRUNCATE customers", "crm.customers was truncated"),
            ("truncate table `other`.`a``b`", "other.a`b was truncated"),
            ("CREATE TABLE IF NOT EXISTS t (a int)", "crm.t was created"),
            ("CREATE OR REPLACE TABLE t (a int)", "crm.t was created"),
            ("CREATE TEMPORARY TABLE t (a int)", ""),
            ("CREATE INDEX i ON t (a)", ""),
            (
                "/* app */ DROP TABLE /*!50000 IF EXISTS */ a, `x`.b /* generated by server */",
                "crm.a was dropped; x.b was dropped",
            ),
            ("DROP DATABASE IF EXISTS x", "x.* was dropped"),
            ("DROP TEMPORARY TABLE t", ""),
            (
                "RENAME TABLE a TO b, x.c TO `d`",
                "crm.a was renamed to another name; crm.b got its name by renaming another table; \
                 x.c was renamed to another name; crm.d got its name by renaming another table",
            ),
            ("ALTER TABLE t ADD COLUMN a int FIRST -- why", "crm.t was altered"),
            ("ALTER TABLE t RENAME COLUMN a TO b, RENAME KEY k TO l", "crm.t was altered"),
            (
                "ALTER TABLE t ADD c ENUM('rename to x') DEFAULT 'it''s \\' rename to y'",
                "crm.t was altered",
            ),
            (
                "ALTER TABLE t ADD a int, RENAME AS x.u",
                "crm.t was renamed to another name; x.u got its name by renaming another table",
            ),
            ("ALTER TABLE t DROP COLUMN a, DROP b", "crm.t was altered"),
            ("ALTER TABLE t DROP PARTITION p0", "crm.t was truncated"),
            (
                "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE u",
                "crm.t was truncated; crm.u was truncated",
            ),
            ("CREATE USER u", ""),
            ("", ""),
        ];
        for (statement, expected) in cases {
            assert_eq!(shown(statement), expected, "{statement}");
        }
    }
}
