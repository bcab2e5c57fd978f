//! Values: name, type, data in place, in a cell or in pieces ("big data").

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::cell::file_offset;
use super::key::decode_name;
use super::{Hive, RegfError};

/// Bit of the data size (offset 4): the data stand in the offset field.
const IN_PLACE: u32 = 0x8000_0000;
/// Data longer than this are stored in pieces of this length (hives of minor version 4 on).
const PIECE: usize = 16344;
/// Name is one byte a character.
const COMPRESSED_NAME: u16 = 0x0001;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegValueKind {
    /// 0
    None,
    /// 1
    Sz,
    /// 2
    ExpandSz,
    /// 3
    Binary,
    /// 4
    Dword,
    /// 5
    DwordBigEndian,
    /// 6
    Link,
    /// 7
    MultiSz,
    /// 8
    ResourceList,
    /// 9
    FullResourceDescriptor,
    /// 10
    ResourceRequirementsList,
    /// 11
    Qword,
    /// Anything else, as written.
    Other(u32),
}

impl RegValueKind {
    /// From the number in the hive.
    pub fn from_number(number: u32) -> RegValueKind {
        match number {
            0 => RegValueKind::None,
            1 => RegValueKind::Sz,
            2 => RegValueKind::ExpandSz,
            3 => RegValueKind::Binary,
            4 => RegValueKind::Dword,
            5 => RegValueKind::DwordBigEndian,
            6 => RegValueKind::Link,
            7 => RegValueKind::MultiSz,
            8 => RegValueKind::ResourceList,
            9 => RegValueKind::FullResourceDescriptor,
            10 => RegValueKind::ResourceRequirementsList,
            11 => RegValueKind::Qword,
            other => RegValueKind::Other(other),
        }
    }

    /// The number in the hive.
    pub fn number(self) -> u32 {
        match self {
            RegValueKind::None => 0,
            RegValueKind::Sz => 1,
            RegValueKind::ExpandSz => 2,
            RegValueKind::Binary => 3,
            RegValueKind::Dword => 4,
            RegValueKind::DwordBigEndian => 5,
            RegValueKind::Link => 6,
            RegValueKind::MultiSz => 7,
            RegValueKind::ResourceList => 8,
            RegValueKind::FullResourceDescriptor => 9,
            RegValueKind::ResourceRequirementsList => 10,
            RegValueKind::Qword => 11,
            RegValueKind::Other(other) => other,
        }
    }

    /// The name as Windows documents it.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            RegValueKind::None => "REG_NONE",
            RegValueKind::Sz => "REG_SZ",
            RegValueKind::ExpandSz => "REG_EXPAND_SZ",
            RegValueKind::Binary => "REG_BINARY",
            RegValueKind::Dword => "REG_DWORD",
            RegValueKind::DwordBigEndian => "REG_DWORD_BIG_ENDIAN",
            RegValueKind::Link => "REG_LINK",
            RegValueKind::MultiSz => "REG_MULTI_SZ",
            RegValueKind::ResourceList => "REG_RESOURCE_LIST",
            RegValueKind::FullResourceDescriptor => "REG_FULL_RESOURCE_DESCRIPTOR",
            RegValueKind::ResourceRequirementsList => "REG_RESOURCE_REQUIREMENTS_LIST",
            RegValueKind::Qword => "REG_QWORD",
            RegValueKind::Other(number) => return Cow::Owned(format!("type 0x{number:X}")),
        })
    }
}

/// A value of a key.
#[derive(Debug, Clone)]
pub struct RegValue<'h> {
    file: &'h str,
    key: Arc<str>,
    offset: Option<u64>,
    name: String,
    kind: RegValueKind,
    data: Cow<'h, [u8]>,
}

