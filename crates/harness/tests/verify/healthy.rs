//! Tables that nobody broke.

use medallion_harness::small_lake::Endpoints;
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::verify::VerifyError;

use crate::lake::{Lake, change, changed_contract, changes, file, file_of, load, loaded, sequence};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_verifies_after_every_kind_of_batch() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut lake = Lake::new(&endpoints, "healthy").await;
    assert!(matches!(lake.try_verify().await, Err(VerifyError::NoTable { .. })));
    let rows = (1..60).map(|id| {
        let (id, amount) = (id.to_string(), format!("{id}.50"));
        loaded([&id, " ana ", &amount, "-0.0", "2026-01-01"])
    });
    lake.put(0, &load(1), file(rows.collect())).await;
    lake.run().await;
    let found = lake.assert_equal("a full load").await;
    assert_eq!((found.rows(), found.taken.files, found.verified.unapplied), ((59, 59), 1, 0));

    // Written again after the load, changed for real, not changed at all, moved, deleted, rejected.
    let first = vec![
        change("I", 1, None, ["1", "ana", "1.50", "-0.0", "2026-01-01"]),
        change("U", 2, Some("2"), ["2", "bia", "7.00", "NULL", "NULL"]),
        change("U", 3, Some("3"), ["103", "caio", "3.50", "1.5", "2026-01-01"]),
        change("D", 4, None, ["4", "NULL", "NULL", "NULL", "NULL"]),
        change("U", 5, Some("5"), ["5", "N0T VALID", "5.00", "0.0", "NULL"]),
        change("U", 6, Some("6"), ["106", "N0T VALID", "6.00", "0.0", "NULL"]),
        change("U", 7, Some("7"), ["7", "davi", "7.00", "0.0", "2026-02-01"]),
    ];
    lake.put(1, &changes(1), file(first)).await;
    lake.run().await;
    let found = lake.assert_equal("changes").await;
    assert_eq!(found.rows(), (57, 57));

    // A resume repeats changes, and a late file tells of a row that is gone since.
    let third = vec![
        change("U", 2, Some("2"), ["2", "bia", "7.00", "NULL", "NULL"]),
        change("I", 20, None, ["200", "eva", "NULL", "NULL", "NULL"]),
        change("D", 21, None, ["200", "NULL", "NULL", "NULL", "NULL"]),
        change("D", 22, None, ["201", "NULL", "NULL", "NULL", "NULL"]),
        change("U", 23, Some("8"), ["8", " ana ", "8.50", "-0.0", "2026-01-01"]),
    ];
    lake.put(3, &changes(3), file(third)).await;
    lake.run().await;
    lake.assert_equal("a resume").await;
    let late = vec![
        change("I", 10, None, ["201", "late", "NULL", "NULL", "NULL"]),
        change("U", 11, Some("9"), ["9", "late", "9.00", "0.0", "NULL"]),
    ];
    lake.put(5, &changes(2), file(late)).await;
    let found = lake.assert_equal("a file that waits").await;
    assert_eq!(found.verified.unapplied, 1);
    assert!(found.to_string().contains("1 Bronze file not applied yet"), "{found}");
    lake.run().await;
    let found = lake.assert_equal("a late file").await;
    assert_eq!((found.verified.unapplied, found.taken.files), (0, 4));

    // What was in the future when it came is rejected for good, whatever the time is now.
    lake.now += 60 * 24 * 60;
    lake.assert_equal("two months later").await;
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_verifies_after_a_changed_contract_and_a_reload() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut lake = Lake::new(&endpoints, "reshaped").await;
    let rows = |note: &'static str| (1..40).map(move |id| (id.to_string(), note));
    let old = rows("ana").map(|(id, name)| loaded([&id, name, "1.00", "2.5", "NULL"]));
    lake.put(0, &load(1), file(old.collect())).await;
    lake.run().await;

    // The source has changed its columns; the table follows when the job runs.
    let columns = [
        ("id", "int"),
        ("name", "varchar(40)"),
        ("total", "decimal(12,2)"),
        ("due", "date"),
        ("city", "varchar(20)"),
    ];
    lake.contract(&changed_contract());
    let error = lake.try_verify().await.unwrap_err();
    assert_eq!(error.advice(), Advice::Operator);
    assert!(matches!(&error, VerifyError::Lake(TransformError::SchemaDiffers { .. })), "{error:?}");
    lake.evolve().await;
    lake.assert_equal("evolved").await;
    let new = vec![
        change("U", 1, Some("1"), ["1", "ana", "9.00", "NULL", "Recife"]),
        change("I", 2, None, ["77", "bia", "2.00", "2026-01-01", "Natal"]),
    ];
    lake.put(1, &changes(1), file_of(&columns, new)).await;
    lake.run().await;
    let found = lake.assert_equal("old and new files").await;
    assert_eq!((found.columns, found.rows()), (5, (40, 40)));

    let reloaded = rows("bia").map(|(id, name)| loaded([&id, name, "3.00", "NULL", "Recife"]));
    lake.put(10, &load(1), file_of(&columns, reloaded.collect())).await;
    let lost = lake.try_verify().await.unwrap_err();
    assert!(lost.to_string().contains("a new full load stands there"), "{lost}");
    lake.run().await;
    let found = lake.assert_equal("a reload").await;
    assert_eq!((found.rows(), found.taken.files), ((39, 39), 1));
    assert_eq!(found.verified.generation.unwrap().number, 2);
    let followed = vec![change("D", 30, None, ["3", "NULL", "NULL", "NULL", "NULL"])];
    lake.put(12, &changes(12), file_of(&columns, followed)).await;
    lake.run().await;
    lake.assert_equal("what followed").await;
    assert_eq!(sequence(30).len(), 35);
    endpoints.stop().await;
}
