//! Personal data that would get out, and what is none.

use medallion_definition::contract::Sensitivity;

use super::{lake, model};
use crate::gold::lineage::{NEEDLESS_SAFE, UNDECLARED_LEAK, leaks};

/// The findings on the internal columns of a query, as text.
async fn found(columns: &[&str], sql: &str) -> Vec<String> {
    let findings = leaks(&lake(), &model(columns, sql)).await.unwrap();
    findings.iter().map(|f| format!("{}:{} {} {}", f.file, f.line, f.rule, f.message)).collect()
}

fn leak(line: usize, column: &str, from: &str) -> String {
    let from: Vec<String> = from.split(' ').map(|s| format!("`{s}`")).collect();
    format!(
        "models/made_up.sql:{line} {UNDECLARED_LEAK} column `{column}` is internal, but computed \
         from the personal {}",
        from.join(", ")
    )
}

#[tokio::test]
async fn whatever_is_computed_from_personal_columns_leaks() {
    let cpf = "silver.crm_customers.cpf";
    let name = "silver.crm_customers.full_name";
    let cases = [
        ("select cpf as x from silver.crm_customers", cpf),
        ("select count(cpf) as x from silver.crm_customers", cpf),
        ("select max(cpf) as x from silver.crm_customers", cpf),
        ("select count(*) filter (where cpf = '1') as x from silver.crm_customers", cpf),
        ("select case when cpf is null then 0 else 1 end as x from silver.crm_customers", cpf),
        ("select sum(case when cpf > '5' then visits end) as x from silver.crm_customers", cpf),
        ("select region || substr(cpf, 1, 3) as x from silver.crm_customers", cpf),
        ("select rank() over (order by cpf) as x from silver.crm_customers", cpf),
        ("select count(*) over (partition by cpf) as x from silver.crm_customers", cpf),
        ("select max(cpf) over (partition by region) as x from silver.crm_customers", cpf),
        (
            "with a as (select id, full_name || cpf as k from silver.crm_customers),
             b as (select k as l, id from a) select upper(l) as x from b where id > 3",
            "silver.crm_customers.cpf silver.crm_customers.full_name",
        ),
        ("select g.full_name as x from gold.customer_360 g", "gold.customer_360.full_name"),
        ("select s.x from (select c.*, cpf as x from silver.crm_customers c) s", cpf),
        (
            "select city as x from silver.crm_addresses
             union all select region from silver.crm_customers
             union all select full_name from silver.crm_customers",
            name,
        ),
        (
            "select id, (select max(n.full_name) from silver.crm_customers n where n.id = c.id)
               as x from silver.crm_customers c",
            name,
        ),
        (
            "select exists (select 1 from silver.crm_customers n where n.id = c.id
               and n.cpf is not null) as x from silver.crm_customers c",
            cpf,
        ),
        (
            "select c.region in (select full_name from silver.crm_customers) as x
             from silver.crm_customers c",
            name,
        ),
        ("select b.email as x from bronze.crm_customers b", "bronze.crm_customers.email"),
        (
            "select substr(record, 1, 9) as x from quarantine.crm_customers",
            "quarantine.crm_customers.record",
        ),
        ("select ip as x from silver.crm_consents_history", "silver.crm_consents_history.ip"),
    ];
    for (sql, sources) in cases {
        assert_eq!(found(&["x"], sql).await, [leak(11, "x", sources)], "{sql}");
    }
}

#[tokio::test]
async fn every_column_is_told_at_its_line_and_no_value_is_named() {
    let sql = "select s.* from (select id, cpf, region, email, 'ana@x.br' || phone as p
               from silver.crm_customers) s";
    let findings = leaks(&lake(), &model(&["id", "cpf", "region", "email", "p"], sql)).await;
    let findings = findings.unwrap();
    let told: Vec<(usize, bool)> =
        findings.iter().map(|f| (f.line, f.hint.contains("\"personal\""))).collect();
    assert_eq!(told, [(12, true), (14, true), (15, true)]);
    assert!(findings.iter().all(|f| f.hint.contains("`safe = ")));
    assert!(!findings.to_string().contains("ana@"), "{findings}");
}

#[tokio::test]
async fn personal_columns_that_only_decide_about_rows_do_not_leak() {
    for sql in [
        "select region as x from silver.crm_customers where cpf is not null",
        "select count(*) as x from silver.crm_customers group by cpf",
        "select c.region as x from silver.crm_customers c
         join silver.crm_customers d on d.cpf = c.cpf",
        "select region as x from silver.crm_customers order by full_name limit 3",
        "select region as x from silver.crm_customers c where exists
         (select 1 from silver.crm_consents k where k.customer_id = c.id and k.ip is not null)",
        "select count(k.customer_id) as x from (select distinct customer_id from
         silver.crm_consents where ip is not null) k",
        "select count(*) as x from silver.crm_customers",
        "select customers as x from gold.customers_by_region",
        // Declared internal, with its reason, by the model that made it.
        "select credit_limit_total as x from gold.customers_by_region",
    ] {
        assert_eq!(found(&["x"], sql).await, [""; 0], "{sql}");
    }
}

#[tokio::test]
async fn declared_columns_are_fine_and_needless_reasons_are_found() {
    let sql = "select cpf, region, full_name, city, email from
               (select c.cpf, c.region, c.full_name, c.email, a.city from silver.crm_customers c
                join silver.crm_addresses a on a.customer_id = c.id) s";
    let mut model = model(&["cpf", "region", "full_name", "city", "email"], sql);
    let safe = |on: &mut medallion_definition::model::ModelColumn| {
        on.safe_because = Some("five at least".into());
    };
    // Safe, and it has to be.
    safe(&mut model.columns[0]);
    // Safe without need.
    safe(&mut model.columns[1]);
    // Personal, from a personal column and from none.
    model.columns[2].sensitivity = Sensitivity::Personal;
    model.columns[3].sensitivity = Sensitivity::Personal;
    // Personal without a source and safe without need.
    safe(&mut model.columns[3]);
    // Personal, which needs no reason; that it has one is found where the header is read.
    model.columns[4].sensitivity = Sensitivity::Personal;
    safe(&mut model.columns[4]);
    let findings = leaks(&lake(), &model).await.unwrap();
    let told: Vec<_> = findings.iter().map(|f| (f.rule, f.line)).collect();
    assert_eq!(told, [(NEEDLESS_SAFE, 12), (NEEDLESS_SAFE, 14)]);
}

#[tokio::test]
async fn the_shipped_models_do_not_leak() {
    let lake = lake();
    let mut safe = Vec::new();
    for model in &lake.models {
        let findings = leaks(&lake, model).await.unwrap();
        assert!(findings.is_empty(), "{findings}");
        // Without its reasons every one of these columns is found.
        let mut bare = model.clone();
        bare.columns.iter_mut().for_each(|c| c.safe_because = None);
        for finding in leaks(&lake, &bare).await.unwrap().iter() {
            assert_eq!(finding.rule, UNDECLARED_LEAK);
            let column = bare.columns.iter().find(|c| c.line == finding.line).unwrap();
            safe.push(column.name.to_string());
        }
    }
    assert!(safe.contains(&"credit_limit_total".to_owned()), "{safe:?}");
}
