//! One `select`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, NamedWindowDefinition, Select, SelectFlavor, SelectItem,
    UnaryOperator, Value, WildcardAdditionalOptions, visit_expressions,
};

use super::Walk;
use crate::gold::portable::place::line_or;
use crate::gold::portable::rules;

impl Walk<'_, '_> {
    pub(super) fn select(&mut self, select: &Select) {
        self.refused_clauses(select);
        let at = line_or(select, self.line);
        if select.projection.is_empty() {
            let message = "the query selects nothing";
            self.report.at(at, rules::STATEMENT, message, "name the columns");
        }
        for item in &select.projection {
            self.item(item, at);
        }
        self.from(&select.from, at);
        for condition in [&select.selection, &select.having].into_iter().flatten() {
            self.condition(condition);
        }
        self.group_by(&select.group_by, at);
        self.aliases(select);
    }

    fn refused_clauses(&mut self, select: &Select) {
        let Select {
            select_token: _,
            optimizer_hint,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by: _,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let at = line_or(select, self.line);
        let out = "leave it out";
        self.clause(
            matches!(distinct, Some(Distinct::On(_))),
            at,
            "`distinct on`",
            "number the rows with row_number() and take the first",
        );
        self.clause(optimizer_hint.is_some(), at, "a hint", out);
        self.clause(select_modifiers.is_some(), at, "a modifier of `select`", out);
        self.clause(
            top.is_some(),
            at,
            "`top`",
            "number the rows with row_number() and filter by it",
        );
        self.clause(exclude.is_some(), at, "`exclude`", "name the columns");
        self.clause(into.is_some(), at, "`into`", out);
        self.clause(!lateral_views.is_empty(), at, "`lateral view`", out);
        self.clause(prewhere.is_some(), at, "`prewhere`", "write `where`");
        self.clause(!connect_by.is_empty(), at, "`connect by`", out);
        self.clause(!cluster_by.is_empty(), at, "`cluster by`", out);
        self.clause(!distribute_by.is_empty(), at, "`distribute by`", out);
        self.clause(!sort_by.is_empty(), at, "`sort by`", out);
        self.windows(named_window, qualify.as_ref(), at);
        self.clause(value_table_mode.is_some(), at, "`as struct` or `as value`", out);
        self.clause(
            *flavor != SelectFlavor::Standard,
            at,
            "`from` before `select`",
            "begin with `select`",
        );
    }

    fn windows(&mut self, named: &[NamedWindowDefinition], qualify: Option<&Expr>, at: u64) {
        let place = named.first().map_or(at, |w| line_or(w, at));
        self.clause(!named.is_empty(), place, "`window`", "write the window in over (…)");
        let place = qualify.map_or(at, |q| line_or(q, at));
        self.clause(qualify.is_some(), place, "`qualify`", "filter in an outer query");
    }

    fn item(&mut self, item: &SelectItem, at: u64) {
        match item {
            SelectItem::UnnamedExpr(_) => {}
            SelectItem::ExprWithAlias { expr: _, alias } => self.new_name(alias),
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                let WildcardAdditionalOptions {
                    wildcard_token: _,
                    opt_ilike,
                    opt_exclude,
                    opt_except,
                    opt_replace,
                    opt_rename,
                } = options;
                let plain = opt_ilike.is_none()
                    && opt_exclude.is_none()
                    && opt_except.is_none()
                    && opt_replace.is_none()
                    && opt_rename.is_none();
                self.clause(!plain, line_or(item, at), "`*` with exceptions", "name the columns");
            }
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr, at: u64) {
        let hint = "write out the grouped expressions";
        let GroupByExpr::Expressions(keys, modifiers) = group_by else {
            self.report.at(at, rules::GROUP_BY, "`group by all` is not portable", hint);
            return;
        };
        if !modifiers.is_empty() {
            self.report.at(at, rules::GROUP_BY, "`group by … with` is not portable", hint);
        }
        for key in keys {
            match key {
                Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                    let message = "a group is given by its position";
                    self.report.at(line_or(key, at), rules::GROUP_BY, message, hint);
                }
                Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                    let message = "grouping sets are not portable";
                    let hint = "write one query for each set, with union all";
                    self.report.at(line_or(key, at), rules::GROUP_BY, message, hint);
                }
                _ => {}
            }
        }
    }

    /// A name that `select` gives to an expression, used in `group by` or `having`: the engines
    /// disagree when a column has that name too.
    fn aliases(&mut self, select: &Select) {
        let given = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { expr, alias } if !is_column(expr, alias) => {
                Some(alias.value.to_lowercase())
            }
            _ => None,
        };
        let given: HashSet<String> = select.projection.iter().filter_map(given).collect();
        let mut used = Vec::new();
        let mut look = |expr: &Expr| {
            if let Expr::Identifier(name) = expr
                && given.contains(&name.value.to_lowercase())
            {
                used.push(name.clone());
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = visit_expressions(&select.group_by, &mut look);
        let _ = visit_expressions(&select.having, &mut look);
        for name in used {
            let message = format!("`{name}` is a name that `select` gives");
            let hint = "write the expression, or name it in an inner query";
            self.report.at(name.span.start.line, rules::GROUP_BY, message, hint);
        }
    }

    /// Marks the subqueries that are conditions of their own, joined by `and`, `or` and, around
    /// `exists`, `not`: there NULL and false are the same.
    fn condition(&mut self, expr: &Expr) {
        match expr {
            Expr::BinaryOp { left, op, right }
                if matches!(op.to_string().as_str(), "AND" | "OR") =>
            {
                self.condition(left);
                self.condition(right);
            }
            Expr::Nested(inner) => self.condition(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } if is_exists(expr) => {
                self.condition(expr);
            }
            Expr::Exists { .. } | Expr::InSubquery { negated: false, .. } => {
                self.conditions.insert(std::ptr::from_ref(expr));
            }
            _ => {}
        }
    }
}

fn is_exists(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_exists(inner),
        other => matches!(other, Expr::Exists { .. }),
    }
}

/// True for `x as x` and `t.x as x`.
fn is_column(expr: &Expr, alias: &Ident) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    name.is_some_and(|n| n.value.eq_ignore_ascii_case(&alias.value))
}
