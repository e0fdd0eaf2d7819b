//! Rows as people write them: a header, then one line per row, `|` between the cells.

/// A cell. Texts with spaces at an end, `|`, or nothing in them are written as JSON strings.
pub(super) type Cell = Option<String>;

/// Rows with the names of their columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextTable {
    /// The names.
    pub header: Vec<String>,
    /// The rows; a cell is `None` when it is empty or says `NULL`.
    pub rows: Vec<Vec<Cell>>,
}

impl TextTable {
    /// Reads a table.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub(super) fn parse(text: &str) -> Result<TextTable, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let header = lines.next().ok_or("a table needs a header")?;
        let header: Vec<String> = header.split('|').map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for line in lines {
            let cells = cells(line)?;
            if cells.len() != header.len() {
                let (got, wanted) = (cells.len(), header.len());
                return Err(format!("`{line}` has {got} cells where the header has {wanted}"));
            }
            rows.push(cells);
        }
        Ok(TextTable { header, rows })
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }
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
            cells.push((!cell.is_empty() && cell != "NULL").then(|| cell.to_owned()));
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
        let table = TextTable::parse("\n a | b \n 1 | NULL\n\" | \" | \n \"\" | \"NULL\"\n");
        let table = table.unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(table.header, ["a", "b"]);
        assert_eq!(table.rows[0], [text("1"), None]);
        assert_eq!(table.rows[1], [text(" | "), None]);
        assert_eq!(table.rows[2], [text(""), text("NULL")]);
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_header() {
        assert!(TextTable::parse("a | b\n1").is_err());
        assert!(TextTable::parse("a\n\"x\" y").is_err());
        assert!(TextTable::parse("").is_err());
    }
}
