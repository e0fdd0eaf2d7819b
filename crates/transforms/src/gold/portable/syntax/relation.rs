//! Tables and joins.

use datafusion::sql::sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, TableFactor, TableWithJoins,
};

use super::Walk;
use crate::gold::portable::place::{line, line_or};
use crate::gold::portable::rules;

impl Walk<'_, '_> {
    pub(super) fn from(&mut self, from: &[TableWithJoins], at: u64) {
        if let Some(second) = from.get(1) {
            let message = "tables are listed with a comma";
            let hint = "write join … on …, or cross join";
            self.report.at(line_or(second, at), rules::JOIN, message, hint);
        }
        for TableWithJoins { relation: _, joins } in from {
            for Join { relation, global, join_operator } in joins {
                let at = line_or(relation, at);
                self.clause(*global, at, "`global`", "leave it out");
                self.join(join_operator, at);
            }
        }
    }

    fn join(&mut self, operator: &JoinOperator, at: u64) {
        let constraint = match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => constraint,
            JoinOperator::CrossJoin(JoinConstraint::None) => return,
            JoinOperator::CrossJoin(_) => {
                let message = "a cross join has no condition";
                self.report.at(at, rules::JOIN, message, "write join … on …");
                return;
            }
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_) => {
                let message = "semi and anti joins are not portable";
                let hint = "write where exists (…) or where not exists (…)";
                self.report.at(at, rules::JOIN, message, hint);
                return;
            }
            JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_) => {
                let message = "this join is not portable";
                self.report.at(at, rules::JOIN, message, "write join … on …");
                return;
            }
        };
        let (message, hint) = match constraint {
            JoinConstraint::On(_) => return,
            JoinConstraint::Using(_) => {
                ("`using` makes columns that the engines name differently", "write on a.x = b.x")
            }
            JoinConstraint::Natural => {
                ("a natural join changes with every new column", "write join … on a.x = b.x")
            }
            JoinConstraint::None => ("the join has no condition", "write on …, or cross join"),
        };
        self.report.at(at, rules::JOIN, message, hint);
    }

    pub(super) fn table(&mut self, table: &TableFactor) {
        match table {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                self.table_name(name);
                if let Some(alias) = alias {
                    self.alias(alias);
                }
                let plain = args.is_none()
                    && with_hints.is_empty()
                    && version.is_none()
                    && !with_ordinality
                    && partitions.is_empty()
                    && json_path.is_none()
                    && sample.is_none()
                    && index_hints.is_empty();
                if !plain {
                    let message = format!("`{name}` is more than the name of a table");
                    let hint = "no samples, versions, hints or table functions";
                    self.report.at(line(name), rules::TABLE, message, hint);
                }
            }
            TableFactor::Derived { lateral, subquery: _, alias, sample } => {
                let at = self.line;
                self.clause(*lateral, at, "`lateral`", "join a derived table on its keys");
                self.clause(sample.is_some(), at, "a sample", "leave it out");
                match alias {
                    Some(alias) => self.alias(alias),
                    None => self.report.at(
                        at,
                        rules::TABLE,
                        "a derived table has no name",
                        "write (select …) as t",
                    ),
                }
            }
            _ => {
                let message = "only tables and derived tables can be read";
                let hint = "write arrays as rows of a table; write nested joins as a derived table";
                self.report.at(self.line, rules::TABLE, message, hint);
            }
        }
    }

    fn table_name(&mut self, name: &ObjectName) {
        let parts: Vec<String> = name.0.iter().map(|p| p.to_string().to_lowercase()).collect();
        let known = match parts.as_slice() {
            [name] => self.named.contains(name),
            parts => parts.len() == 2,
        };
        if !known {
            let message = format!("`{name}` is not written as layer and table");
            let hint = "write silver.crm_customers, or gold.other_model";
            self.report.at(line(name), rules::TABLE, message, hint);
        }
    }
}
