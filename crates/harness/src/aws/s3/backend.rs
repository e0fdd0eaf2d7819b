//! The operations that the `s3s` service dispatches to; every other operation is
//! `NotImplemented` by that library.

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput,
    CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput,
    DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result};

use super::Store;
use super::index::request_id;
use super::objects::Envelope;

/// The S3 implementation.
pub(super) struct Backend {
    store: Arc<Store>,
}

impl Backend {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

fn open<T>(request: S3Request<T>) -> (T, Envelope) {
    let trailers = request.trailing_headers;
    (request.input, Envelope { headers: request.headers, trailers, request_id: request_id() })
}

fn reply<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = |$store:ident, $request:ident| $body:expr;)*) => {
        #[async_trait::async_trait]
        impl S3 for Backend {
            $(
                async fn $name(&self, $request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let $store = &self.store;
                    $store.meter.request();
                    reply($body)
                }
            )*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput =
        |store, request| store.create_bucket(&request.input)?;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = |store, request| {
        store.delete_bucket(&request.input.bucket)?;
        DeleteBucketOutput::default()
    };
    head_bucket(HeadBucketInput) -> HeadBucketOutput =
        |store, request| store.head_bucket(&request.input.bucket)?;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = |store, _request| store.list_buckets();
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput =
        |store, request| store.bucket_location(&request.input.bucket)?;
    list_objects(ListObjectsInput) -> ListObjectsOutput =
        |store, request| store.list_objects(request.input)?;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output =
        |store, request| store.list_objects_v2(request.input)?;
    put_object(PutObjectInput) -> PutObjectOutput = |store, request| {
        let (input, envelope) = open(request);
        store.put_object(input, envelope).await?
    };
    get_object(GetObjectInput) -> GetObjectOutput =
        |store, request| store.get_object(request.input).await?;
    head_object(HeadObjectInput) -> HeadObjectOutput =
        |store, request| store.head_object(&request.input)?;
    copy_object(CopyObjectInput) -> CopyObjectOutput =
        |store, request| store.copy_object(request.input, &request_id())?;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = |store, request| {
        store.delete_object(&request.input)?;
        DeleteObjectOutput::default()
    };
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput =
        |store, request| store.delete_objects(&request.input.bucket, request.input.delete)?;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput =
        |store, request| store.create_upload(request.input)?;
    upload_part(UploadPartInput) -> UploadPartOutput = |store, request| {
        let (input, envelope) = open(request);
        store.upload_part(input, envelope).await?
    };
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput =
        |store, request| store.complete_upload(request.input, &request_id()).await?;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput =
        |store, request| {
            let input = request.input;
            store.abort_upload(&input.upload_id, &input.bucket, &input.key)?;
            AbortMultipartUploadOutput::default()
        };
    list_parts(ListPartsInput) -> ListPartsOutput = |store, request| store.list_parts(request.input)?;
}
