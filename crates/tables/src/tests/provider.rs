//! Tables in SQL.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;

use super::fixture::Lake;
use crate::provider::LakeTableProvider;
use crate::table::LakeTable;

async fn number(table: &LakeTable, sql: &str) -> i64 {
    let context = SessionContext::new();
    let provider = Arc::new(LakeTableProvider::new(table.clone()));
    context.register_table("customers", provider).unwrap();
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test]
async fn sql_sees_the_rows_of_one_snapshot() {
    let lake = Lake::new();
    let empty = lake.table(4).await;
    assert_eq!(number(&empty, "select count(*) from customers").await, 0);
    let table = lake.append(&empty, &(0..100).collect::<Vec<_>>(), "Ana").await;
    let later = lake.append(&table, &[200], "Eva").await;
    for (table, rows) in [(&empty, 0), (&table, 100), (&later, 101)] {
        assert_eq!(number(table, "select count(*) from customers").await, rows);
    }
    assert_eq!(number(&later.at_nothing(), "select count(*) from customers").await, 0);
    let sql = "select sum(id) from customers where name like 'Ana%' and id < 10";
    assert_eq!(number(&later, sql).await, 45 - 3 - 7);
    let sql = "select count(*) from (select photo, id from customers limit 7)";
    assert_eq!(number(&later, sql).await, 7);
    let sql = "select max(a.id) from customers a join customers b on a.big = b.big";
    assert_eq!(number(&table, sql).await, 98);
}
