//! Every kind of check, passing and failing.

use medallion_harness::small_lake::Endpoints;
use medallion_transforms::gold::{CheckResult, GoldOutcome};

use crate::world::{ALL, INCREMENTAL, Person, World, check, model};

/// A model with one check more.
fn with(head: &str, check: &str, sql: &str) -> String {
    model(head, sql).replacen("---*/", &format!("[[check]]\n{check}\n---*/"), 1)
}

/// Builds `good`, which must pass, then adds `bad`, which must fail with these words.
async fn fails(name: &str, text: &str, sql: &str, bad: &[Person], said: &str) {
    let endpoints = Endpoints::start().await.unwrap();
    for (kind, head) in [("f", ""), ("i", INCREMENTAL)] {
        let world = World::new(&endpoints, &format!("{name}{kind}"), &with(head, text, sql)).await;
        world.put(&[(1, Some("SP"), Some("Ana")), (2, Some("RJ"), Some("Bia"))], true).await;
        let report = world.published().await;
        assert!(report.checks.iter().all(CheckResult::passed), "{name}: {report:?}");
        world.put(bad, true).await;
        let report = world.red().await;
        let failed: Vec<_> = report.failed().collect();
        assert_eq!(failed.len(), 1, "{name}: {report:?}");
        assert!(failed[0].shown.iter().any(|line| line.contains(said)), "{name}: {failed:?}");
        assert_eq!(world.seen().await.len(), 2);
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn not_null() {
    let text = "kind = \"not_null\"\ncolumn = \"name\"";
    fails("notnull", text, ALL, &[(3, Some("SP"), None)], "id=3 region=SP name=NULL").await;
}

#[tokio::test]
async fn unique() {
    let text = "kind = \"unique\"\ncolumns = [\"name\"]";
    let bad = [(3, Some("SP"), Some("Ana"))];
    // The value is personal, so only that it comes twice is told.
    fails("unique", text, ALL, &bad, "name=*** rows_with_it=2").await;
}

#[tokio::test]
async fn accepted_values() {
    let text = "kind = \"accepted_values\"\ncolumn = \"region\"\nvalues = [\"SP\", \"RJ\", \"O'\"]";
    fails("accepted", text, ALL, &[(3, Some("XX"), Some("Eva"))], "id=3 region=XX name=***").await;
}

#[tokio::test]
async fn relationship() {
    let text =
        "kind = \"relationship\"\ncolumn = \"id\"\nto = \"silver.crm_people\"\nto_column = \"id\"";
    let sql = "select case when name = 'lost' then id + 100 else id end as id, region, name \
               from silver.crm_people";
    fails("related", text, sql, &[(3, Some("SP"), Some("lost"))], "id=103").await;
}

#[tokio::test]
async fn row_count() {
    let text = "kind = \"row_count_change\"\nmax_growth = 0.5\nmax_drop = 0.5";
    let bad = [(3, Some("SP"), Some("a")), (4, Some("SP"), Some("b"))];
    fails("grown", text, ALL, &bad, "4 rows, 2 are published").await;
    let sql = "select id, region, name from silver.crm_people \
               where (select count(*) from silver.crm_people) < 3";
    fails("shrunk", text, sql, &[(3, Some("SP"), Some("a"))], "0 rows, 2 are published").await;
}

#[tokio::test]
async fn sql() {
    let text = "kind = \"sql\"\nname = \"few\"\nsql = \"select region, count(*) as people from this \
                group by region having count(*) > 1\"";
    fails("sql", text, ALL, &[(3, Some("SP"), Some("Eva"))], "region=SP people=***").await;
    let text = "kind = \"sql\"\nname = \"all\"\nsql = \"select p.id from silver.crm_people p \
                left join this t on t.id = p.id where t.id is null\"";
    let without = "select id, region, name from silver.crm_people where id < 3";
    fails("sqlother", text, without, &[(3, Some("SP"), Some("Eva"))], "id=3").await;
}

#[tokio::test]
async fn freshness_and_warnings() {
    let endpoints = Endpoints::start().await.unwrap();
    let column = "[[column]]\nname = \"name\"\ntype = \"string\"\nsensitivity = \"personal\"\n";
    let time = "[[column]]\nname = \"name\"\ntype = \"timestamptz\"\nsensitivity = \"internal\"\n";
    let sql = |from: &str| {
        format!(
            "select id, region, case when region = 'SP' then {from} end as name from silver.crm_people"
        )
    };
    let text = |severity: &str| {
        format!(
            "kind = \"freshness\"\ncolumn = \"name\"\nmax_age = \"36h\"\nseverity = \"{severity}\""
        )
    };
    for (severity, published) in [("warn", true), ("error", false)] {
        let file = with("", &text(severity), &sql("_changed_at")).replace(column, time);
        let mut world = World::new(&endpoints, severity, &file).await;
        world.put(&[(1, Some("SP"), None)], true).await;
        assert!(world.published().await.failed().next().is_none());
        // Nobody of São Paulo any more: no row tells a time.
        world.put(&[(1, Some("RJ"), None)], true).await;
        let outcome = world.run().await.unwrap();
        assert_eq!(matches!(outcome, GoldOutcome::Published(_)), published, "{outcome:?}");
        let (GoldOutcome::Published(report) | GoldOutcome::Red(report)) = outcome else { panic!() };
        assert_eq!(check(&report, "freshness(name)").shown, ["no row has a `name`"]);
        world.edit(&file.replace("36h", "37h"));
    }
    endpoints.stop().await;
}

#[tokio::test]
async fn a_check_that_cannot_be_answered_stops_the_build() {
    let endpoints = Endpoints::start().await.unwrap();
    let text = "kind = \"sql\"\nname = \"wrong\"\nsql = \"select nothing from this\"";
    let world = World::new(&endpoints, "wrong", &with("", text, ALL)).await;
    world.put(&[(1, Some("SP"), None)], true).await;
    let error = world.run().await.unwrap_err().to_string();
    assert!(error.contains("`wrong`") && error.contains("nothing"), "{error}");
    assert_eq!(world.seen().await, []);
    endpoints.stop().await;
}

#[tokio::test]
async fn what_only_warns_is_told_of_rows_that_were_published_before_too() {
    let endpoints = Endpoints::start().await.unwrap();
    let text =
        "kind = \"accepted_values\"\ncolumn = \"region\"\nvalues = [\"SP\"]\nseverity = \"warn\"";
    let world = World::new(&endpoints, "warned", &with(INCREMENTAL, text, ALL)).await;
    world.put(&[(1, Some("SP"), None), (2, Some("XX"), None)], true).await;
    assert_eq!(check(&world.published().await, "accepted_values(region)").failing, 1);
    world.put(&[(3, Some("SP"), None)], true).await;
    let report = world.published().await;
    assert_eq!(report.keys, Some(1));
    assert_eq!(check(&report, "accepted_values(region)").failing, 1);
    endpoints.stop().await;
}
