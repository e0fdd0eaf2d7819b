//! Every Gold table equals the same question asked of MySQL.
//!
//! The question is `fixtures/oracle/<model>.sql`, written by hand for MySQL. Lines of its comments
//! may say what cannot be compared as it is:
//!
//! | Line | Meaning |
//! |---|---|
//! | `-- not compared: a, b` | MySQL cannot know these columns; [`super::plausible`] looks at them |
//! | `-- needs: journal` | the question is about changes, and left out in a run without journal |
//! | `-- by day: day` | the column is a day in UTC of some moment of the run: when the run went past midnight, the days are added up before they are compared |

use std::path::Path;

use chrono::Utc;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_definition::types::LakeType;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;
use mysql_async::Conn;

use super::compare::{ComparedColumn, RowsByKey, added_up, compare, lake_rows, mysql_rows};
use super::{RunFacts, Verdict, VerifyError, text};

/// A question to MySQL, and the columns of its answer that are compared with the lake's.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) columns: Vec<ComparedColumn>,
    /// Something that can be selected from.
    pub(super) from: String,
    needs_journal: bool,
    /// The column that holds days of the run.
    day: Option<String>,
}

impl Question {
    /// One that can be asked in every run.
    pub(super) fn new(columns: Vec<ComparedColumn>, from: String) -> Question {
        Question { columns, from, needs_journal: false, day: None }
    }

    pub(super) fn can_be_asked(&self, facts: &RunFacts) -> bool {
        facts.journal || !self.needs_journal
    }

    /// Compares MySQL's answer with the lake's.
    pub(super) fn compare(
        &self,
        check: &'static str,
        place: &str,
        facts: &RunFacts,
        expected: RowsByKey,
        found: RowsByKey,
    ) -> Verdict {
        let past_midnight = facts.began.date_naive() != Utc::now().date_naive();
        let (expected, found) = match &self.day {
            Some(day) if past_midnight => {
                (added_up(&self.columns, day, expected), added_up(&self.columns, day, found))
            }
            _ => (expected, found),
        };
        compare(check, place, &self.columns, &expected, &found)
    }
}

/// What the comments of an oracle say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Notes {
    not_compared: Vec<String>,
    needs: Vec<String>,
    by_day: Vec<String>,
}

impl Notes {
    fn read(sql: &str) -> Notes {
        let mut notes = Notes::default();
        for line in sql.lines() {
            let Some((key, list)) = line.strip_prefix("-- ").and_then(|l| l.split_once(": "))
            else {
                continue;
            };
            let list = list.split(',').map(|name| name.trim().to_owned());
            match key {
                "not compared" => notes.not_compared.extend(list),
                "needs" => notes.needs.extend(list),
                "by day" => notes.by_day.extend(list),
                _ => {}
            }
        }
        notes
    }

    /// What is wrong with them for this model.
    fn problem(&self, model: &GoldModel) -> Option<String> {
        let known = |name: &&String| model.columns.iter().any(|c| c.name.as_str() == **name);
        if let Some(name) = self.not_compared.iter().chain(&self.by_day).find(|n| !known(n)) {
            return Some(format!("the model has no column `{name}`"));
        }
        if let Some(name) = self.needs.iter().find(|name| *name != "journal") {
            return Some(format!("`needs` knows `journal`, not `{name}`"));
        }
        if self.by_day.is_empty() {
            return None;
        }
        let added = model.columns.iter().filter(|c| !model.grain.contains(&c.name));
        let mut added = added.filter(|c| !self.not_compared.iter().any(|n| n == c.name.as_str()));
        let odd = added.find(|c| c.lake_type != LakeType::Long);
        odd.map(|c| format!("`by day` adds up whole numbers, and `{}` is {}", c.name, c.lake_type))
    }
}

/// The question about a model.
pub(super) fn question(model: &GoldModel, oracle: &Path) -> Result<Question, VerifyError> {
    let path = oracle.join(format!("{}.sql", model.name));
    let bad = |reason| VerifyError::Fixture { path: path.display().to_string(), reason };
    let sql = std::fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    let notes = Notes::read(&sql);
    if let Some(problem) = notes.problem(model) {
        return Err(bad(problem));
    }
    let columns = model.columns.iter();
    let columns = columns.filter(|c| !notes.not_compared.iter().any(|n| n == c.name.as_str()));
    let columns = columns.map(|c| ComparedColumn {
        name: c.name.to_string(),
        expression: text::mysql_expression(c.name.as_str(), c.lake_type, None),
        sensitivity: c.sensitivity,
        is_key: model.grain.contains(&c.name),
    });
    Ok(Question {
        columns: columns.collect(),
        from: format!("(\n{}\n) answer", sql.trim().trim_end_matches(';')),
        needs_journal: !notes.needs.is_empty(),
        day: notes.by_day.into_iter().next(),
    })
}

/// Compares one Gold table with the answer of `<oracle>/<model>.sql`. Nothing when the question
/// cannot be asked in this run.
///
/// # Errors
/// When one of the two sides cannot be read.
pub async fn verify(
    lake: &LakeDefinition,
    model: &GoldModel,
    oracle: &Path,
    warehouse: &Warehouse,
    facts: &RunFacts,
    conn: &mut Conn,
) -> Result<Option<Verdict>, VerifyError> {
    let question = question(model, oracle)?;
    if !question.can_be_asked(facts) {
        return Ok(None);
    }
    let columns = &question.columns;
    let expected = mysql_rows(conn, model.name.as_str(), columns, &question.from).await?;
    let ident = spec::ident(lake, Layer::Gold, model.name.as_str());
    let batches = super::read_table(warehouse, &ident).await?;
    let found = lake_rows(model.name.as_str(), columns, &batches)?;
    let place = format!("gold.{}", model.name);
    Ok(Some(question.compare("gold", &place, facts, expected, found)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workload::schema::tests::shipped;

    fn oracle() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/oracle")
    }

    #[test]
    fn every_shipped_model_has_a_question() {
        for model in &shipped().models {
            let question = question(model, &oracle()).unwrap();
            let keys = question.columns.iter().filter(|c| c.is_key).count();
            assert_eq!(keys, model.grain.len(), "{}: the grain is compared", model.name);
        }
    }

    #[test]
    fn what_mysql_cannot_know_is_not_compared() {
        let lake = shipped();
        let question = question(lake.model("registry_operations").unwrap(), &oracle()).unwrap();
        let names: Vec<&str> = question.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            ["day", "table_name", "loaded", "inserted", "updated", "deleted", "quarantined"]
        );
        assert_eq!((question.needs_journal, question.day.as_deref()), (true, Some("day")));
        let facts = RunFacts { began: Utc::now(), journal: false };
        assert!(!question.can_be_asked(&facts));
        assert!(question.can_be_asked(&RunFacts { journal: true, ..facts }));
    }

    #[test]
    fn a_note_that_does_not_fit_the_model_is_told() {
        let lake = shipped();
        let model = lake.model("customers_by_region").unwrap();
        let problem = |sql: &str| Notes::read(sql).problem(model);
        assert_eq!(problem("-- a sentence: with a colon\n-- not compared: customers"), None);
        for wrong in ["-- not compared: customer", "-- needs: triggers", "-- by day: region"] {
            assert!(problem(wrong).is_some(), "{wrong}");
        }
    }
}
