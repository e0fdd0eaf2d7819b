//! Each persona sees exactly its tables, columns and rows: the governed session against a matrix
//! written down by hand, and against MySQL for the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use medallion::governed;
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_definition::policy::Policy;
use medallion_governance::enforce::{GovernedSession, QueryError};
use medallion_tables::warehouse::Warehouse;
use mysql_async::Conn;
use serde::Deserialize;

use super::compare::{lake_rows, mysql_rows};
use super::gold::Question;
use super::{Difference, RunFacts, Verdict, VerifyError, gold, silver};

/// `fixtures/access/expected.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(rename = "version")]
    _version: u32,
    /// The groups.
    pub group: Vec<ExpectedGroup>,
}

/// What one group must see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedGroup {
    /// The group.
    pub name: String,
    table: Vec<ExpectedTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTable {
    name: String,
    rows: String,
    columns: Vec<String>,
}

impl Expected {
    /// Reads the matrix.
    ///
    /// # Errors
    /// When the file is missing or has another shape.
    pub fn read(fixtures: &Path) -> Result<Expected, VerifyError> {
        let path = fixtures.join("access/expected.toml");
        let bad =
            |reason: String| VerifyError::Fixture { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
        toml::from_str(&text).map_err(|e| bad(e.to_string()))
    }
}

/// What the check looks at.
pub struct AccessCheck<'a> {
    /// The lake, with the policy in force.
    pub lake: &'a LakeDefinition,
    /// The lake's tables.
    pub warehouse: &'a Warehouse,
    /// Hand-written questions and matrix.
    pub fixtures: &'a Path,
    /// Rows that the replicator wrote, by Bronze table.
    pub bronze_rows: &'a BTreeMap<String, u64>,
    /// What is known of the run.
    pub facts: &'a RunFacts,
}

/// Groups of the policy that the matrix says nothing about: neither by name, nor by a sibling of
/// the same parameterised group (`operations-SP` speaks for every `operations-…`).
pub fn unlisted(expected: &Expected, policy: &Policy) -> Verdict {
    let stem = |name: &str| name.rsplit_once('-').map(|(stem, _)| stem.to_owned());
    let speaks_for = |listed: &ExpectedGroup, name: &str| {
        listed.name == name || (stem(name).is_some() && stem(&listed.name) == stem(name))
    };
    let mut verdict = Verdict::default();
    for group in &policy.groups {
        verdict.values += 1;
        if !expected.group.iter().any(|listed| speaks_for(listed, group.name.as_str())) {
            verdict.differences.push(Difference {
                check: "access",
                place: group.name.to_string(),
                row: None,
                column: None,
                what: "the matrix does not say what this group must see".to_owned(),
            });
        }
    }
    verdict
}

