//! Which tables a rule of the mappings speaks of.

use medallion_definition::name::{ColumnName, TableId};
use serde_json::Value;

/// The names in an `object-locator`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locator<'a> {
    pub(super) schema: &'a str,
    pub(super) table: &'a str,
    /// Empty when the rule is not about a column that exists.
    pub(super) column: &'a str,
}

impl<'a> Locator<'a> {
    /// Reads the locator of a rule; `None` when schema or table is missing.
    pub(super) fn of(rule: &'a Value) -> Option<Locator<'a>> {
        let name = |key: &str| rule.get("object-locator")?.get(key)?.as_str();
        Some(Locator {
            schema: name("schema-name")?,
            table: name("table-name")?,
            column: name("column-name").unwrap_or_default(),
        })
    }

    /// True when the names are those of the table, letter by letter.
    pub(super) fn is(&self, table: &TableId) -> bool {
        self.schema == table.schema.as_str() && self.table == table.table.as_str()
    }

    /// True when the names, with their wildcards, include the table.
    pub(super) fn matches(&self, table: &TableId) -> bool {
        matches(self.schema, table.schema.as_str()) && matches(self.table, table.table.as_str())
    }

    /// True when the rule is about columns, and its name, with wildcards, includes this one.
    pub(super) fn matches_column(&self, column: &ColumnName) -> bool {
        matches(self.column, column.as_str())
    }

    /// True when the names may include more than one table.
    pub(super) fn is_pattern(&self) -> bool {
        is_pattern(self.schema) || is_pattern(self.table)
    }
}

/// The wildcards of table mappings: `%` any text, `_` one character, `[ab]` and `[a-d]` one of a
/// set (`CHAP_Tasks.CustomizingTasks.TableMapping.SelectionTransformation.Wildcards`).
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    matches_from(&pattern, &name)
}

fn matches_from(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['%', rest @ ..] if rest.first() == Some(&'%') => matches_from(rest, name),
        ['%', rest @ ..] => (0..=name.len()).any(|n| matches_from(rest, &name[n..])),
        [first, rest @ ..] => {
            let Some((letter, tail)) = name.split_first() else { return false };
            match (first, rest.iter().position(|c| *c == ']')) {
                ('_', _) => matches_from(rest, tail),
                ('[', Some(close)) => {
                    in_set(&rest[..close], *letter) && matches_from(&rest[close + 1..], tail)
                }
                (literal, _) => literal == letter && matches_from(rest, tail),
            }
        }
    }
}

fn in_set(set: &[char], letter: char) -> bool {
    match set {
        [] => false,
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&letter) || in_set(rest, letter),
        [one, rest @ ..] => *one == letter || in_set(rest, letter),
    }
}

fn is_pattern(text: &str) -> bool {
    // `[_]` is how a plain underscore is written.
    let plain = text.replace("[_]", "").replace("[%]", "");
    plain.contains(['%', '_', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_guide_says() {
        let cases = [
            ("%", "orders", true),
            ("or%", "orders", true),
            ("%er_", "orders", true),
            ("order_items", "order_items", true),
            ("order_items", "orderXitems", true),
            ("order[_]items", "orderXitems", false),
            ("order[_]items", "order_items", true),
            ("t[a-c]", "tb", true),
            ("t[a-c]", "td", false),
            ("t[xyz]", "ty", true),
            ("Orders", "orders", false),
            ("order", "orders", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let patterns = ["a%", "a_b", "a[bc]", "a[_]b", "ab"].map(is_pattern);
        assert_eq!(patterns, [true, true, true, false, false]);
    }
}
