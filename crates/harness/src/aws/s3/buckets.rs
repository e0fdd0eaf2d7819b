//! Bucket operations and listings.

use std::collections::BTreeMap;

use s3s::dto::{
    Bucket as BucketEntry, BucketLocationConstraint, CommonPrefix, CreateBucketInput,
    CreateBucketOutput, EncodingType, GetBucketLocationOutput, HeadBucketOutput, ListBucketsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object as ObjectEntry, ObjectStorageClass, Owner as OwnerEntry, Timestamp,
};
use s3s::{S3Result, s3_error};

use super::Store;
use super::index::{Bucket, Object, now};
use super::listing::{After, PAGE_LIMIT, Page, Query, list};

impl Store {
    pub(super) fn create_bucket(&self, input: &CreateBucketInput) -> S3Result<CreateBucketOutput> {
        let configuration = input.create_bucket_configuration.as_ref();
        let asked = configuration.and_then(|given| given.location_constraint.as_ref());
        self.check_location(asked.map(BucketLocationConstraint::as_str))?;
        let mut index = self.index();
        if index.buckets.contains_key(&input.bucket) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        let bucket = Bucket { created: now(), objects: BTreeMap::new() };
        index.buckets.insert(input.bucket.clone(), bucket);
        Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
    }

    /// us-east-1 takes no constraint, every other region its own name.
    fn check_location(&self, asked: Option<&str>) -> S3Result<()> {
        let region = self.owner.region.as_str();
        match (region, asked) {
            ("us-east-1", None) => Ok(()),
            ("us-east-1", Some(_)) => Err(s3_error!(InvalidLocationConstraint)),
            (region, Some(asked)) if asked == region => Ok(()),
            (_, asked) => Err(s3_error!(
                IllegalLocationConstraintException,
                "The {} location constraint is incompatible for the region specific endpoint \
                 this request was sent to.",
                asked.unwrap_or("unspecified")
            )),
        }
    }

    pub(super) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let mut index = self.index();
        if !index.bucket(name)?.objects.is_empty() {
            return Err(s3_error!(BucketNotEmpty));
        }
        index.buckets.remove(name);
        Ok(())
    }

    pub(super) fn head_bucket(&self, name: &str) -> S3Result<HeadBucketOutput> {
        self.index().bucket(name)?;
        let bucket_region = Some(self.owner.region.clone());
        Ok(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() })
    }

    pub(super) fn bucket_location(&self, name: &str) -> S3Result<GetBucketLocationOutput> {
        self.index().bucket(name)?;
        let region = self.owner.region.clone();
        let location_constraint =
            (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput { location_constraint })
    }

    pub(super) fn list_buckets(&self) -> ListBucketsOutput {
        let entry = |(name, bucket): (&String, &Bucket)| BucketEntry {
            name: Some(name.clone()),
            creation_date: Some(Timestamp::from(bucket.created)),
            bucket_region: Some(self.owner.region.clone()),
        };
        ListBucketsOutput {
            buckets: Some(self.index().buckets.iter().map(entry).collect()),
            owner: Some(self.owner_entry()),
            ..ListBucketsOutput::default()
        }
    }

    fn owner_entry(&self) -> OwnerEntry {
        OwnerEntry { display_name: None, id: Some(self.owner.account_id.clone()) }
    }

    pub(super) fn list_objects_v2(
        &self,
        input: ListObjectsV2Input,
    ) -> S3Result<ListObjectsV2Output> {
        let asked = input.prefix.as_deref().unwrap_or_default();
        self.faults.strike("ListObjectsV2", asked).refuse_read()?;
        let index = self.index();
        let bucket = index.bucket(&input.bucket)?;
        let after = match &input.continuation_token {
            Some(token) => Some(After::from_token(token).ok_or_else(|| {
                s3_error!(InvalidArgument, "The continuation token provided is incorrect")
            })?),
            None => input.start_after.clone().filter(|key| !key.is_empty()).map(After::Key),
        };
        let (limit, max_keys) = page_size(input.max_keys)?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let query = Query { prefix, delimiter: input.delimiter.as_deref(), after, limit };
        let page = list(&bucket.objects, &query);
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let owner = input.fetch_owner.unwrap_or(false).then(|| self.owner_entry());
        Ok(ListObjectsV2Output {
            key_count: i32::try_from(page.entries.len() + page.common_prefixes.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(After::token),
            contents: Some(entries(&page, encoding, owner.as_ref())),
            common_prefixes: Some(common_prefixes(&page, encoding)),
            name: Some(input.bucket),
            prefix: Some(encoding.apply(prefix)),
            delimiter: input.delimiter.map(|text| encoding.apply(&text)),
            start_after: input.start_after.map(|text| encoding.apply(&text)),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            max_keys: Some(max_keys),
            ..ListObjectsV2Output::default()
        })
    }

    pub(super) fn list_objects(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let index = self.index();
        let bucket = index.bucket(&input.bucket)?;
        let delimiter = input.delimiter.as_deref();
        let marker = input.marker.clone().filter(|marker| !marker.is_empty());
        let after = marker.map(|marker| After::from_marker(marker, delimiter));
        let (limit, max_keys) = page_size(input.max_keys)?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let page = list(&bucket.objects, &Query { prefix, delimiter, after, limit });
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        // S3 names the next marker only when there is a delimiter.
        let next = page.next.as_ref().filter(|_| delimiter.is_some());
        Ok(ListObjectsOutput {
            is_truncated: Some(page.next.is_some()),
            next_marker: next.map(|next| encoding.apply(next.text())),
            contents: Some(entries(&page, encoding, Some(&self.owner_entry()))),
            common_prefixes: Some(common_prefixes(&page, encoding)),
            name: Some(input.bucket),
            prefix: Some(encoding.apply(prefix)),
            delimiter: input.delimiter.as_deref().map(|text| encoding.apply(text)),
            marker: Some(encoding.apply(input.marker.as_deref().unwrap_or_default())),
            encoding_type: input.encoding_type,
            max_keys: Some(max_keys),
            ..ListObjectsOutput::default()
        })
    }
}

fn page_size(asked: Option<i32>) -> S3Result<(usize, i32)> {
    let asked = asked.unwrap_or(1000);
    let size = usize::try_from(asked)
        .map_err(|_| s3_error!(InvalidArgument, "Argument maxKeys must be at least 0"))?;
    Ok((size.min(PAGE_LIMIT), asked))
}

/// How texts are written in a listing.
#[derive(Debug, Clone, Copy)]
enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified")),
        }
    }

    fn apply(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => text.bytes().map(url_byte).collect(),
        }
    }
}

fn url_byte(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

type ObjectPage<'a> = Page<'a, std::sync::Arc<Object>>;

fn entries(
    page: &ObjectPage<'_>,
    encoding: Encoding,
    owner: Option<&OwnerEntry>,
) -> Vec<ObjectEntry> {
    let entry = |(key, object): &(&str, &std::sync::Arc<Object>)| ObjectEntry {
        key: Some(encoding.apply(key)),
        e_tag: Some(object.e_tag()),
        size: i64::try_from(object.size).ok(),
        last_modified: Some(object.last_modified()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        owner: owner.cloned(),
        ..ObjectEntry::default()
    };
    page.entries.iter().map(entry).collect()
}

fn common_prefixes(page: &ObjectPage<'_>, encoding: Encoding) -> Vec<CommonPrefix> {
    let entry = |prefix: &String| CommonPrefix { prefix: Some(encoding.apply(prefix)) };
    page.common_prefixes.iter().map(entry).collect()
}