impl AccessCheck<'_> {
    /// Checks one group.
    ///
    /// # Errors
    /// When one of the sides cannot be asked at all.
    pub async fn verify(
        &self,
        group: &ExpectedGroup,
        conn: &mut Conn,
    ) -> Result<Verdict, VerifyError> {
        let failed = |source| VerifyError::Lake {
            what: format!("as {}", group.name),
            source: Box::new(source),
        };
        let session = governed::session(self.lake, self.warehouse, &group.name).await;
        let session = session.map_err(failed)?;
        let mut verdict = self.listed(group, &session).await?;
        for expected in &group.table {
            verdict.add(self.rows(group, expected, &session, conn).await?);
        }
        for table in self.lake.catalogue() {
            verdict.add(closed(group, &table, &session).await);
        }
        Ok(verdict)
    }

    /// Tables and columns as `information_schema` lists them.
    async fn listed(
        &self,
        group: &ExpectedGroup,
        session: &GovernedSession,
    ) -> Result<Verdict, VerifyError> {
        let sql = "select table_schema, table_name, column_name from information_schema.columns \
                   where table_schema <> 'information_schema'";
        let mut found = BTreeSet::new();
        for batch in ask(session, group, sql).await? {
            let text =
                |i: usize, row: usize| batch.column(i).as_string::<i32>().value(row).to_owned();
            for row in 0..batch.num_rows() {
                found.insert((format!("{}.{}", text(0, row), text(1, row)), text(2, row)));
            }
        }
        let wanted: BTreeSet<(String, String)> = group
            .table
            .iter()
            .flat_map(|t| t.columns.iter().map(|c| (t.name.clone(), c.clone())))
            .collect();
        let mut verdict = Verdict { values: wanted.len(), ..Verdict::default() };
        for (table, column) in found.difference(&wanted) {
            let what = "is open, and must not be".to_owned();
            verdict.differences.push(difference(group, table, Some(column), what));
        }
        for (table, column) in wanted.difference(&found) {
            let what = "is closed, and must be open".to_owned();
            verdict.differences.push(difference(group, table, Some(column), what));
        }
        Ok(verdict)
    }

    /// The rows of one table, value by value where MySQL knows them, else their number.
    async fn rows(
        &self,
        group: &ExpectedGroup,
        expected: &ExpectedTable,
        session: &GovernedSession,
        conn: &mut Conn,
    ) -> Result<Verdict, VerifyError> {
        let Some(question) = self.oracle(expected)? else {
            return self.counted(group, expected, session).await;
        };
        let batches = match session.query(&format!("select * from {}", expected.name)).await {
            Ok((_, batches)) => batches,
            Err(error) => {
                let mut verdict = Verdict::default();
                let what = format!("cannot be asked: {error}");
                verdict.differences.push(difference(group, &expected.name, None, what));
                return Ok(verdict);
            }
        };
        let condition = match expected.rows.as_str() {
            "all" => String::new(),
            condition => format!(" WHERE {condition}"),
        };
        let (columns, from) = (&question.columns, format!("{}{condition}", question.from));
        let mysql = mysql_rows(conn, &expected.name, columns, &from).await?;
        let place = format!("{} as {}", expected.name, group.name);
        match lake_rows(&expected.name, columns, &batches) {
            Ok(lake) => Ok(question.compare("access", &place, self.facts, mysql, lake)),
            Err(VerifyError::Missing(column)) => {
                let mut verdict = Verdict::default();
                let what = format!("`select *` lacks {column}");
                verdict.differences.push(difference(group, &expected.name, None, what));
                Ok(verdict)
            }
            Err(other) => Err(other),
        }
    }

    fn oracle(&self, expected: &ExpectedTable) -> Result<Option<Question>, VerifyError> {
        let (layer, name) = expected.name.split_once('.').unwrap_or_default();
        match layer.parse::<Layer>() {
            Ok(Layer::Silver) => {
                let contract = self.lake.tables.iter().find(|t| t.table.lake_table() == name);
                let from = format!("expected.`{name}`");
                Ok(contract.map(|c| Question::new(silver::columns(c), from)))
            }
            Ok(Layer::Gold) => match self.lake.model(name) {
                Some(model) => {
                    let question = gold::question(model, &self.fixtures.join("oracle"))?;
                    Ok(Some(question).filter(|q| q.can_be_asked(self.facts)))
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    async fn counted(
        &self,
        group: &ExpectedGroup,
        expected: &ExpectedTable,
        session: &GovernedSession,
    ) -> Result<Verdict, VerifyError> {
        let sql = format!("select count(*) from {}", expected.name);
        let batches = ask(session, group, &sql).await?;
        let found = batches
            .first()
            .map_or(0, |b| b.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0));
        let mut verdict =
            Verdict { rows: usize::try_from(found).unwrap_or(0), ..Verdict::default() };
        if let Some(written) = self.bronze_rows.get(&expected.name)
            && u64::try_from(found) != Ok(*written)
        {
            let what = format!("{written} rows were written, {found} are seen");
            verdict.differences.push(difference(group, &expected.name, None, what));
        }
        Ok(verdict)
    }
}

/// What must be closed does not exist, in Athena's words.
async fn closed(
    group: &ExpectedGroup,
    table: &CatalogueTable,
    session: &GovernedSession,
) -> Verdict {
    let name = format!("{}.{}", table.layer, table.name);
    let mut verdict = Verdict::default();
    let Some(expected) = group.table.iter().find(|t| t.name == name) else {
        verdict.values += 1;
        let answer = session.query(&format!("select * from {name}")).await;
        if !matches!(answer, Err(QueryError::TableNotFound { .. })) {
            let what = "answers, and must not exist".to_owned();
            verdict.differences.push(difference(group, &name, None, what));
        }
        return verdict;
    };
    let shown = |name: &str| expected.columns.contains(&name.to_ascii_lowercase());
    for column in table.columns.iter().filter(|c| !shown(&c.name)) {
        verdict.values += 1;
        let sql = format!("select \"{}\" from {name}", column.name);
        if !matches!(session.query(&sql).await, Err(QueryError::ColumnNotFound { .. })) {
            let what = "answers, and must not exist".to_owned();
            verdict.differences.push(difference(group, &name, Some(&column.name), what));
        }
    }
    verdict
}

async fn ask(
    session: &GovernedSession,
    group: &ExpectedGroup,
    sql: &str,
) -> Result<Vec<RecordBatch>, VerifyError> {
    let answer = session.query(sql).await;
    answer.map(|(_, batches)| batches).map_err(|source| VerifyError::Lake {
        what: format!("as {}", group.name),
        source: Box::new(source),
    })
}

fn difference(
    group: &ExpectedGroup,
    table: &str,
    column: Option<&str>,
    what: String,
) -> Difference {
    Difference {
        check: "access",
        place: format!("{table} as {}", group.name),
        row: None,
        column: column.map(str::to_owned),
        what,
    }
}
