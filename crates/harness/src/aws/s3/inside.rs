//! What the process that runs a server may do and no client of S3 can: give it files, keep a
//! bucket's state and put it back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3s::dto::Checksum;

use super::event::Reason;
use super::index::{KeptHeaders, Object, Put, WriteConditions, now, request_id};
use super::objects::content_type;
use super::{S3Server, Traffic};

/// The objects of a bucket at some moment.
#[derive(Clone, Debug)]
pub struct BucketState(BTreeMap<String, Arc<Object>>);

impl BucketState {
    /// The keys and sizes of the objects, in order.
    pub fn objects(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(key, object)| (key.as_str(), object.size))
    }
}

impl S3Server {
    /// What went through since the start.
    pub fn traffic(&self) -> Traffic {
        self.store.meter.now()
    }

    /// Makes a local file an object without sending it: by a hard link where the file system can,
    /// so the file must not be written to afterwards. Gives its bytes.
    ///
    /// # Errors
    /// When the file cannot be read or linked, or there is no such bucket.
    pub fn adopt(&self, bucket: &str, key: &str, file: &Path) -> io::Result<u64> {
        let (content, size, md5) = self.store.contents.adopt(file)?;
        let headers =
            KeptHeaders { content_type: Some(content_type(None)), ..KeptHeaders::default() };
        let object = Arc::new(Object {
            etag: hex::encode(md5),
            size,
            modified: now(),
            headers,
            checksum: Checksum::default(),
            content,
        });
        let put = Put {
            bucket,
            key,
            object,
            conditions: &WriteConditions::default(),
            reason: Reason::PutObject,
            request_id: &request_id(),
        };
        self.store.index().replace(&self.store.owner, put).map_err(io::Error::other)?;
        Ok(size)
    }

    /// The file that holds an object's bytes; it goes with the object.
    pub fn file_of(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let index = self.store.index();
        index.object(bucket, key).ok().map(|object| object.content.path().to_owned())
    }

    /// Makes the objects below a prefix files of a folder, named by their keys: by hard links where
    /// the file system can, so nobody may write to the files. A file that is there already is
    /// replaced. Gives their number.
    ///
    /// # Errors
    /// When a file cannot be made, or there is no such bucket.
    pub fn export(&self, bucket: &str, prefix: &str, folder: &Path) -> io::Result<usize> {
        let state =
            self.state(bucket).ok_or_else(|| io::Error::other("there is no such bucket"))?;
        let below = state.0.iter().filter(|(key, _)| key.starts_with(prefix));
        let mut files = 0;
        for (key, object) in below {
            let (from, to) = (object.content.path(), folder.join(key));
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent)?;
            }
            if to.exists() {
                std::fs::remove_file(&to)?;
            }
            if std::fs::hard_link(from, &to).is_err() {
                std::fs::copy(from, &to)?;
            }
            files += 1;
        }
        Ok(files)
    }

    /// The state of a bucket. While it is kept, so are its objects' contents.
    pub fn state(&self, bucket: &str) -> Option<BucketState> {
        self.store.index().bucket(bucket).ok().map(|bucket| BucketState(bucket.objects.clone()))
    }

    /// Puts a bucket back into an earlier state, without events.
    pub fn restore(&self, bucket: &str, state: &BucketState) {
        if let Some(bucket) = self.store.index().buckets.get_mut(bucket) {
            bucket.objects = state.0.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::S3Config;
    use super::*;

    #[tokio::test]
    async fn a_file_becomes_an_object_and_a_state_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (access_key, secret_key) = crate::stack::keys();
        let config = S3Config {
            root: folder.path().join("s3"),
            access_key,
            secret_key,
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        let server = S3Server::start(config).await.unwrap();
        let client = crate::stack::s3_client("us-east-1", &server.endpoint());
        client.create_bucket().bucket("lake").send().await.unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, b"four").unwrap();
        assert_eq!(server.adopt("lake", "bronze/a", &file).unwrap(), 4);
        let state = server.state("lake").unwrap();
        let get = || client.get_object().bucket("lake").key("bronze/a").send();
        let before = server.traffic();
        let object = get().await.unwrap();
        assert_eq!(object.e_tag(), Some("\"8cbad96aced40b3838dd9f07f6ef5772\""));
        assert_eq!(&object.body.collect().await.unwrap().into_bytes()[..], b"four");
        let since = server.traffic().since(&before);
        assert_eq!((since.requests, since.total().read), (1, 4));
        client.delete_object().bucket("lake").key("bronze/a").send().await.unwrap();
        assert!(get().await.is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"four", "the given file stays");
        let out = folder.path().join("out");
        assert_eq!(server.export("lake", "bronze/", &out).unwrap(), 0);
        server.restore("lake", &state);
        for _ in 0..2 {
            assert_eq!(server.export("lake", "bronze/", &out).unwrap(), 1);
            assert_eq!(std::fs::read(out.join("bronze/a")).unwrap(), b"four");
        }
        assert_eq!(server.export("lake", "silver/", &out).unwrap(), 0);
        assert!(server.export("nowhere", "", &out).is_err());
        let again = get().await.unwrap().body.collect().await.unwrap();
        assert_eq!(&again.into_bytes()[..], b"four");
        assert!(server.adopt("nowhere", "a", &file).is_err());
        server.stop().await;
    }
}
