//! Rows that wait for the commit of their transaction: in memory up to a limit, then on disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::position::BinlogPosition;
use crate::rows_event::{RowsEvent, RowsKind};
use crate::table_map::RowLayout;

/// Where rows wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HoldPolicy {
    /// The most bytes of one transaction in memory.
    pub(crate) max_bytes: usize,
    /// The folder of the files beyond.
    pub(crate) folder: PathBuf,
}

/// The rows of one event that wait.
#[derive(Debug)]
pub(crate) struct PendingRows {
    /// The table, by its place in the list.
    pub(crate) table: usize,
    pub(crate) layout: Arc<RowLayout>,
    pub(crate) event: RowsEvent,
    /// Where the event begins.
    pub(crate) position: BinlogPosition,
}

/// The rows of one transaction, in their order.
#[derive(Debug, Default)]
pub(crate) struct HeldRows {
    memory: VecDeque<PendingRows>,
    bytes: usize,
    events: u64,
    spill: Option<Spill>,
}

impl HeldRows {
    /// Adds an event's rows; what is in memory goes to disk when it has become too much.
    pub(crate) fn push(&mut self, rows: PendingRows, policy: &HoldPolicy) -> io::Result<()> {
        self.bytes += rows.event.bytes();
        self.events += 1;
        self.memory.push_back(rows);
        if self.bytes <= policy.max_bytes {
            return Ok(());
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(&policy.folder)?),
        };
        self.memory.drain(..).try_for_each(|rows| spill.write(&rows))?;
        self.bytes = 0;
        Ok(())
    }

    /// Takes the first event; those on disk come before those in memory.
    pub(crate) fn pop(&mut self) -> io::Result<Option<PendingRows>> {
        if let Some(spill) = &mut self.spill {
            if let Some(rows) = spill.read()? {
                return Ok(Some(rows));
            }
            self.spill = None;
        }
        Ok(self.memory.pop_front())
    }

    /// The number of events that were added.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    #[cfg(test)]
    fn spilled(&self) -> bool {
        self.spill.is_some()
    }
}

/// Events in a file without a name, which is gone with its process however that ends.
#[derive(Debug)]
struct Spill {
    file: Side,
    /// Layouts and binlog files are named by their place here.
    layouts: Vec<(usize, Arc<RowLayout>)>,
    positions: Vec<BinlogPosition>,
    /// The events still to be read.
    left: u64,
}

#[derive(Debug)]
enum Side {
    Writing(BufWriter<File>),
    Reading(BufReader<File>),
    /// Between the two, and after an error.
    Broken,
}

impl Spill {
    fn create(folder: &Path) -> io::Result<Spill> {
        std::fs::create_dir_all(folder)?;
        let file = tempfile::tempfile_in(folder)?;
        let file = Side::Writing(BufWriter::with_capacity(1 << 20, file));
        Ok(Spill { file, layouts: Vec::new(), positions: Vec::new(), left: 0 })
    }

    fn write(&mut self, rows: &PendingRows) -> io::Result<()> {
        let layout = (rows.table, &rows.layout);
        let known = |(table, known): &(usize, Arc<RowLayout>)| {
            *table == layout.0 && Arc::ptr_eq(known, layout.1)
        };
        let place = self.layouts.iter().position(known).unwrap_or_else(|| {
            self.layouts.push((rows.table, Arc::clone(&rows.layout)));
            self.layouts.len() - 1
        });
        let file = self.positions.iter().position(|p| p.file() == rows.position.file());
        let file = file.unwrap_or_else(|| {
            self.positions.push(rows.position.clone());
            self.positions.len() - 1
        });
        let Side::Writing(out) = &mut self.file else { return Err(broken()) };
        let event = &rows.event;
        for number in [place as u64, file as u64, rows.position.offset(), event.table_id] {
            out.write_all(&number.to_le_bytes())?;
        }
        let kind = match event.kind {
            RowsKind::Insert => 0,
            RowsKind::Update => 1,
            RowsKind::PartialUpdate => 2,
            RowsKind::Delete => 3,
        };
        out.write_all(&[kind])?;
        for bits in [&event.before, &event.after] {
            let bytes: Vec<u8> = bits.iter().map(|bit| u8::from(*bit)).collect();
            write_sized(out, &bytes)?;
        }
        write_sized(out, &event.images)?;
        self.left += 1;
        Ok(())
    }

    fn read(&mut self) -> io::Result<Option<PendingRows>> {
        if let Side::Writing(_) = &self.file {
            let Side::Writing(out) = std::mem::replace(&mut self.file, Side::Broken) else {
                return Err(broken());
            };
            let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            self.file = Side::Reading(BufReader::with_capacity(1 << 20, file));
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let Side::Reading(input) = &mut self.file else { return Err(broken()) };
        let [place, file, offset, table_id] = [(); 4].map(|()| read_number(input));
        let mut kind = [0];
        input.read_exact(&mut kind)?;
        let kind = match kind {
            [0] => RowsKind::Insert,
            [1] => RowsKind::Update,
            [2] => RowsKind::PartialUpdate,
            [3] => RowsKind::Delete,
            _ => return Err(broken()),
        };
        let mut bits =
            || Ok::<_, io::Error>(read_sized(input)?.into_iter().map(|bit| bit == 1).collect());
        let (before, after) = (bits()?, bits()?);
        let images = read_sized(input)?;
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let (table, layout) = self.layouts.get(at(place?)).ok_or_else(broken)?;
        let position = self.positions.get(at(file?)).ok_or_else(broken)?.at(offset?);
        let event = RowsEvent { kind, table_id: table_id?, before, after, images };
        Ok(Some(PendingRows { table: *table, layout: Arc::clone(layout), event, position }))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file of waiting rows is broken")
}

fn write_sized(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)
}

fn read_number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_sized(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = usize::try_from(read_number(input)?).map_err(|_| broken())?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn rows_come_back_in_order_from_disk_and_memory() {
        let folder = tempfile::tempdir().unwrap();
        let policy = HoldPolicy { max_bytes: 5000, folder: folder.path().join("spill") };
        let layouts = [fixture::layout(["id", "name"]), fixture::layout(["id", "full_name"])];
        let kinds = [RowsKind::Insert, RowsKind::Update, RowsKind::PartialUpdate, RowsKind::Delete];
        let mut held = HeldRows::default();
        let event = |n: usize| RowsEvent {
            kind: kinds[n % 4],
            table_id: n as u64,
            before: vec![n.is_multiple_of(2); n % 3],
            after: vec![true; n % 5],
            images: vec![u8::try_from(n).unwrap(); n * 7],
        };
        let position = |n: usize| {
            BinlogPosition::new(&format!("binlog.00000{}", 1 + n / 40), n as u64 * 100).unwrap()
        };
        for n in 0..90 {
            let layout = Arc::clone(&layouts[n % 2]);
            let rows = PendingRows { table: n % 3, layout, event: event(n), position: position(n) };
            held.push(rows, &policy).unwrap();
        }
        assert!(held.spilled());
        assert!(!held.memory.is_empty(), "the last events must still be in memory");
        for n in 0..90 {
            let rows = held.pop().unwrap().unwrap();
            assert_eq!((rows.table, rows.event, rows.position), (n % 3, event(n), position(n)));
            assert!(Arc::ptr_eq(&rows.layout, &layouts[n % 2]));
        }
        assert!(held.pop().unwrap().is_none());
        assert_eq!(std::fs::read_dir(&policy.folder).unwrap().count(), 0);
    }
}
