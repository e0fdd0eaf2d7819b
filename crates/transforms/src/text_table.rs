//! Rows as people write them: a header, then one line per row, `|` between the cells.
//!
//! Cells are trimmed. An empty one is NULL, and so is `NULL` or `null`. Texts with spaces at an
//! end, `|`, or nothing in them are written as JSON strings.

use std::fmt;

/// A cell; `None` is NULL.
pub type Cell = Option<String>;

/// Rows with the names of their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextTable {
    /// The names.
    pub header: Vec<String>,
    /// The line of the header, counted from 0 within the text.
    pub header_line: usize,
    /// The rows, each with as many cells as the header.
    pub rows: Vec<Vec<Cell>>,
    /// The line of each row, counted from 0 within the text.
    pub lines: Vec<usize>,
}

/// A line that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The line, counted from 0 within the text.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl TextTable {
    /// Reads a table.
    ///
    /// # Errors
    /// The first line that is no row.
    pub fn parse(text: &str) -> Result<TextTable, BadLine> {
        let (table, bad) = TextTable::read(text);
        bad.into_iter().next().map_or(Ok(table), Err)
    }

    /// Reads a table: the rows that can be read, and every line that is none.
    pub fn read(text: &str) -> (TextTable, Vec<BadLine>) {
        let (mut table, mut bad) = (TextTable::default(), Vec::new());
        let lines = text.lines().map(str::trim).enumerate();
        let mut lines = lines.filter(|(_, line)| !line.is_empty());
        let Some((header_line, header)) = lines.next() else {
            bad.push(BadLine { line: 0, reason: "a table needs a header".to_owned() });
            return (table, bad);
        };
        table.header = header.split('|').map(|name| name.trim().to_owned()).collect();
        table.header_line = header_line;
        let wanted = table.header.len();
        for (line, text) in lines {
            let ragged = |got| format!("`{text}` has {got} cells where the header has {wanted}");
            match cells(text) {
                Ok(cells) if cells.len() == wanted => {
                    table.rows.push(cells);
                    table.lines.push(line);
                }
                Ok(cells) => bad.push(BadLine { line, reason: ragged(cells.len()) }),
                Err(reason) => bad.push(BadLine { line, reason }),
            }
        }
        (table, bad)
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }
}

/// A text as a cell that is read as this text.
pub fn spelled(text: &str) -> String {
    let plain = !is_null(text)
        && text.trim() == text
        && !text.starts_with('"')
        && !text.contains(|c: char| c == '|' || c.is_control());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn is_null(cell: &str) -> bool {
    matches!(cell, "" | "NULL" | "null")
}

fn cells(line: &str) -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = values.next().and_then(Result::ok);
            cells.push(Some(text.ok_or_else(|| format!("`{line}`: a text is not closed"))?));
            rest = rest[values.byte_offset()..].trim_start();
            if !rest.is_empty() && !rest.starts_with('|') {
                return Err(format!("`{line}`: something follows a text"));
            }
        } else {
            let end = rest.find('|').unwrap_or(rest.len());
            let cell = rest[..end].trim();
            cells.push((!is_null(cell)).then(|| cell.to_owned()));
            rest = &rest[end..];
        }
        match rest.strip_prefix('|') {
            Some(next) => rest = next,
            None => return Ok(cells),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_trimmed_and_texts_may_hold_anything() {
        let table = TextTable::parse("\n a | b \n 1 | NULL\n\" | \" | \n \"\" | \"NULL\"\nnull|x");
        let table = table.unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(table.header, ["a", "b"]);
        assert_eq!(table.rows[0], [text("1"), None]);
        assert_eq!(table.rows[1], [text(" | "), None]);
        assert_eq!(table.rows[2], [text(""), text("NULL")]);
        assert_eq!(table.rows[3], [None, text("x")]);
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_header() {
        assert!(TextTable::parse("a | b\n1").is_err());
        assert!(TextTable::parse("a\n\"x\" y").is_err());
        assert!(TextTable::parse("").is_err());
    }

    #[test]
    fn every_bad_line_is_told_and_the_others_are_read() {
        let (table, bad) = TextTable::read("\na | b\n1\n\n2 | 3\n\"4\n5 | 6 | 7\n");
        assert_eq!(table.header_line, 1);
        assert_eq!(table.rows, [[Some("2".to_owned()), Some("3".to_owned())]]);
        assert_eq!(table.lines, [4]);
        assert_eq!(bad.iter().map(|b| b.line).collect::<Vec<_>>(), [2, 5, 6]);
    }

    #[test]
    fn a_spelled_text_is_read_as_it_was() {
        for text in ["", "a", " a", "a|b", "NULL", "null", "\"", "say \"x\"", "a\nb", "ção 😀"]
        {
            let table = TextTable::parse(&format!("a\n{}", spelled(text))).unwrap();
            assert_eq!(table.rows, [[Some(text.to_owned())]], "{text:?}");
        }
        assert_eq!((spelled("São Paulo"), spelled("")), ("São Paulo".into(), "\"\"".into()));
    }
}
