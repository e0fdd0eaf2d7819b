//! Exit codes of `medallion doctor`.

use clap::Parser;
use medallion::cli::Cli;
use medallion::exit;

use crate::server::{Server, connect, run};
use crate::{clean, contract};

async fn doctor(url: &str, definition: &str) -> (u8, String) {
    let line = ["medallion", "doctor", "--source-url", url, "--definition", definition];
    match Cli::try_parse_from(line).unwrap().run().await {
        Ok(()) => (exit::OK, String::new()),
        Err(error) => (error.exit_code(), error.report()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_tells_clean_from_errors_from_unreachable() {
    let server = Server::start(&["--default-time-zone=+00:00"]).await;
    run(&mut connect(server.url()).await, clean::SCHEMA).await;
    let folder = tempfile::tempdir().unwrap();
    let definition = folder.path().to_str().unwrap();
    contract::write_lake(folder.path(), &[clean::contract_text()]);
    assert_eq!(doctor(server.url(), definition).await, (exit::OK, String::new()));

    let missing = contract::text("fine.orders", "id", &[("id", "int!")]);
    contract::write_lake(folder.path(), &[clean::contract_text(), missing]);
    let (code, report) = doctor(server.url(), definition).await;
    assert_eq!(code, exit::FINDINGS, "{report}");

    run(&mut connect(server.url()).await, "CREATE USER dms IDENTIFIED BY 'right'").await;
    let (code, report) = doctor(&server.url_of("dms", "geheim"), definition).await;
    assert_eq!(code, exit::OPERATOR, "{report}");
    assert!(report.contains("denies the login") && !report.contains("geheim"), "{report}");
    let url = server.url().to_owned();
    server.stop().await;
    let (code, report) = doctor(&url, definition).await;
    assert_eq!(code, exit::OPERATOR, "{report}");
    assert!(report.contains("cannot be reached"), "{report}");
}
