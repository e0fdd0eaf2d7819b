//! Unit tests of Gold models, as their files say them: rows that are given, rows that must come
//! out. `models/tests/<model>/<case>.toml`:
//!
//! ```toml
//! description = "the address with the lowest number counts"
//! [[given]]
//! table = "silver.crm_customers"
//! rows = """
//! id | region
//! 1  | SP
//! """
//! [expected]
//! rows = """
//! region | customers
//! SP     | 1
//! """
//! ```
//!
//! `[expected]` may have `error` in place of `rows`: a part of the reason for which such a build
//! is not published. What tables, columns and cells mean is for the model to say; here they are
//! texts with their lines.

use crate::finding::{Findings, RuleId};
use crate::section::{At, Reader, Section};

/// A file among the unit tests that is none.
pub const FILE_UNKNOWN: RuleId = RuleId("unit-test/file-unknown");
/// A unit test that expects nothing, or two things.
pub const EXPECTATION: RuleId = RuleId("unit-test/expectation");

/// Rows as text: a header, then one line per row, `|` between the cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsText {
    /// The text.
    pub text: String,
    /// The line of the file on which it begins, from 1.
    pub line: usize,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenText {
    /// The table, such as `silver.crm_customers`.
    pub table: String,
    /// The line that names it, from 1.
    pub line: usize,
    /// Its rows.
    pub rows: RowsText,
}

/// What must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedText {
    /// These rows, in any order.
    Rows(RowsText),
    /// A build that is not published, and a part of the reason.
    Error(String),
}

/// One unit test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitTestText {
    /// The model: the name of the folder.
    pub model: String,
    /// The case: the name of the file.
    pub case: String,
    /// What the test shows.
    pub description: String,
    /// The rows that are given.
    pub given: Vec<GivenText>,
    /// What is expected; nothing when the file does not say it, which is a finding.
    pub expected: Option<ExpectedText>,
}

impl UnitTestText {
    /// Reads a file. What can be read comes beside the findings, so that whoever knows the model
    /// finds the rest of what is wrong at once.
    pub fn read(path: &str, text: &str) -> (Option<UnitTestText>, Findings) {
        let reader = Reader::new(path, text, 0);
        let Some((model, case)) = place(path) else {
            let message = "this file is no unit test of a model".to_owned();
            let hint = "unit tests are models/tests/<model>/<case>.toml".to_owned();
            reader.report(FILE_UNKNOWN, 0, message, hint);
            return (None, reader.into_findings());
        };
        let test = reader.root(|root| {
            let description = root.required_text("description");
            Some(UnitTestText {
                model: model.to_owned(),
                case: case.to_owned(),
                description: description.map_or("", |d| d.value).to_owned(),
                given: root.each("given", "[[given]]", given),
                expected: expected(root),
            })
        });
        (test, reader.into_findings())
    }
}

/// Model and case of a path.
fn place(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit('/');
    let (file, model, folder) = (parts.next()?, parts.next()?, parts.next()?);
    (folder == "tests").then_some((model, file.strip_suffix(".toml")?))
}

fn given(section: &Section<'_>) -> Option<GivenText> {
    let (table, rows) = (section.required_text("table"), section.required_block("rows"));
    let (table, rows) = (table?, rows?);
    Some(GivenText { table: table.value.to_owned(), line: table.line, rows: rows_text(&rows) })
}

fn rows_text(block: &At<&str>) -> RowsText {
    RowsText { text: block.value.to_owned(), line: block.line }
}

fn expected(root: &Section<'_>) -> Option<ExpectedText> {
    let nothing = |line| {
        let hint = "add `[expected]` with `rows` or `error`".to_owned();
        root.report(EXPECTATION, line, "the unit test expects nothing".to_owned(), hint);
    };
    let Some(value) = root.value("expected") else {
        nothing(0);
        return None;
    };
    let Some(section) = Section::of_value(root.reader, value, "[expected]") else {
        nothing(root.line_of(value));
        return None;
    };
    let (rows, error) = (section.block("rows"), section.text("error"));
    let found = match (rows, error) {
        (Some(rows), None) => Some(ExpectedText::Rows(rows_text(&rows))),
        (None, Some(error)) if !error.value.trim().is_empty() => {
            Some(ExpectedText::Error(error.value.to_owned()))
        }
        (None, _) => {
            nothing(section.line);
            None
        }
        (Some(_), Some(error)) => {
            let message = "the unit test expects rows and an error".to_owned();
            root.report(EXPECTATION, error.line, message, "keep one of the two".to_owned());
            None
        }
    };
    section.finish();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "lake/models/tests/by_region/one.toml";

    fn findings(text: &str) -> Vec<String> {
        let (_, findings) = UnitTestText::read(PATH, text);
        findings.iter().map(|f| format!("{}:{} {}", f.line, f.rule, f.message)).collect()
    }

    #[test]
    fn rows_know_the_line_on_which_they_begin() {
        let text = "description = \"d\"\n[[given]]\ntable = \"silver.a\"\nrows = \"\"\"\nid\n1\n\
                    \"\"\"\n[[given]]\ntable = \"silver.b\"\nrows = '''id\n2'''\n[expected]\n\
                    error = \"`id` is NULL\"\n";
        let (test, findings) = UnitTestText::read(PATH, text);
        assert!(findings.is_empty(), "{findings}");
        let test = test.unwrap();
        assert_eq!((test.model.as_str(), test.case.as_str()), ("by_region", "one"));
        let places: Vec<(&str, usize, usize, &str)> = test
            .given
            .iter()
            .map(|g| (g.table.as_str(), g.line, g.rows.line, g.rows.text.as_str()))
            .collect();
        assert_eq!(places, [("silver.a", 3, 5, "id\n1\n"), ("silver.b", 9, 10, "id\n2")]);
        assert_eq!(test.expected, Some(ExpectedText::Error("`id` is NULL".to_owned())));
    }

    #[test]
    fn a_test_expects_one_thing() {
        let nothing = "unit-test/expectation the unit test expects nothing";
        assert_eq!(findings("description = \"d\""), [format!("0:{nothing}")]);
        assert_eq!(findings("description = \"d\"\n[expected]"), [format!("2:{nothing}")]);
        let empty = "description = \"d\"\n[expected]\nerror = \" \"";
        assert_eq!(findings(empty), [format!("2:{nothing}")]);
        let both = "description = \"d\"\n[expected]\nrows = \"a\"\nerror = \"b\"";
        assert_eq!(
            findings(both),
            ["4:unit-test/expectation the unit test expects rows and an error"]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_found_at_once() {
        let text = "[[given]]\ntabel = \"silver.a\"\nrows = 1\n[expected]\nrow = \"id\"\n";
        let found = findings(text);
        for part in [
            "definition/missing-key `description`",
            "definition/missing-key `table`",
            "2:definition/unknown-key unknown key `tabel`",
            "3:definition/bad-value `rows`",
            "4:unit-test/expectation",
            "5:definition/unknown-key unknown key `row`",
        ] {
            assert!(found.iter().any(|f| f.contains(part)), "{part} in {found:#?}");
        }
        assert_eq!(found.len(), 6, "{found:#?}");
    }

    #[test]
    fn only_files_of_a_models_folder_are_unit_tests() {
        for path in ["models/tests/one.toml", "models/tests/by_region/one.json", "one.toml"] {
            let (test, findings) = UnitTestText::read(path, "");
            assert_eq!(test, None, "{path}");
            assert!(findings.iter().all(|f| f.rule == FILE_UNKNOWN), "{path}: {findings}");
            assert_eq!(findings.len(), 1, "{path}");
        }
    }
}
