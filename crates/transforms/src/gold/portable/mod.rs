//! The checked portable subset of SQL: what passes plans in `DataFusion` 53 and runs unchanged on
//! Spark SQL 3.5 (ANSI mode, session time zone UTC) with the same result, run after run.
//!
//! Three passes, from what is cheapest to tell to what needs types:
//! `tokens` reads spellings (quotes, escapes, number formats), `syntax` walks the parsed query
//! by lists of what is allowed, and `typed` walks `DataFusion`'s logical plan and computes beside it
//! the type that Spark gives to every expression. `docs/portable-sql.md` is the subset for people;
//! `fixtures/portable` holds queries of it with the answers of Spark.

mod allowed;
#[cfg(test)]
mod differential;
mod functions;
mod place;
mod refused;
mod rules;
mod spark_type;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;
mod typed;

use std::collections::VecDeque;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use medallion_definition::finding::{Finding, Findings, RuleId};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;

pub use functions::register;
pub use rules::{RULES, Rule};

use super::session::empty_session;

/// Everything in a model's query that is not portable, in the order of lines. Plans the query over
/// tables without rows; reads and writes nothing.
pub async fn findings(lake: &LakeDefinition, model: &GoldModel) -> Findings {
    let mut report = Report { model, found: Vec::new() };
    tokens::check(&model.sql, &mut report);
    let silent = match DFParser::parse_sql(&model.sql) {
        Ok(statements) => syntax::check(&statements, &mut report),
        Err(error) => {
            report.planning(&error);
            return report.finish();
        }
    };
    match plan(lake, model).await {
        Ok((plan, executable)) => {
            typed::check(lake, &plan, &silent, &mut report);
            if let Err(error) = executable {
                report.planning(&error);
            }
        }
        Err(error) => report.planning(&error),
    }
    report.finish()
}

/// The plan as the SQL planner makes it, before types are coerced and with the places of columns,
/// and whether it can be executed.
async fn plan(
    lake: &LakeDefinition,
    model: &GoldModel,
) -> Result<(LogicalPlan, Result<(), DataFusionError>), DataFusionError> {
    let context = empty_session(lake)?;
    collect_places(&context);
    let plan = context.sql(&model.sql).await?.into_unoptimized_plan();
    let executable = context.state().create_physical_plan(&plan).await.map(|_| ());
    Ok((plan, executable))
}

fn collect_places(context: &SessionContext) {
    let state = context.state_ref();
    state.write().config_mut().options_mut().sql_parser.collect_spans = true;
}

/// The findings of one model.
struct Report<'a> {
    /// The model.
    model: &'a GoldModel,
    found: Vec<Finding>,
}

impl Report<'_> {
    /// A finding on a line of the query, counted from 1; 0 where the parser knows none.
    fn at(&mut self, line: u64, rule: RuleId, message: impl Into<String>, hint: &str) {
        let line = usize::try_from(line.max(1)).unwrap_or(1);
        self.in_file(self.model.sql_line + line - 1, rule, message, hint);
    }

    /// A finding on a line of the file.
    fn in_file(&mut self, line: usize, rule: RuleId, message: impl Into<String>, hint: &str) {
        let finding = Finding {
            rule,
            file: self.model.file.clone(),
            line,
            message: message.into(),
            hint: hint.to_owned(),
        };
        // One expression can stand in several nodes of a plan.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    fn planning(&mut self, error: &DataFusionError) {
        let text = error.strip_backtrace();
        let line = match error.diagnostic().and_then(|d| d.span) {
            Some(span) => span.start.line,
            None => line_in(&text),
        };
        let first = text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        self.at(line, rules::PLAN, first, "a model is one query that DataFusion can plan");
    }

    fn finish(mut self) -> Findings {
        self.found.sort_by_key(|finding| (finding.line, finding.rule));
        let mut findings = Findings::default();
        for finding in self.found {
            findings.push(finding);
        }
        findings
    }
}

/// The line that a parser's message names, or 0.
fn line_in(message: &str) -> u64 {
    let after = message.split_once("Line: ").map_or("", |(_, after)| after);
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// The one statement of a text, when it is one.
fn only(statements: &VecDeque<Statement>) -> Option<&Statement> {
    statements.front().filter(|_| statements.len() == 1)
}
