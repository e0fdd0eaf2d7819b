//! An incremental build is a full one.

use medallion_harness::gold_model::{GoldModelOptions, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_by_keys_is_what_the_query_returns() {
    let options = GoldModelOptions {
        histories: 12,
        seed: 1,
        jobs: 2,
        only_new: false,
        definition: concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/lake").into(),
    };
    let failures = run(&options).await.unwrap();
    assert!(failures.is_empty(), "{failures:?}");
}
