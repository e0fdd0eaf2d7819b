//! Object contents as files named by a counter, never by key.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::checksum::{Declared, Digests};

/// Bytes read from a file at a time.
const CHUNK: usize = 256 * 1024;

/// The folder that holds the contents.
#[derive(Debug)]
pub(super) struct Contents {
    folder: PathBuf,
    next: AtomicU64,
}

/// One object's (or part's) bytes; the file goes with the last reference.
#[derive(Debug)]
pub(super) struct Content {
    path: PathBuf,
}

impl Content {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        // A file that is gone already, or that stays in a sandbox folder, does no harm.
        drop(std::fs::remove_file(&self.path));
    }
}

/// A body that was stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) content: Arc<Content>,
    pub(super) size: u64,
    pub(super) digests: Digests,
}

impl Contents {
    /// Uses (and makes) the folder.
    ///
    /// # Errors
    /// The folder could not be made.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), next: AtomicU64::new(1) })
    }

    fn fresh(&self) -> Arc<Content> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Content { path: self.folder.join(format!("{number:012}")) })
    }

    /// Stores a body and verifies what was declared about it.
    ///
    /// # Errors
    /// The body broke off, a checksum is wrong, or the disk refused.
    pub(super) async fn store(
        &self,
        body: Option<StreamingBlob>,
        declared: &Declared,
    ) -> S3Result<Stored> {
        let content = self.fresh();
        let mut file = File::create_new(&content.path).await.map_err(disk)?;
        let mut digest = declared.digest();
        let mut size = 0;
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(broken_body)?;
                digest.update(&chunk);
                size += chunk.len() as u64;
                file.write_all(&chunk).await.map_err(disk)?;
            }
        }
        file.flush().await.map_err(disk)?;
        let digests = digest.finish();
        declared.verify(&digests)?;
        Ok(Stored { content, size, digests })
    }

    /// Takes a file as a content: linked, or copied to another file system. Gives its size and
    /// MD5 too.
    ///
    /// # Errors
    /// The disk refused.
    pub(super) fn adopt(&self, file: &Path) -> io::Result<(Arc<Content>, u64, [u8; 16])> {
        let content = self.fresh();
        if std::fs::hard_link(file, &content.path).is_err() {
            std::fs::copy(file, &content.path)?;
        }
        let mut digest = Md5::new();
        let size = io::copy(&mut std::fs::File::open(&content.path)?, &mut digest)?;
        Ok((content, size, digest.finalize().into()))
    }

    /// Stores the concatenation of contents.
    ///
    /// # Errors
    /// The disk refused.
    pub(super) async fn concatenate(&self, parts: Vec<Arc<Content>>) -> S3Result<Arc<Content>> {
        let content = self.fresh();
        let target = content.clone();
        let copied = tokio::task::spawn_blocking(move || -> io::Result<()> {
            let mut whole = std::fs::File::create_new(&target.path)?;
            for part in parts {
                io::copy(&mut std::fs::File::open(&part.path)?, &mut whole)?;
            }
            Ok(())
        });
        copied.await.map_err(S3Error::internal_error)?.map_err(disk)?;
        Ok(content)
    }
}

/// Reads a body to its end and forgets it, so that a refusal reaches the client as a reply.
pub(super) async fn drain(body: Option<StreamingBlob>) {
    if let Some(mut body) = body {
        while let Some(Ok(_)) = body.next().await {}
    }
}

/// A disk that refuses is told as what it is: the server has no log that anybody reads.
fn disk(source: io::Error) -> S3Error {
    s3_error!(InternalError, "the folder of object contents failed: {source}")
}

fn broken_body(source: s3s::StdError) -> S3Error {
    let mut error = s3_error!(IncompleteBody, "The request body could not be read: {source}");
    error.set_source(source);
    error
}

/// Streams a range of a content; the content lives at least as long as the stream.
///
/// # Errors
/// The file could not be opened.
pub(super) async fn read(content: Arc<Content>, range: Range<u64>) -> S3Result<StreamingBlob> {
    let mut file = File::open(&content.path).await.map_err(disk)?;
    file.seek(io::SeekFrom::Start(range.start)).await.map_err(disk)?;
    let left = range.end - range.start;
    let stream = futures::stream::try_unfold((file, content, left), next_chunk);
    Ok(StreamingBlob::wrap(stream))
}

type Reading = (File, Arc<Content>, u64);

async fn next_chunk((mut file, content, left): Reading) -> io::Result<Option<(Bytes, Reading)>> {
    if left == 0 {
        return Ok(None);
    }
    let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
    let mut chunk = vec![0; length];
    file.read_exact(&mut chunk).await?;
    Ok(Some((Bytes::from(chunk), (file, content, left - length as u64))))
}
