//! How the rows of one table map are laid out, and the shape of Bronze that they take.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use medallion_ingestion::schema::SourceColumn;
use mysql_async::binlog::events::{OptionalMetaExtractor, OptionalMetadataField, TableMapEvent};
use mysql_async::consts::ColumnType;

use crate::charset::{BINARY_COLLATION, Charsets, TextDecoder};
use crate::partial_json;
use crate::rows_event::length_encoded;
use crate::shape::{ShapeError, TableShape};
use crate::value::{Cell, ValueError};
use crate::wire::{Traits, Wire};

/// The flag of after-images that may hold changes of JSON documents
/// (`enum_binlog_row_value_options` of the server).
const PARTIAL_JSON_UPDATES: u64 = 1;

/// Why the rows of a table map cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum TableMapError {
    /// The event's bytes make no sense (bug).
    #[error("the table map is malformed")]
    Malformed {
        /// What was found.
        source: io::Error,
    },
    /// The server sent no column names (operator).
    #[error("the table map has no column names; run SET PERSIST binlog_row_metadata = FULL")]
    NoNames,
    /// The column's text is in a character set that cannot be carried (operator).
    #[error("the column `{column}` has a character set that cannot be turned into UTF-8")]
    CharacterSet {
        /// The source column.
        column: String,
    },
    /// A column of a type whose values have no known width (operator).
    #[error("the column `{column}` has a type from before MySQL 5.6, or an unknown one")]
    Form {
        /// The source column.
        column: String,
    },
    /// The table as a whole cannot be carried (operator).
    #[error("the table cannot be replicated")]
    Shape(#[from] ShapeError),
}

/// Why a row image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A column is not in the image (operator).
    #[error("the row image lacks column `{column}`; run SET PERSIST binlog_row_image = FULL")]
    Partial {
        /// The source column.
        column: String,
    },
    /// A value cannot be read or carried.
    #[error("column `{column}` cannot be read")]
    Value {
        /// The source column.
        column: String,
        /// Why.
        source: ValueError,
    },
    /// The image ends early or has bytes left (bug).
    #[error("the row image is truncated")]
    Truncated,
}

/// One column of the source table, in its order.
#[derive(Debug)]
struct LaidOut {
    name: String,
    wire: Wire,
    /// Bronze has the column.
    kept: bool,
}

/// The columns of a table map and the shape that they give to Bronze.
#[derive(Debug)]
pub(crate) struct RowLayout {
    columns: Vec<LaidOut>,
    shape: Arc<TableShape>,
}

impl RowLayout {
    /// Reads a table map. Invisible columns, and those named in `generated`, are left out, as DMS
    /// leaves them out.
    pub(crate) fn new(
        map: &TableMapEvent<'_>,
        charsets: &Charsets,
        generated: &BTreeSet<String>,
    ) -> Result<RowLayout, TableMapError> {
        let metadata = Metadata::read(map, charsets.of_geometry)?;
        let count = usize::try_from(map.columns_count()).unwrap_or(usize::MAX);
        if metadata.columns.len() != count {
            return Err(TableMapError::NoNames);
        }
        let mut columns = Vec::with_capacity(count);
        let (mut kept, mut places) = (Vec::new(), vec![None; count]);
        for (index, column) in metadata.columns.into_iter().enumerate() {
            let ColumnMetadata { name, unsigned, collation, members, invisible } = column;
            let decoder = match collation {
                None | Some(BINARY_COLLATION) => None,
                Some(collation) => Some(
                    charsets
                        .decoder(collation)
                        .ok_or_else(|| TableMapError::CharacterSet { column: name.clone() })?,
                ),
            };
            let members = texts(&members, decoder.as_ref())
                .ok_or_else(|| TableMapError::CharacterSet { column: name.clone() })?;
            let traits = Traits { unsigned, decoder, members };
            let bytes = map.get_column_metadata(index).unwrap_or(&[]);
            let wire = kind(map, index)?
                .and_then(|kind| Wire::new(kind, bytes, traits))
                .ok_or_else(|| TableMapError::Form { column: name.clone() })?;
            let source_type = wire.source_type().filter(|_| !invisible);
            let source_type = source_type.filter(|_| !generated.contains(&name));
            let is_kept = source_type.is_some();
            if let Some(source_type) = source_type {
                places[index] = Some(kept.len());
                kept.push(SourceColumn { name: name.clone(), source_type });
            }
            columns.push(LaidOut { name, wire, kept: is_kept });
        }
        let key = metadata.key.into_iter().map(|index| {
            let left_out = || ShapeError::KeyLeftOut { column: columns[index].name.clone() };
            places[index].ok_or_else(left_out)
        });
        let key = key.collect::<Result<Vec<_>, _>>()?;
        let shape = Arc::new(TableShape::new(kept, key)?);
        Ok(RowLayout { columns, shape })
    }