impl<'h> RegValue<'h> {
    pub(super) fn read(hive: &'h Hive, reference: u32, key: &Arc<str>) -> Result<RegValue<'h>, RegfError> {
        let cell = hive.cell(reference, "a value")?;
        cell.expect_signature("vk")?;
        let name_len = usize::from(cell.u16(2)?);
        let size = cell.u32(4)?;
        let kind = RegValueKind::from_number(cell.u32(12)?);
        let name = decode_name(cell.bytes(20, name_len)?, cell.u16(16)? & COMPRESSED_NAME != 0);
        let data = if size & IN_PLACE != 0 {
            let len = (size & !IN_PLACE) as usize;
            let wrong = || too_much(hive, reference, 4, len);
            Cow::Borrowed(cell.bytes(8, 4)?.get(..len).ok_or_else(wrong)?)
        } else if size == 0 {
            Cow::Borrowed(&[][..])
        } else {
            stored(hive, reference, cell.u32(8)?, size as usize)?
        };
        Ok(RegValue { file: hive.file(), key: key.clone(), offset: Some(file_offset(reference)), name, kind, data })
    }

    /// A value of a registry that is asked value by value: where that is and the path of the key for messages, and the data as
    /// a hive would hold them.
    pub fn of((file, key): (&'h str, &str), name: &str, kind: RegValueKind, data: Vec<u8>) -> RegValue<'h> {
        RegValue { file, key: Arc::from(key), offset: None, name: name.to_owned(), kind, data: Cow::Owned(data) }
    }

    /// The name as written; empty for the unnamed value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    pub fn kind(&self) -> RegValueKind {
        self.kind
    }

    /// The bytes, whatever the type.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Offset of the value in the file; `None` for one that lies in no file.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// The place for messages: `\Select, value 'Current'`.
    pub fn place(&self) -> String {
        format!("{}, value '{}'", self.key, self.name)
    }

    /// The text of a `REG_SZ`, `REG_EXPAND_SZ` or `REG_LINK`, up to its NUL if it has one.
    pub fn as_string(&self) -> Result<String, RegfError> {
        match self.kind {
            RegValueKind::Sz | RegValueKind::ExpandSz | RegValueKind::Link => {
                let units: Vec<u16> = self.units().take_while(|unit| *unit != 0).collect();
                Ok(String::from_utf16_lossy(&units))
            }
            _ => Err(self.wrong("a text (REG_SZ or REG_EXPAND_SZ)")),
        }
    }

    /// The texts of a `REG_MULTI_SZ`, without the empty ones at its end.
    pub fn as_multi_string(&self) -> Result<Vec<String>, RegfError> {
        if self.kind != RegValueKind::MultiSz {
            return Err(self.wrong("a list of texts (REG_MULTI_SZ)"));
        }
        let units: Vec<u16> = self.units().collect();
        let mut texts: Vec<String> = units.split(|unit| *unit == 0).map(String::from_utf16_lossy).collect();
        while texts.last().is_some_and(String::is_empty) {
            texts.pop();
        }
        Ok(texts)
    }

    /// The number of a `REG_DWORD` (either byte order).
    pub fn as_dword(&self) -> Result<u32, RegfError> {
        match (self.kind, <[u8; 4]>::try_from(&*self.data)) {
            (RegValueKind::Dword, Ok(bytes)) => Ok(u32::from_le_bytes(bytes)),
            (RegValueKind::DwordBigEndian, Ok(bytes)) => Ok(u32::from_be_bytes(bytes)),
            _ => Err(self.wrong("a number of 4 bytes (REG_DWORD)")),
        }
    }

    /// The number of a `REG_QWORD`.
    pub fn as_qword(&self) -> Result<u64, RegfError> {
        match (self.kind, <[u8; 8]>::try_from(&*self.data)) {
            (RegValueKind::Qword, Ok(bytes)) => Ok(u64::from_le_bytes(bytes)),
            _ => Err(self.wrong("a number of 8 bytes (REG_QWORD)")),
        }
    }

    /// The bytes of a `REG_BINARY`.
    pub fn as_binary(&self) -> Result<&[u8], RegfError> {
        if self.kind == RegValueKind::Binary { Ok(&self.data) } else { Err(self.wrong("bytes (REG_BINARY)")) }
    }

    fn units(&self) -> impl Iterator<Item = u16> + '_ {
        self.data.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair))
    }

    fn wrong(&self, expected: &'static str) -> RegfError {
        RegfError::ValueType {
            file: self.file.to_owned(),
            place: self.place(),
            offset: self.offset,
            expected,
            found: format!("{} of {} bytes", self.kind.name(), self.data.len()),
        }
    }
}

fn stored(hive: &Hive, value: u32, reference: u32, size: usize) -> Result<Cow<'_, [u8]>, RegfError> {
    if size > hive.bins().len() {
        return Err(too_much(hive, value, hive.bins().len(), size));
    }
    let cell = hive.cell(reference, "the data of a value")?;
    if size <= PIECE || hive.minor() < 4 || !cell.data.starts_with(b"db") {
        return cell.bytes(0, size).map(Cow::Borrowed);
    }
    // Offset 2: number of pieces; offset 4: list of their cells.
    let count = usize::from(cell.u16(2)?);
    let list = hive.cell(cell.u32(4)?, "the list of pieces of a value")?;
    let pieces = list.bytes(0, count * 4)?;
    let mut data = Vec::with_capacity(size);
    let mut seen = HashSet::new();
    for piece in pieces.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)) {
        if !seen.insert(piece) {
            let found = file_offset(piece);
            return Err(RegfError::Repeated { file: hive.file().to_owned(), offset: list.offset, found });
        }
        let wanted = PIECE.min(size - data.len());
        data.extend_from_slice(hive.cell(piece, "a piece of a value")?.bytes(0, wanted)?);
    }
    if data.len() < size {
        return Err(too_much(hive, value, data.len(), size));
    }
    Ok(Cow::Owned(data))
}

fn too_much(hive: &Hive, value: u32, expected: usize, found: usize) -> RegfError {
    RegfError::DataSize {
        file: hive.file().to_owned(),
        offset: file_offset(value),
        expected: expected as u64,
        found: found as u64,
    }
}
