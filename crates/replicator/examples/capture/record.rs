//! Events of a real server as a binlog file, for the decoding benches.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use medallion_replicator::position::BinlogPosition;
use mysql_async::binlog::{BinlogVersion, EventType};
use mysql_async::{BinlogStreamRequest, Conn, Opts};

/// What every binlog file begins with.
const MAGIC: [u8; 4] = [0xFE, b'b', b'i', b'n'];

#[derive(Debug, Args)]
pub(super) struct Record {
    /// `mysql://user:password@host:port`
    #[arg(long)]
    url: String,
    /// `<file>:<offset>`
    #[arg(long, value_parser = super::position)]
    from: BinlogPosition,
    /// `<file>:<offset>`, in the same file
    #[arg(long, value_parser = super::position)]
    until: BinlogPosition,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

impl Record {
    pub(super) async fn run(&self) -> Result<(), Box<dyn Error>> {
        let conn = Conn::new(Opts::from_url(&self.url)?).await?;
        let request = BinlogStreamRequest::new(4_301)
            .with_filename(self.from.file().as_bytes())
            .with_pos(self.from.offset());
        let mut stream = conn.get_binlog_stream(request).await?;
        let mut file = MAGIC.to_vec();
        let mut events = 0;
        while let Some(event) = stream.next().await {
            let event = event?;
            // The server makes up a rotation for each connection.
            if event.header().event_type_raw() != EventType::ROTATE_EVENT as u8 {
                event.write(BinlogVersion::Version4, &mut file)?;
                events += 1;
            }
            if u64::from(event.header().log_pos()) >= self.until.offset() {
                break;
            }
        }
        // Everything is read.
        let _ = stream.close().await;
        std::fs::write(&self.out, &file)?;
        println!(r#"{{"events": {events}, "bytes": {}}}"#, file.len());
        Ok(())
    }
}
