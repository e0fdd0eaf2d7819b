//! A small AWS DMS endpoint, whose tasks really run the replicator from MySQL to Bronze.
//!
//! Requests are read into exact types: what DMS refuses is refused with its error codes, and so is
//! every setting that would change what DMS writes and that the replicator does not perform.
//! Signatures are verified. Instances, subnet groups and capacity are records only: a task runs in
//! this process. Nothing but the checkpoint in the bucket survives it; a task of the same name may
//! resume from there.
//!
//! Where it differs from DMS: tables that are created while a task runs are not picked up; LOB
//! values above `LobMaxSize` fail a full load instead of being cut, and are written whole when they
//! come as changes; `parallel-load` ranges are those of the replicator; TLS is not spoken.

mod bucket;
mod config_wire;
mod configs;
mod endpoint_wire;
mod endpoints;
mod error;
mod event;
mod execution;
mod instance_wire;
mod instances;
mod mapping_rule;
mod mappings;
mod name;
mod plan;
mod position;
mod run;
mod service;
mod session;
mod settings;
mod source;
mod statistics;
mod store;
mod survey;
mod target;
mod task_wire;
mod tasks;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use self::event::{Change, StateChange};
use self::name::Place;
use self::service::{Shared, answer};
use self::store::Store;
use self::wire::Secret;
use super::faults::Faults;
use super::listener::Listener;
use super::signature::Verifier;

/// What a DMS endpoint needs.
#[derive(Clone)]
pub struct DmsConfig {
    /// The only access key that is accepted.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The region that requests must be signed for.
    pub region: String,
    /// The account, 12 digits.
    pub account_id: String,
    /// Where Bronze is written.
    pub s3: aws_sdk_s3::Client,
    /// `mysql://` URLs by the `SecretsManagerSecretId` of source endpoints.
    pub secrets: BTreeMap<String, String>,
    /// Folder for transactions that memory does not hold.
    pub spill: PathBuf,
    /// How long a new resource is `creating`: DMS takes minutes, and clients have to wait.
    pub settle: Duration,
}

impl fmt::Debug for DmsConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DmsConfig")
            .field("region", &self.region)
            .field("account_id", &self.account_id)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

/// No loopback port could be bound; worth a retry.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on a loopback port")]
pub struct DmsStartError {
    /// Why.
    pub source: io::Error,
}

/// A running DMS endpoint; dropping it ends it and its tasks at once.
#[derive(Debug)]
pub struct DmsServer {
    listener: Listener,
    shared: Arc<Shared>,
    runs: Runs,
}

/// Ends the runs when the server goes away: they share the store, so that they would outlive it.
#[derive(Debug)]
struct Runs(Arc<Store>);

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}

impl DmsServer {
    /// Starts an endpoint on a free loopback port.
    ///
    /// # Errors
    /// No port could be bound.
    pub async fn start(config: DmsConfig) -> Result<Self, DmsStartError> {
        let place = Place { region: config.region.clone(), account: config.account_id };
        let verifier = Verifier {
            access_key: config.access_key,
            secret_key: config.secret_key,
            region: config.region,
            service: "dms",
        };
        let secrets = config.secrets.into_iter().map(|(id, url)| (id, Secret::new(url))).collect();
        let store = Arc::new(Store::new(place, config.settle, secrets, config.s3, config.spill));
        let runs = Runs(store.clone());
        let shared = Arc::new(Shared { verifier, store, faults: Faults::default() });
        let serving = shared.clone();
        let service = service_fn(move |request| answer(serving.clone(), request));
        let listener = Listener::start(service).await.map_err(|source| DmsStartError { source })?;
        Ok(Self { listener, shared, runs })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// The faults planned at this endpoint.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// A new subscription to the state changes from now on, as EventBridge would deliver them.
    pub fn events(&self) -> UnboundedReceiver<StateChange> {
        let (sender, receiver) = unbounded_channel();
        self.shared.store.subscribe(sender);
        receiver
    }

    /// Stops listening, then every task; what was read becomes durable, seventeen seconds at most.
    pub async fn stop(self) {
        self.listener.stop().await;
        self.runs.0.stop_all().await;
    }
}
