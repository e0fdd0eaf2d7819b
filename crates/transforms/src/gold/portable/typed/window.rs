//! Windows: what they are ordered by.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::{Checker, Scope, first_place};
use crate::gold::portable::rules;

/// Functions that give tied rows the same value.
const TIES_ARE_EQUAL: [&str; 2] = ["rank", "dense_rank"];

impl Checker<'_, '_> {
    pub(super) fn window(
        &mut self,
        function: &WindowFunction,
        scope: &Scope<'_>,
        keys: &[BTreeSet<usize>],
    ) {
        let WindowFunctionParams { partition_by, order_by, window_frame, .. } = &function.params;
        for part in partition_by {
            let float = self.expr(part, scope).spark.is_float();
            self.no_floats(float, "`partition by`", "partition by a decimal or bigint");
        }
        for Sort { expr, .. } in order_by {
            let float = self.expr(expr, scope).spark.is_float();
            self.no_floats(float, "`order by`", "order by a decimal or bigint");
            self.nulls(expr, scope);
        }
        if looks_at_rows(&function.fun, window_frame) {
            let sorted = order_by.iter().map(|s| &s.expr);
            let columns: BTreeSet<usize> = partition_by
                .iter()
                .chain(sorted)
                .filter_map(|e| match e {
                    Expr::Column(column) => scope.schema.maybe_index_of_column(column),
                    _ => None,
                })
                .collect();
            if !keys.iter().any(|key| key.is_subset(&columns)) {
                let message =
                    format!("`{}` picks among rows that may be tied", function.fun.name());
                let hint = "add the key of the table to `order by`; a feed of changes has none";
                self.find(rules::WINDOW_ORDER, message, hint);
            }
        }
    }

    /// An order that says nothing of NULL where one may occur.
    fn nulls(&mut self, expr: &Expr, scope: &Scope<'_>) {
        let mut place = None;
        let _ = expr.apply(|part| {
            if let Expr::Column(column) = part {
                place = first_place(column);
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        let silent = place.is_some_and(|place| self.silent_nulls.contains(&place));
        if silent && expr.nullable(scope.schema).unwrap_or(true) {
            let message = "the engines' own defaults put NULL at different ends".to_owned();
            self.find(rules::NULLS_ORDER, message, "write order by x nulls last");
        }
    }
}

/// True when the order of tied rows shows in the result.
fn looks_at_rows(function: &WindowFunctionDefinition, frame: &WindowFrame) -> bool {
    match function {
        WindowFunctionDefinition::WindowUDF(function) => !TIES_ARE_EQUAL.contains(&function.name()),
        WindowFunctionDefinition::AggregateUDF(_) => {
            let whole = is_unbounded(&frame.start_bound) && is_unbounded(&frame.end_bound);
            frame.units == WindowFrameUnits::Rows && !whole
        }
    }
}

fn is_unbounded(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::CurrentRow => false,
        WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
            matches!(rows, ScalarValue::UInt64(None)) || rows.is_null()
        }
    }
}
