//! A small S3 server on the `s3s` library: path style, SigV4, one key pair, contents on disk.
//!
//! Writes are atomic and conditional writes are true compare-and-swaps. The index of objects
//! lives in memory, so that a server starts empty; contents go with their objects.

mod access;
mod backend;
mod buckets;
mod checksum;
mod contents;
mod event;
mod index;
mod inside;
mod listing;
mod multipart;
mod objects;
mod traffic;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use s3s::service::S3ServiceBuilder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use self::event::{ObjectCreated, Reason};
pub use self::inside::BucketState;
pub use self::traffic::{Bytes, Traffic};
use self::{access::OneKey, access::RegionCheck, backend::Backend, contents::Contents};
use self::{index::Index, index::Owner};
use super::faults::Faults;
use super::listener::Listener;

/// What an S3 server needs.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// Folder for the objects' contents; made when absent.
    pub root: PathBuf,
    /// The only access key that is accepted.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The region that requests must be signed for and that buckets lie in.
    pub region: String,
    /// The account that owns the buckets, 12 digits.
    pub account_id: String,
}

/// Why an S3 server did not start.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The folder for contents could not be made; an operator's affair.
    #[error("cannot make the folder `{path}` for object contents")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No loopback port could be bound; worth a retry.
    #[error("cannot listen on a loopback port")]
    Listen {
        /// Why.
        source: io::Error,
    },
}

/// Everything that requests share.
#[derive(Debug)]
struct Store {
    index: Mutex<Index>,
    contents: Contents,
    faults: Faults,
    meter: traffic::Meter,
    owner: Owner,
}

impl Store {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running S3 server; dropping it ends it at once.
#[derive(Debug)]
pub struct S3Server {
    listener: Listener,
    store: Arc<Store>,
}

impl S3Server {
    /// Starts a server on a free loopback port.
    ///
    /// # Errors
    /// The folder or the port could not be had.
    pub async fn start(config: S3Config) -> Result<Self, S3Error> {
        let contents = Contents::new(&config.root)
            .map_err(|source| S3Error::Folder { path: config.root.clone(), source })?;
        let owner = Owner { account_id: config.account_id, region: config.region.clone() };
        let store = Arc::new(Store {
            index: Mutex::new(Index::new()),
            contents,
            faults: Faults::default(),
            meter: traffic::Meter::default(),
            owner,
        });
        let mut service = S3ServiceBuilder::new(Backend::new(store.clone()));
        service.set_auth(OneKey::new(config.access_key, config.secret_key));
        service.set_access(RegionCheck::new(config.region));
        let listener =
            Listener::start(service.build()).await.map_err(|source| S3Error::Listen { source })?;
        Ok(Self { listener, store })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// A new subscription to the objects created from now on, in the order of their commits.
    /// Nothing is lost while the receiver lives; each call gives an independent one.
    pub fn events(&self) -> UnboundedReceiver<ObjectCreated> {
        let (sender, receiver) = unbounded_channel();
        self.store.index().subscribe(sender);
        receiver
    }

    /// The faults planned at this server.
    pub fn faults(&self) -> &Faults {
        &self.store.faults
    }

    /// Sets when an object was last modified, to the whole second; no client of S3 can. False
    /// when there is no such object.
    pub fn set_modified(&self, bucket: &str, key: &str, modified: SystemTime) -> bool {
        self.store.index().set_modified(bucket, key, modified)
    }

    /// Stops listening; requests under way get two seconds.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}
