//! A small AWS Glue endpoint: the Data Catalog with true compare-and-swap on table versions, and
//! jobs whose runs really run a program.
//!
//! Requests are read into exact types: an unknown field, a wrong enumeration value or an illegal
//! combination is refused with Glue's error codes. Signatures are verified.

mod catalog;
mod error;
mod job_wire;
mod jobs;
mod run;
mod service;
mod validate;
mod wire;

use std::io;
use std::sync::Arc;

use hyper::service::service_fn;

use self::catalog::Catalog;
pub use self::catalog::CatalogState;
pub use self::jobs::JobRunner;
use self::jobs::Jobs;
use self::service::{State, answer};
use super::faults::Faults;
use super::listener::Listener;
use super::signature::Verifier;

/// What a Glue endpoint needs.
#[derive(Debug, Clone)]
pub struct GlueConfig {
    /// The only access key that is accepted.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The region that requests must be signed for.
    pub region: String,
    /// The account, 12 digits; also the id of its Data Catalog.
    pub account_id: String,
    /// The program behind every job.
    pub runner: JobRunner,
}

/// No loopback port could be bound; worth a retry.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on a loopback port")]
pub struct GlueStartError {
    /// Why.
    pub source: io::Error,
}

/// A running Glue endpoint; dropping it ends it and its job runs at once.
#[derive(Debug)]
pub struct GlueServer {
    listener: Listener,
    state: Arc<State>,
}

impl GlueServer {
    /// Starts an endpoint on a free loopback port.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start(config: GlueConfig) -> Result<Self, GlueStartError> {
        let verifier = Verifier {
            access_key: config.access_key,
            secret_key: config.secret_key,
            region: config.region,
            service: "glue",
        };
        let state = Arc::new(State {
            verifier,
            catalog: Catalog::new(config.account_id),
            jobs: Arc::new(Jobs::new(config.runner)),
            faults: Faults::default(),
        });
        let shared = state.clone();
        let service = service_fn(move |request| answer(shared.clone(), request));
        let listener =
            Listener::start(service).await.map_err(|source| GlueStartError { source })?;
        Ok(Self { listener, state })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// The faults planned at this endpoint.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The databases and tables as they are now.
    pub fn state(&self) -> CatalogState {
        self.state.catalog.state()
    }

    /// Puts the catalog back into an earlier state.
    pub fn restore(&self, state: &CatalogState) {
        self.state.catalog.restore(state);
    }

    /// Stops listening, then ends every job run and waits for its program, seventeen seconds at
    /// most.
    pub async fn stop(self) {
        self.listener.stop().await;
        self.state.jobs.stop_all().await;
    }
}
