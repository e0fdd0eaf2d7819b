//! The walk over a query's plan, from the tables up.

use std::collections::BTreeSet;

use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, JoinType, LogicalPlan, TableScan, Union, Window,
};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;

use super::scope::{Frame, Scope};
use super::source::{SourceColumn, Sources, Subtype, Transformation};
use crate::error::TransformError;
use crate::gold::Input;
use crate::gold::graph::readable;

/// What the rows of a plan's node are made of.
pub(super) struct Relation {
    /// Its columns in order.
    pub(super) columns: Vec<Sources>,
    /// What decides about its rows.
    pub(super) rows: Sources,
}

/// The walk over one model's plan.
pub(super) struct Walk<'a> {
    model: &'a GoldModel,
    known: BTreeSet<Input>,
}

type Walked = Result<Relation, TransformError>;

impl<'a> Walk<'a> {
    pub(super) fn new(lake: &LakeDefinition, model: &'a GoldModel) -> Walk<'a> {
        Walk { model, known: readable(lake) }
    }

    /// What a node is made of; `outer` is what a subquery can see of the queries around it.
    pub(super) fn relation(&self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Walked {
        let relation = match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan)?,
            LogicalPlan::Projection(p) => self.projection(&p.input, &p.expr, outer)?,
            LogicalPlan::Filter(f) => {
                self.decided(&f.input, [&f.predicate], Subtype::Filter, outer)?
            }
            LogicalPlan::Sort(s) => {
                self.decided(&s.input, s.expr.iter().map(|e| &e.expr), Subtype::Sort, outer)?
            }
            LogicalPlan::Limit(l) => {
                let counts = l.skip.as_deref().into_iter().chain(l.fetch.as_deref());
                self.decided(&l.input, counts, Subtype::Filter, outer)?
            }
            LogicalPlan::Aggregate(a) => self.aggregate(a, outer)?,
            LogicalPlan::Window(w) => self.window(w, outer)?,
            LogicalPlan::Join(j) => self.join(j, outer)?,
            LogicalPlan::Union(u) => self.union(u, outer)?,
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input, outer)?,
            LogicalPlan::Distinct(Distinct::On(d)) => self.distinct_on(d, outer)?,
            LogicalPlan::Values(v) => self.values(&v.values, outer)?,
            LogicalPlan::EmptyRelation(e) => Relation {
                columns: vec![Sources::default(); e.schema.fields().len()],
                rows: Sources::default(),
            },
            LogicalPlan::SubqueryAlias(s) => self.relation(&s.input, outer)?,
            LogicalPlan::Subquery(s) => self.relation(&s.subquery, outer)?,
            // Moves rows about and changes none.
            LogicalPlan::Repartition(r) => self.relation(&r.input, outer)?,
            LogicalPlan::RecursiveQuery(_) => return Err(self.unknown("a recursive query")),
            LogicalPlan::Unnest(_) => return Err(self.unknown("UNNEST")),
            LogicalPlan::Extension(e) => {
                return Err(self.unknown(&format!("the plan node `{}`", e.node.name())));
            }
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => {
                return Err(self.unknown("a statement that is no query"));
            }
        };
        // One input of a node forgotten would shift every column behind it.
        if relation.columns.len() == plan.schema().fields().len() {
            return Ok(relation);
        }
        let name = plan.display().to_string();
        let name = name.split([':', ' ']).next().unwrap_or_default();
        Err(self.unknown(&format!("the plan node `{name}` in this form")))
    }

    /// The error for a part of a query whose sources are not known.
    pub(super) fn unknown(&self, part: &str) -> TransformError {
        TransformError::Lineage {
            model: self.model.name.to_string(),
            place: format!("{}:{}", self.model.file, self.model.sql_line),
            part: part.to_owned(),
        }
    }

    fn scan(&self, scan: &TableScan) -> Walked {
        let table = scan.table_name.clone().resolve("lake", "gold");
        let layer = table.schema.parse::<Layer>().ok();
        let input = layer.map(|layer| Input { layer, table: table.table.to_string() });
        let Some(input) = input.filter(|i| self.known.contains(i)) else {
            return Err(self.unknown(&format!("`{}`, which is no table", scan.table_name)));
        };
        if !scan.filters.is_empty() {
            return Err(self.unknown("filters within a scan"));
        }
        let fields = scan.projected_schema.fields().iter();
        let column = |name: &String| SourceColumn { input: input.clone(), column: name.clone() };
        let columns = fields.map(|f| Sources::identity(column(f.name()))).collect();
        Ok(Relation { columns, rows: Sources::default() })
    }

    fn projection(
        &self,
        input: &LogicalPlan,
        expressions: &[Expr],
        outer: Option<&Scope<'_>>,
    ) -> Walked {
        let below = self.relation(input, outer)?;
        let frames = [below.frame(input)];
        let columns = self.each(expressions, &Scope::new(&frames, outer))?;
        Ok(Relation { columns, rows: below.rows })
    }

    /// What each of the expressions is computed from.
    fn each(
        &self,
        expressions: &[Expr],
        scope: &Scope<'_>,
    ) -> Result<Vec<Sources>, TransformError> {
        let identity = Transformation::new(Subtype::Identity);
        expressions.iter().map(|e| self.expression(e, identity, scope)).collect()
    }

    /// What all of the expressions together decide by.
    fn deciding<'e>(
        &self,
        expressions: impl IntoIterator<Item = &'e Expr>,
        how: Subtype,
        scope: &Scope<'_>,
    ) -> Result<Sources, TransformError> {
        let mut sources = Sources::default();
        for expression in expressions {
            sources.extend(self.expression(expression, Transformation::new(how), scope)?);
        }
        Ok(sources)
    }

    /// An input of which expressions choose or order the rows.
    fn decided<'e>(
        &self,
        input: &LogicalPlan,
        expressions: impl IntoIterator<Item = &'e Expr>,
        how: Subtype,
        outer: Option<&Scope<'_>>,
    ) -> Walked {
        let mut below = self.relation(input, outer)?;
        let frames = [below.frame(input)];
        let rows = self.deciding(expressions, how, &Scope::new(&frames, outer))?;
        below.rows.extend(rows);
        Ok(below)
    }

    fn aggregate(&self, node: &Aggregate, outer: Option<&Scope<'_>>) -> Walked {
        let mut below = self.relation(&node.input, outer)?;
        let frames = [below.frame(&node.input)];
        let scope = Scope::new(&frames, outer);
        let mut columns = self.each(&node.group_expr, &scope)?;
        columns.extend(self.each(&node.aggr_expr, &scope)?);
        let groups = self.deciding(&node.group_expr, Subtype::GroupBy, &scope)?;
        below.rows.extend(groups);
        Ok(Relation { columns, rows: below.rows })
    }

    fn window(&self, node: &Window, outer: Option<&Scope<'_>>) -> Walked {
        let mut below = self.relation(&node.input, outer)?;
        let frames = [below.frame(&node.input)];
        let more = self.each(&node.window_expr, &Scope::new(&frames, outer))?;
        below.columns.extend(more);
        Ok(below)
    }

    fn join(&self, node: &Join, outer: Option<&Scope<'_>>) -> Walked {
        let left = self.relation(&node.left, outer)?;
        let frames = [left.frame(&node.left)];
        let beside = Scope::new(&frames, outer);
        let around = if is_lateral(&node.right) { Some(&beside) } else { outer };
        let right = self.relation(&node.right, around)?;
        let frames = [left.frame(&node.left), right.frame(&node.right)];
        let both = Scope::new(&frames, outer);
        let left_keys = Scope::new(&frames[..1], outer);
        let right_keys = Scope::new(&frames[1..], outer);
        let mut on = self.deciding(node.on.iter().map(|(l, _)| l), Subtype::Join, &left_keys)?;
        on.extend(self.deciding(node.on.iter().map(|(_, r)| r), Subtype::Join, &right_keys)?);
        on.extend(self.deciding(&node.filter, Subtype::Join, &both)?);
        // Tells for each row whether it has a partner: the condition as a value.
        let mut mark = Sources::default();
        for sources in [&on, &right.rows] {
            mark.add(Transformation::new(Subtype::Conditional), sources);
        }
        let columns = match node.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                [left.columns, right.columns].concat()
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
            JoinType::RightSemi | JoinType::RightAnti => right.columns,
            JoinType::LeftMark => [left.columns, vec![mark]].concat(),
            JoinType::RightMark => [right.columns, vec![mark]].concat(),
        };
        on.extend(left.rows);
        on.extend(right.rows);
        Ok(Relation { columns, rows: on })
    }

    /// Columns by position, whatever their names.
    fn union(&self, node: &Union, outer: Option<&Scope<'_>>) -> Walked {
        let mut all = Relation {
            columns: vec![Sources::default(); node.schema.fields().len()],
            rows: Sources::default(),
        };
        for input in &node.inputs {
            let one = self.relation(input, outer)?;
            if one.columns.len() != all.columns.len() {
                return Err(self.unknown("a UNION of different numbers of columns"));
            }
            for (column, more) in all.columns.iter_mut().zip(one.columns) {
                column.extend(more);
            }
            all.rows.extend(one.rows);
        }
        Ok(all)
    }

    /// Every column decides which rows are alike.
    fn distinct(&self, input: &LogicalPlan, outer: Option<&Scope<'_>>) -> Walked {
        let mut below = self.relation(input, outer)?;
        for column in &below.columns {
            below.rows.add(Transformation::new(Subtype::GroupBy), column);
        }
        Ok(below)
    }

    fn distinct_on(&self, node: &DistinctOn, outer: Option<&Scope<'_>>) -> Walked {
        let mut below = self.relation(&node.input, outer)?;
        let frames = [below.frame(&node.input)];
        let scope = Scope::new(&frames, outer);
        let columns = self.each(&node.select_expr, &scope)?;
        let mut rows = self.deciding(&node.on_expr, Subtype::GroupBy, &scope)?;
        let order = node.sort_expr.iter().flatten().map(|s| &s.expr);
        rows.extend(self.deciding(order, Subtype::Sort, &scope)?);
        below.rows.extend(rows);
        Ok(Relation { columns, rows: below.rows })
    }

    fn values(&self, rows: &[Vec<Expr>], outer: Option<&Scope<'_>>) -> Walked {
        let scope = Scope::new(&[], outer);
        let mut columns: Vec<Sources> = Vec::new();
        for row in rows {
            columns.resize(columns.len().max(row.len()), Sources::default());
            for (column, value) in columns.iter_mut().zip(self.each(row, &scope)?) {
                column.extend(value);
            }
        }
        Ok(Relation { columns, rows: Sources::default() })
    }
}

impl Relation {
    fn frame<'s>(&'s self, plan: &'s LogicalPlan) -> Frame<'s> {
        Frame { schema: plan.schema(), columns: &self.columns }
    }
}

/// True for the right side of a join that may name columns of the left one.
fn is_lateral(plan: &LogicalPlan) -> bool {
    let mut plan = plan;
    loop {
        plan = match plan {
            LogicalPlan::SubqueryAlias(s) => &s.input,
            LogicalPlan::Projection(p) => &p.input,
            _ => return matches!(plan, LogicalPlan::Subquery(_)),
        };
    }
}
