//! The second pass: the parsed query against lists of what is allowed. Every part of the syntax
//! tree is taken apart in full, so that a new version of the parser cannot add one unseen.

mod expression;
mod function;
mod relation;
mod select;

use std::collections::{HashSet, VecDeque};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SetExpr, SetOperator, SetQuantifier, Statement, TableAlias, TableFactor,
    Visit, Visitor, With,
};

use super::place::{Place, line, line_or};
use super::{Report, only, rules};

pub(super) use expression::is_date;

/// Adds what the syntax tells. Returns the places of orders within windows that say nothing of
/// NULL; whether it can occur only the plan knows.
pub(super) fn check(statements: &VecDeque<DFStatement>, report: &mut Report<'_>) -> HashSet<Place> {
    let query = match only(statements) {
        Some(DFStatement::Statement(statement)) => match statement.as_ref() {
            Statement::Query(query) => Some(query),
            _ => None,
        },
        _ => None,
    };
    let Some(query) = query else {
        let message = "this is not one query";
        report.at(0, rules::STATEMENT, message, "a model is one select, with or without `with`");
        return HashSet::new();
    };
    let mut walk = Walk {
        report,
        named: HashSet::new(),
        conditions: HashSet::new(),
        silent_nulls: HashSet::new(),
        line: 1,
    };
    let _ = query.visit(&mut walk);
    walk.silent_nulls
}

/// A walk over one query.
struct Walk<'a, 'r> {
    report: &'a mut Report<'r>,
    /// Names of `with` queries.
    named: HashSet<String>,
    /// Addresses of the subqueries that stand where conditions may.
    conditions: HashSet<*const Expr>,
    /// Where the first columns of such orders stand.
    silent_nulls: HashSet<Place>,
    /// The line of the part that was last seen.
    line: u64,
}

impl Visitor for Walk<'_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.line = line_or(query, self.line);
        self.query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.line = line_or(table, self.line);
        self.table(table);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.line = line_or(expr, self.line);
        self.expression(expr);
        ControlFlow::Continue(())
    }
}

impl Walk<'_, '_> {
    fn clause(&mut self, there: bool, at: u64, what: &str, hint: &str) {
        if there {
            let message = format!("{what} is not portable");
            self.report.at(at, rules::CLAUSE, message, hint);
        }
    }

    fn query(&mut self, query: &Query) {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if let Some(with) = with {
            self.with(with);
        }
        if let Some(order) = order_by {
            let message = "a table has no order";
            let hint = "leave `order by` out; order within a window stands in over (…)";
            self.report.at(line_or(order, self.line), rules::ORDER, message, hint);
        }
        let limit = limit_clause.as_ref().map(line).or_else(|| fetch.as_ref().map(line));
        if let Some(at) = limit {
            let message = "a limit without a total order picks other rows in every run";
            let hint = "number the rows with row_number() over (order by … key) and filter by it";
            let at = if at == 0 { self.line } else { at };
            self.report.at(at, rules::ORDER, message, hint);
        }
        let nothing = "leave it out";
        self.clause(!locks.is_empty(), self.line, "a lock", nothing);
        self.clause(for_clause.is_some(), self.line, "`for`", nothing);
        self.clause(settings.is_some(), self.line, "`settings`", nothing);
        self.clause(format_clause.is_some(), self.line, "`format`", nothing);
        self.clause(!pipe_operators.is_empty(), self.line, "`|>`", "write nested queries");
        self.set_expression(body);
    }

    fn with(&mut self, with: &With) {
        let With { with_token: _, recursive, cte_tables } = with;
        let at = line_or(with, self.line);
        self.clause(
            *recursive,
            at,
            "`with recursive`",
            "Spark 3.5 has none: join as often as needed",
        );
        for cte in cte_tables {
            let at = line_or(&cte.alias, self.line);
            self.clause(cte.materialized.is_some(), at, "`materialized`", "leave it out");
            self.clause(cte.from.is_some(), at, "`from` after a `with` query", "leave it out");
            self.alias(&cte.alias);
            self.named.insert(cte.alias.name.value.to_lowercase());
        }
    }

    fn set_expression(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            // The visitor comes to it.
            SetExpr::Query(_) => {}
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let plain = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::None);
                if *op != SetOperator::Union || !plain {
                    let message = format!("`{op} {set_quantifier}` is not portable");
                    let hint = "write union all, union, or where [not] exists (…)";
                    let at = line_or(right.as_ref(), self.line);
                    self.report.at(at, rules::SET_OPERATION, message, hint);
                }
                self.set_expression(left);
                self.set_expression(right);
            }
            SetExpr::Values(_)
            | SetExpr::Table(_)
            | SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_) => {
                let message = "only `select` makes rows in both engines";
                let hint = "write select … union all select …";
                self.report.at(line_or(body, self.line), rules::STATEMENT, message, hint);
            }
        }
    }

    /// The name of a table within the query.
    fn alias(&mut self, alias: &TableAlias) {
        let TableAlias { explicit: _, name, columns } = alias;
        self.new_name(name);
        // Before these, Spark sees a kind of join.
        let words = ["anti", "semi", "minus", "lateral"];
        if words.contains(&name.value.to_lowercase().as_str()) {
            let message = format!("`{name}` is a word of Spark's grammar");
            self.report.at(name.span.start.line, rules::IDENTIFIER, message, "choose another name");
        }
        for column in columns {
            self.new_name(&column.name);
        }
    }

    /// A name that the query gives.
    fn new_name(&mut self, name: &Ident) {
        // Names in double quotes and backticks are found among the tokens.
        if name.quote_style == Some('\'') {
            let message = format!("the name `{}` stands in quotes", name.value);
            self.report.at(
                name.span.start.line,
                rules::IDENTIFIER,
                message,
                "leave the quotes out",
            );
        }
    }
}