    /// What Bronze carries of these rows.
    pub(crate) fn shape(&self) -> &Arc<TableShape> {
        &self.shape
    }

    /// Cuts one row image from the front and appends its values in the shape's order.
    ///
    /// `present` tells which source columns the event's images hold.
    pub(crate) fn cells<'a>(
        &'a self,
        present: &[bool],
        image: &mut &'a [u8],
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<(), ImageError> {
        self.cut(present, None, image, cells)
    }

    /// The same for the after-image of a partial update: a flag per JSON column of the table tells
    /// whether the image holds the document or changes of it. `before` has the cells of the
    /// before-image.
    pub(crate) fn partial_cells<'a>(
        &'a self,
        present: &[bool],
        before: &[Cell<'a>],
        image: &mut &'a [u8],
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<(), ImageError> {
        let options = length_encoded(image).ok_or(ImageError::Truncated)?;
        let is_document = |column: &&LaidOut| matches!(column.wire, Wire::Json { .. });
        let documents = match options & PARTIAL_JSON_UPDATES {
            0 => 0,
            _ => self.columns.iter().filter(is_document).count(),
        };
        let (flags, rest) =
            image.split_at_checked(documents.div_ceil(8)).ok_or(ImageError::Truncated)?;
        *image = rest;
        self.cut(present, Some(&Changes { flags, before }), image, cells)
    }

    fn cut<'a>(
        &'a self,
        present: &[bool],
        changes: Option<&Changes<'_, 'a>>,
        image: &mut &'a [u8],
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<(), ImageError> {
        let held = present.iter().filter(|held| **held).count();
        if held == 0 || present.len() != self.columns.len() {
            return Err(ImageError::Truncated);
        }
        let (nulls, rest) =
            image.split_at_checked(held.div_ceil(8)).ok_or(ImageError::Truncated)?;
        *image = rest;
        let (mut index, mut document, first) = (0, 0, cells.len());
        for (column, held) in self.columns.iter().zip(present) {
            let changes = changes.filter(|changes| {
                let is_document = matches!(column.wire, Wire::Json { .. });
                let flag = is_document && changes.flag(document);
                document += usize::from(is_document);
                flag
            });
            if !held {
                // Columns that are left out need not be there.
                if column.kept {
                    return Err(ImageError::Partial { column: column.name.clone() });
                }
                continue;
            }
            let is_null = nulls[index / 8] >> (index % 8) & 1 == 1;
            index += 1;
            let cell = match changes {
                _ if is_null => Ok(Cell::Null),
                Some(changes) => column.changed(image, changes.before.get(cells.len() - first)),
                None => column.cell(image),
            };
            let cell =
                cell.map_err(|source| ImageError::Value { column: column.name.clone(), source })?;
            if column.kept {
                cells.push(cell);
            }
        }
        Ok(())
    }
}

impl LaidOut {
    /// The value, if Bronze wants it; the image moves on either way.
    fn cell<'a>(&'a self, image: &mut &'a [u8]) -> Result<Cell<'a>, ValueError> {
        let bytes = self.wire.take(image)?;
        if self.kept { self.wire.cell(bytes) } else { Ok(Cell::Null) }
    }

    /// The document that the changes in the image make of the one before.
    fn changed<'a>(
        &self,
        image: &mut &'a [u8],
        before: Option<&Cell<'a>>,
    ) -> Result<Cell<'a>, ValueError> {
        let diffs = self.wire.take(image)?;
        match before {
            _ if !self.kept => Ok(Cell::Null),
            Some(Cell::Json(document)) => {
                Ok(Cell::Text(partial_json::apply(document, diffs)?.into_bytes().into()))
            }
            _ => Err(ValueError::JsonChange),
        }
    }
}

/// What a partial after-image builds on.
struct Changes<'b, 'a> {
    /// One bit per JSON column: the image has changes in the place of the document.
    flags: &'b [u8],
    /// The cells of the before-image.
    before: &'b [Cell<'a>],
}

impl Changes<'_, '_> {
    fn flag(&self, document: usize) -> bool {
        self.flags.get(document / 8).is_some_and(|byte| byte >> (document % 8) & 1 == 1)
    }
}

