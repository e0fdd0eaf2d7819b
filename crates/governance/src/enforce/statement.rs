//! Which statements may run, and which of their tables exist.

use datafusion::common::TableReference;
use datafusion::config::Dialect;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use super::{Limits, QueryError};

/// Parses one statement and refuses all that is no question.
pub(super) fn parse(
    state: &SessionState,
    sql: &str,
    limits: &Limits,
) -> Result<Statement, QueryError> {
    let statement = state
        .sql_to_statement(sql, &Dialect::Generic)
        .map_err(|error| QueryError::of(&error, limits))?;
    if is_question(&statement) {
        Ok(statement)
    } else {
        Err(QueryError::NotAllowed { statement: first_word(sql) })
    }
}

fn is_question(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => is_question(&explain.statement),
        Statement::Statement(statement) => matches!(
            **statement,
            SqlStatement::Query(_)
                | SqlStatement::ExplainTable { .. }
                | SqlStatement::ShowTables { .. }
                | SqlStatement::ShowColumns { .. }
        ),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

/// The statement's first word, for messages; never more of it.
pub(super) fn first_word(sql: &str) -> String {
    let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    word.chars().take(20).collect::<String>().to_ascii_uppercase()
}

/// The first reference that leads to no table of the session.
pub(super) fn unknown_table(
    state: &SessionState,
    references: Vec<TableReference>,
) -> Option<QueryError> {
    let catalog_options = &state.config_options().catalog;
    let (catalog, schema) = (&catalog_options.default_catalog, &catalog_options.default_schema);
    references.into_iter().find_map(|reference| {
        let function =
            reference.schema().is_none() && state.table_functions().contains_key(reference.table());
        let found =
            state.schema_for_ref(reference.clone()).is_ok_and(|s| s.table_exist(reference.table()));
        let table = reference.resolve(catalog, schema).to_string();
        (!found && !function).then_some(QueryError::TableNotFound { table })
    })
}
