//! Bronze files that are not what they were.

use bytes::Bytes;
use medallion_harness::small_lake::Endpoints;
use medallion_transforms::error::Advice;
use medallion_transforms::verify::{Against, VerifyError};

use crate::lake::{Lake, change, changes, file, load, loaded};

fn rows() -> Bytes {
    file((1..30).map(|id| loaded([&id.to_string(), "ana", "1.00", "NULL", "NULL"])).collect())
}

fn update(number: u64, id: &str) -> Bytes {
    file(vec![change("U", number, Some(id), [id, "bia", "2.00", "NULL", "NULL"])])
}

async fn refusal(lake: &Lake<'_>) -> String {
    let error = lake.try_verify().await.unwrap_err();
    assert_eq!(error.advice(), Advice::Operator);
    assert!(matches!(error, VerifyError::Lost { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_or_overwritten_is_named_instead_of_a_wrong_difference() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = Lake::new(&endpoints, "lost").await;
    lake.put(0, &load(1), rows()).await;
    lake.put(1, &changes(1), update(1, "1")).await;
    lake.put(2, &changes(2), update(2, "2")).await;
    lake.run().await;
    lake.assert_equal("before").await;

    let whole = update(1, "1");
    lake.put(1, &changes(1), whole.slice(..whole.len() / 2)).await;
    let told = refusal(&lake).await;
    assert!(told.contains(&format!("`{}` has another content", changes(1))), "{told}");
    lake.put(1, &changes(1), whole).await;
    lake.assert_equal("put back").await;

    for key in [load(1), changes(2)] {
        lake.warehouse.bucket().delete(&key).await.unwrap();
    }
    let told = refusal(&lake).await;
    for key in [load(1), changes(2)] {
        assert!(told.contains(&format!("`{key}` is gone")), "{told}");
    }
    assert!(told.contains("--against mysql"), "{told}");
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_no_record_names_any_more_are_read_and_their_loss_is_noticed() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut lake = Lake::new(&endpoints, "forgotten").await;
    lake.put(0, &load(1), rows()).await;
    lake.put(1, &changes(1), update(1, "1")).await;
    lake.put(2, &changes(2), update(2, "2")).await;
    lake.run().await;
    // Ten days later; the first day is beyond the look-back.
    let day = 24 * 60;
    lake.now += 10 * day;
    let later = "bronze/shop/items/2026/01/12/20260112-030300000.parquet";
    lake.put(10 * day + 3, later, update(3, "3")).await;
    lake.run().await;
    let found = lake.assert_equal("forgotten files are there").await;
    let Against::Bronze { forgotten } = found.against else { panic!("{found}") };
    assert_eq!((forgotten.listed, forgotten.applied, forgotten.certain), (2, Some(2), true));
    assert_eq!((found.taken.files, found.verified.unapplied), (4, 0));

    lake.warehouse.bucket().delete(&changes(2)).await.unwrap();
    let found = lake.verify().await;
    let Against::Bronze { forgotten } = &found.against else { panic!("{found}") };
    assert_eq!((forgotten.listed, forgotten.applied, forgotten.certain), (1, Some(2), false));
    assert_eq!(found.counts().differing, 1);
    assert!(found.to_string().contains("doubt     1 old change file in Bronze where 2"), "{found}");
    endpoints.stop().await;
}