/// Members as text; those of the character set `binary` must be UTF-8 as they stand.
fn texts(members: &[Vec<u8>], decoder: Option<&TextDecoder>) -> Option<Vec<String>> {
    let decoder = decoder.unwrap_or(&TextDecoder::Utf8);
    let text = |raw: &Vec<u8>| String::from_utf8(decoder.decode(raw).ok()?.into_owned()).ok();
    members.iter().map(text).collect()
}

fn kind(map: &TableMapEvent<'_>, index: usize) -> Result<Option<ColumnType>, TableMapError> {
    map.get_column_type(index).map_err(|error| TableMapError::Malformed {
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })
}

/// The optional metadata of a table map.
struct Metadata {
    columns: Vec<ColumnMetadata>,
    /// The columns of the primary key, in its order.
    key: Vec<usize>,
}

#[derive(Default)]
struct ColumnMetadata {
    name: String,
    unsigned: bool,
    collation: Option<u16>,
    /// In the column's character set.
    members: Vec<Vec<u8>>,
    invisible: bool,
}

impl Metadata {
    fn read(map: &TableMapEvent<'_>, of_geometry: bool) -> Result<Metadata, TableMapError> {
        let malformed = |source| TableMapError::Malformed { source };
        let metadata = OptionalMetaExtractor::new(map.iter_optional_meta()).map_err(malformed)?;
        let (mut enums, mut sets) = members(map).map_err(malformed)?;
        let visible = visibility(map).map_err(malformed)?;
        let mut signs = metadata.iter_signedness();
        let mut charsets = metadata.iter_charset();
        let mut member_charsets = metadata.iter_enum_and_set_charset();
        let mut columns = Vec::new();
        for (index, name) in metadata.iter_column_name().enumerate() {
            let name = name.map_err(malformed)?.name().into_owned();
            let invisible = visible.get(index) == Some(&false);
            let mut column = ColumnMetadata { name, invisible, ..ColumnMetadata::default() };
            if let Some(kind) = kind(map, index)? {
                if kind.is_numeric_type() {
                    column.unsigned = signs.next().unwrap_or_default();
                } else if has_collation(kind, of_geometry) {
                    column.collation = charsets.next().transpose().map_err(malformed)?;
                } else if kind.is_enum_or_set_type() {
                    column.collation = member_charsets.next().transpose().map_err(malformed)?;
                    let lists = if kind.is_enum_type() { &mut enums } else { &mut sets };
                    column.members = lists.next().unwrap_or_default();
                }
            }
            columns.push(column);
        }
        let key = metadata.iter_primary_key().map(|index| {
            let index = index.map_err(malformed)?;
            let place = usize::try_from(index).ok().filter(|place| *place < columns.len());
            place.ok_or_else(|| malformed(io::ErrorKind::InvalidData.into()))
        });
        let key = key.collect::<Result<_, _>>()?;
        Ok(Metadata { columns, key })
    }
}

/// The list of collations has an entry for a column of this type: texts and bytes, VECTOR among
/// them, and in MariaDB the spatial ones.
fn has_collation(kind: ColumnType, of_geometry: bool) -> bool {
    kind.is_character_type() || kind.is_vector_type() || of_geometry && kind.is_geometry_type()
}

/// Which columns are visible; empty before MySQL 8.0.23 and in MariaDB, which do not say.
fn visibility(map: &TableMapEvent<'_>) -> io::Result<Vec<bool>> {
    for field in map.iter_optional_meta() {
        if let OptionalMetadataField::ColumnVisibility(bits) = field? {
            return Ok(bits.iter().by_vals().collect());
        }
    }
    Ok(Vec::new())
}

type Lists = std::vec::IntoIter<Vec<Vec<u8>>>;

/// The members of all ENUM columns, and of all SET columns, each in column order.
fn members(map: &TableMapEvent<'_>) -> io::Result<(Lists, Lists)> {
    let (mut enums, mut sets) = (Vec::new(), Vec::new());
    for field in map.iter_optional_meta() {
        match field? {
            OptionalMetadataField::EnumStrValue(lists) => {
                for list in lists.iter_values() {
                    let list = list?;
                    enums.push(list.values().iter().map(|v| v.value_raw().to_vec()).collect());
                }
            }
            OptionalMetadataField::SetStrValue(lists) => {
                for list in lists.iter_values() {
                    let list = list?;
                    sets.push(list.values().iter().map(|v| v.value_raw().to_vec()).collect());
                }
            }
            _ => {}
        }
    }
    Ok((enums.into_iter(), sets.into_iter()))
}
