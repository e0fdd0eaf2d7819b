//! What a question could learn about hidden rows by other means than their values.

use std::any::Any;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, TableProviderFilterPushDown, TableType, Volatility, create_udf,
};
use datafusion::physical_plan::ExecutionPlan;

use super::*;

/// Columns, number of filters and limit of one scan.
type Asked = (Vec<usize>, usize, Option<usize>);

/// A table in memory that takes every hint it gets literally, and remembers them.
#[derive(Debug)]
struct Eager {
    batch: RecordBatch,
    asked: Mutex<Vec<Asked>>,
}

#[async_trait]
impl TableProvider for Eager {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_default();
        self.asked.lock().unwrap().push((columns, filters.len(), limit));
        if self.batch.num_rows() == 0 {
            return Err(DataFusionError::Execution("no access to s3://lake/cpf_number".to_owned()));
        }
        let first = self.batch.slice(0, limit.unwrap_or(usize::MAX).min(self.batch.num_rows()));
        memory(first).scan(state, projection, &[], None).await
    }
}

fn eager(batch: RecordBatch, rows: Option<&str>) -> (GovernedSession, Arc<Eager>) {
    let provider = Arc::new(Eager { batch, asked: Mutex::default() });
    let shared = Arc::clone(&provider) as Arc<dyn TableProvider>;
    let grants = vec![grant(Layer::Silver, "crm_customers", &["id", "note"], rows)];
    (session(grants, vec![(customers_facts(), shared)], Limits::default()), provider)
}

#[tokio::test]
async fn predicates_never_meet_a_hidden_row() {
    let session = customers(&[(&["id", "note"], Some("uf in ('SP', 'RJ')"))]);
    // The notes of hidden rows are no numbers; a cast that saw them would fail.
    for (sql, wanted) in [
        ("select id from silver.crm_customers where cast(note as int) > 20 order by id", "3,5"),
        ("select id from silver.crm_customers where 100 / (cast(note as int) - 19) > 50", "2"),
        ("select max(cast(note as int)) from silver.crm_customers", "50"),
        ("select id from silver.crm_customers order by cast(note as int) desc limit 2", "5,3"),
        (
            "select 1 / (case when note = 'boom' then 0 else 1 end) from silver.crm_customers limit 1",
            "1",
        ),
        (
            "select a.id from silver.crm_customers a join silver.crm_customers b \
             on cast(a.note as int) = cast(b.note as int) where b.id = 2",
            "2",
        ),
    ] {
        assert_eq!(rows(&session, sql).await.join(","), wanted, "{sql}");
    }
    // The same question over all rows does fail, and says so without quoting the value.
    let everything = customers(&[(&["id", "note"], None)]);
    let sql = "select id from silver.crm_customers where cast(note as int) > 20";
    let failed = error(&everything, sql).await;
    assert!(matches!(failed, QueryError::Failed { .. }), "{failed:?}");
    assert!(!failed.to_string().contains("boom"));
}

#[tokio::test]
async fn functions_see_visible_rows_and_masked_cells_only() {
    let session =
        customers(&[(&["id"], Some("uf in ('SP', 'RJ')")), (&["note"], Some("uf = 'SP'"))]);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&seen);
    let spy = move |arguments: &[ColumnarValue]| {
        let array = arguments[0].clone().into_array(1)?;
        let batch = RecordBatch::try_from_iter([("v", Arc::clone(&array))])?;
        record.lock().unwrap().extend(lines(&[batch]));
        let passed = vec![Some(true); array.len()];
        Ok(ColumnarValue::Array(Arc::new(arrow::array::BooleanArray::from(passed))))
    };
    let spy = create_udf(
        "spy",
        vec![DataType::Utf8],
        DataType::Boolean,
        Volatility::Volatile,
        Arc::new(spy),
    );
    session.context().register_udf(spy);
    let sql = "select id from silver.crm_customers where spy(note) and id > 0 order by id";
    assert_eq!(rows(&session, sql).await, ["2", "3", "5"]);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, ["20", "50", "NULL"]);
}

#[tokio::test]
async fn counts_are_of_visible_rows_also_without_any_column() {
    let session = customers(&[(&["id", "note"], Some("uf = 'SP'"))]);
    for (sql, wanted) in [
        ("select count(*) from silver.crm_customers", "2"),
        ("select count(1), min(id), max(id) from silver.crm_customers", "2|2|5"),
        ("select 7 from silver.crm_customers", "7,7"),
        ("select count(*) from silver.crm_customers a, silver.crm_customers b", "4"),
        ("select count(distinct note) from silver.crm_customers", "2"),
        ("select (select count(*) from silver.crm_customers where id = 1)", "0"),
    ] {
        assert_eq!(rows(&session, sql).await.join(","), wanted, "{sql}");
    }
    let plain = customers(&[(&["id"], None)]);
    assert_eq!(rows(&plain, "select count(*) from silver.crm_customers").await, ["5"]);
}

#[tokio::test]
async fn a_limit_counts_visible_rows() {
    let (session, provider) = eager(customers_batch(), Some("uf = 'SP'"));
    let sql = "select id from silver.crm_customers limit 1";
    assert_eq!(rows(&session, sql).await, ["2"]);
    assert_eq!(rows(&session, "select id from silver.crm_customers limit 2").await, ["2", "5"]);
    let sql = "select id from silver.crm_customers limit 1 offset 1";
    assert_eq!(rows(&session, sql).await, ["5"]);
    assert!(provider.asked.lock().unwrap().iter().all(|(_, _, limit)| limit.is_none()));

    let (plain, provider) = eager(customers_batch(), None);
    assert_eq!(
        rows(&plain, "select id from silver.crm_customers limit 3 offset 1").await,
        ["2", "3", "4"]
    );
    assert_eq!(provider.asked.lock().unwrap()[0].2, Some(4));
}

#[tokio::test]
async fn a_scan_reads_only_what_it_needs_and_hands_no_predicate_down() {
    let (session, provider) = eager(customers_batch(), Some("uf = 'SP'"));
    rows(&session, "select note from silver.crm_customers where note > '1'").await;
    rows(&session, "select count(*) from silver.crm_customers").await;
    assert_eq!(*provider.asked.lock().unwrap(), [(vec![2, 3], 0, None), (vec![2], 0, None)]);
}

#[tokio::test]
async fn dynamic_filters_of_joins_and_sorts_change_nothing() {
    let session = customers(&[(&["id", "note"], Some("uf = 'SP' or uf = 'RJ'"))]);
    let sql = "select a.id from silver.crm_customers a \
               join (select id from silver.crm_customers where id > 2) b on a.id = b.id \
               order by a.id desc limit 1";
    assert_eq!(rows(&session, sql).await, ["5"]);
    let sql =
        "select id from silver.crm_customers where note in ('20', 'boom') order by id limit 9";
    assert_eq!(rows(&session, sql).await, ["2"]);
}

#[tokio::test]
async fn an_error_below_the_table_is_told_without_its_details() {
    let (session, _) = eager(customers_batch().slice(0, 0), Some("uf = 'SP'"));
    let failed = error(&session, "select id from silver.crm_customers").await;
    assert!(matches!(failed, QueryError::Scan { .. }), "{failed:?}");
    assert_eq!(failed.to_string(), "`silver.crm_customers` could not be read");
    // Operators find the details among the sources.
    assert!(everything(&failed).contains("s3://lake"));
}
