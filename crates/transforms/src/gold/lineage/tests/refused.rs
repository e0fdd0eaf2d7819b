//! What lineage cannot follow is refused by name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore, lit, placeholder,
};

use super::{lake, model};
use crate::error::{Advice, TransformError};
use crate::gold::lineage::lineage;
use crate::gold::lineage::plan::Walk;

#[tokio::test]
async fn what_is_not_known_is_named() {
    let cases = [
        (
            "with recursive n as (select 1 as x union all select x + 1 from n where x < 3)
             select x from n",
            "a recursive query",
        ),
        (
            "select region, count(*) as n from silver.crm_customers group by rollup (region)",
            "grouping sets",
        ),
        ("explain select 1 as one", "a statement that is no query"),
    ];
    for (sql, part) in cases {
        let error = lineage(&lake(), &model(&[], sql)).await.unwrap_err();
        assert_eq!(error.advice(), Advice::Operator);
        let text = error.to_string();
        assert!(text.contains(part) && text.contains("models/made_up.sql:90"), "{text}");
    }
}

#[tokio::test]
async fn a_query_that_does_not_plan_is_another_error() {
    let error = lineage(&lake(), &model(&[], "select nothing from silver.crm_customers")).await;
    assert!(matches!(error, Err(TransformError::Query { .. })), "{error:?}");
}

/// A node of somebody else.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Foreign(DFSchemaRef);

impl PartialOrd for Foreign {
    fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
        None
    }
}

impl UserDefinedLogicalNodeCore for Foreign {
    fn name(&self) -> &'static str {
        "Foreign"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }
    fn schema(&self) -> &DFSchemaRef {
        &self.0
    }
    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Foreign(Arc::clone(&self.0)))
    }
}

#[test]
fn a_foreign_node_and_a_parameter_are_refused_wherever_they_stand() {
    let (lake, model) = (lake(), model(&[], "select 1 as one"));
    let refused = |plan: &LogicalPlan| {
        let error = Walk::new(&lake, &model).relation(plan, None).err();
        error.map(|e| e.to_string()).unwrap_or_default()
    };
    let foreign =
        LogicalPlan::Extension(Extension { node: Arc::new(Foreign(Arc::new(DFSchema::empty()))) });
    let above = LogicalPlanBuilder::from(foreign).filter(lit(true)).unwrap().build().unwrap();
    assert!(refused(&above).contains("the plan node `Foreign`"), "{}", refused(&above));

    let one = LogicalPlanBuilder::empty(true);
    let parameter = one.project([placeholder("$1").alias("p")]).unwrap().build().unwrap();
    assert!(refused(&parameter).contains("a parameter"), "{}", refused(&parameter));
}
