//! Calls of functions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, OrderByExpr, Value, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowSpec, WindowType, visit_expressions,
};

use super::Walk;
use crate::gold::portable::allowed::{self, Allowed, Kind};
use crate::gold::portable::place::{Place, line_or};
use crate::gold::portable::{refused, rules};

/// Functions that can be restricted to distinct values.
const DISTINCT: [&str; 2] = ["count", "sum"];
/// Names that are written with words between the arguments; as plain calls they differ.
const WORDED: [&str; 2] = ["position", "extract"];
/// Window functions whose frame can be chosen; others have none.
const FRAMED: [&str; 2] = ["first_value", "last_value"];

impl Walk<'_, '_> {
    pub(super) fn function(&mut self, function: &Function) {
        let name = function.name.to_string().to_lowercase();
        let at = line_or(function, self.line);
        let known = allowed::function(&name).filter(|_| !WORDED.contains(&name.as_str()));
        let Some(allowed) = known else {
            let (rule, hint) = refused::hint(&name);
            self.report.at(at, rule, format!("the function `{name}` is not portable"), hint);
            return;
        };
        let Function {
            name: _,
            uses_odbc_syntax,
            parameters,
            args,
            filter,
            null_treatment,
            over,
            within_group,
        } = function;
        let special = *uses_odbc_syntax
            || *parameters != FunctionArguments::None
            || null_treatment.is_some()
            || !within_group.is_empty();
        if special {
            let message = format!("this form of `{name}` is not portable");
            self.report.at(at, rules::FUNCTION, message, "call it with plain arguments");
        }
        let distinct = self.arguments(allowed, &name, args, at);
        if filter.is_some() && (allowed.kind != Kind::Aggregate || over.is_some()) {
            let message = "`filter` stands at an aggregate of a group only";
            let hint = "write sum(case when … then x end) over (…)";
            self.report.at(at, rules::FUNCTION, message, hint);
        }
        self.over(allowed, &name, over.as_ref(), distinct, at);
    }

    /// Checks number and form of the arguments; true when they are `distinct`.
    fn arguments(
        &mut self,
        allowed: &Allowed,
        name: &str,
        args: &FunctionArguments,
        at: u64,
    ) -> bool {
        let FunctionArguments::List(list) = args else {
            let message = format!("`{name}` has no arguments in parentheses");
            self.report.at(at, rules::FUNCTION, message, "write name(arguments)");
            return false;
        };
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if distinct && !DISTINCT.contains(&allowed.planned) {
            let message = format!("`{name}(distinct …)` is not portable");
            self.report.at(at, rules::FUNCTION, message, "leave `distinct` out");
        }
        let plain = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => true,
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => name == "count" && !distinct,
            _ => false,
        };
        if !clauses.is_empty() || !args.iter().all(plain) {
            let message = format!("this form of `{name}` is not portable");
            self.report.at(at, rules::FUNCTION, message, "call it with plain arguments");
        }
        if !(allowed.least..=allowed.most).contains(&args.len()) {
            let message = format!("`{name}` has {} arguments", args.len());
            let hint = format!("{}: {}", arity(allowed), allowed.why);
            self.report.at(at, rules::FUNCTION, message, &hint);
        }
        distinct
    }

    fn over(
        &mut self,
        allowed: &Allowed,
        name: &str,
        over: Option<&WindowType>,
        distinct: bool,
        at: u64,
    ) {
        let window = |walk: &mut Self, message: String, hint: &str| {
            walk.report.at(at, rules::WINDOW, message, hint);
        };
        let spec = match over {
            None if allowed.kind == Kind::Window => {
                return window(self, format!("`{name}` has no window"), "write over (…)");
            }
            None => return,
            Some(WindowType::NamedWindow(_)) => {
                return window(self, "the window is named".to_owned(), "write it in over (…)");
            }
            Some(WindowType::WindowSpec(spec)) => spec,
        };
        let WindowSpec { window_name, partition_by: _, order_by, window_frame } = spec;
        self.silent_nulls.extend(order_by.iter().filter_map(silent_about_nulls));
        if allowed.kind == Kind::Scalar {
            window(self, format!("`{name}` is no window function"), "leave over (…) out");
        }
        if window_name.is_some() {
            window(self, "the window is named".to_owned(), "write it in over (…)");
        }
        if distinct {
            window(
                self,
                "Spark has no `distinct` in windows".to_owned(),
                "group in an inner query",
            );
        }
        let framed = allowed.kind == Kind::Aggregate || FRAMED.contains(&name);
        let ordered = !order_by.is_empty();
        let rows = window_frame.as_ref().is_some_and(|f| f.units == WindowFrameUnits::Rows);
        if !ordered && (allowed.kind == Kind::Window || rows) {
            window(self, format!("`{name}` needs an order"), "write over (… order by key)");
        }
        match window_frame {
            Some(_) if !framed => {
                window(self, format!("`{name}` has no frame"), "leave the frame out");
            }
            Some(frame) if !is_plain(frame) => window(
                self,
                "this frame is not portable".to_owned(),
                "write rows between 2 preceding and current row, with literal numbers",
            ),
            _ => {}
        }
    }
}

/// Where the order's first column stands, when nothing is said of NULL.
fn silent_about_nulls(order: &OrderByExpr) -> Option<Place> {
    if order.options.nulls_first.is_some() {
        return None;
    }
    let mut first = None;
    let _ = visit_expressions(&order.expr, |expr| {
        let column = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.first(),
            _ => None,
        };
        first = column.map(|name| (name.span.start.line, name.span.start.column));
        if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    first
}

fn arity(allowed: &Allowed) -> String {
    if allowed.least == allowed.most {
        format!("it takes {}", allowed.least)
    } else {
        format!("it takes {} or more", allowed.least)
    }
}

/// Rows between literal bounds, or a range between the current row and an end.
fn is_plain(frame: &WindowFrame) -> bool {
    let WindowFrame { units, start_bound, end_bound } = frame;
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow
        | WindowFrameBound::Preceding(None)
        | WindowFrameBound::Following(None) => true,
        WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) => {
            let literal =
                matches!(rows.as_ref(), Expr::Value(v) if matches!(v.value, Value::Number(..)));
            *units == WindowFrameUnits::Rows && literal
        }
    };
    *units != WindowFrameUnits::Groups && bound(start_bound) && end_bound.as_ref().is_none_or(bound)
}
