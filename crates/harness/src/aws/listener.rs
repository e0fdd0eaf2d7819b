//! One HTTP/1.1 listener on a free loopback port, with a bounded stop.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long requests under way may take to finish once the listener is told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// Pause after a failed accept, for instance when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The error type that connections accept from a service.
pub(super) type ServiceError = Box<dyn Error + Send + Sync>;

/// A running listener; dropping it ends it at once.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

impl Listener {
    /// Binds a free port of 127.0.0.1 and serves `service` on it.
    ///
    /// # Errors
    /// The socket could not be bound.
    pub(super) async fn start<S, B>(service: S) -> io::Result<Self>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<ServiceError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<ServiceError>,
    {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let accepting = Some(tokio::spawn(accept(socket, service, stopping)));
        Ok(Self { address, stop, accepting })
    }

    /// `http://127.0.0.1:<port>`.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening, lets requests under way finish for two seconds, then cuts them.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(mut accepting) = self.accepting.take()
            && tokio::time::timeout(STOP_LIMIT, &mut accepting).await.is_err()
        {
            accepting.abort();
            // A cancelled task is the expected outcome here.
            drop(accepting.await);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

async fn accept<S, B>(socket: TcpListener, service: S, mut stopping: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<ServiceError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<ServiceError>,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopping.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, service.clone(), stopping.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

async fn serve<S, B>(stream: TcpStream, service: S, mut stopping: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<ServiceError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<ServiceError>,
{
    // Without it small replies wait for the peer's delayed acknowledgement; failing is harmless.
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that ends in an error is the client's affair: it sees the broken connection.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}
