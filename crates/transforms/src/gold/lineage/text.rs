//! Lineage as a table for people.

use std::fmt;

use super::ColumnLineage;
use super::source::Sources;

/// What stands in the place of a column for what decides about rows.
const ROWS: &str = "(rows)";

impl fmt::Display for ColumnLineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for column in &self.columns {
            push_lines(&column.name, &column.sources, &mut lines);
        }
        if !self.rows.is_empty() {
            push_lines(ROWS, &self.rows, &mut lines);
        }
        let width = |part: fn(&Line) -> &String| lines.iter().map(|l| part(l).len()).max();
        let first = width(|l| &l.column).unwrap_or_default();
        let second = width(|l| &l.source).unwrap_or_default();
        writeln!(f, "lineage of gold.{}", self.model)?;
        for line in &lines {
            let text = format!("  {:first$}  {:second$}  {}", line.column, line.source, line.ways);
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

struct Line {
    column: String,
    source: String,
    ways: String,
}

fn push_lines(column: &str, sources: &Sources, lines: &mut Vec<Line>) {
    let mut column = column.to_owned();
    if sources.is_empty() {
        lines.push(Line { column, source: "-".to_owned(), ways: String::new() });
        return;
    }
    for (source, ways) in sources.iter() {
        let ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
        // The column's name stands at the first of its sources only.
        let column = std::mem::take(&mut column);
        lines.push(Line { column, source: source.to_string(), ways: ways.join(", ") });
    }
}
