//! What must hold for any bytes whatever, as functions that the corpus, the mutations, the byte flips and the fuzz targets
//! share: no panic, no read outside the file, a bounded number of reads, extents that agree with what is read, and pieces
//! that agree with the whole.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub mod inside;
pub mod small;
pub mod subjects;

use hvm_formats::check::check;
use hvm_formats::cim::{self, Object, Reference, Value};
use hvm_formats::disk::{
    Checksums, DiskError, ExtentKind, Format, GateError, OpenOptions, ParentGate, ParentRequest, ParentTime,
    VirtualDisk, open_with,
};
use hvm_formats::guestfs::Ntfs;
use hvm_formats::guestfs::ntfs::FileReference;
use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_formats::io::{MemoryFile, ReadAt, SharedFile};
use hvm_formats::regf::{Hive, Key};
use hvm_formats::vmxml::{Document, Node, ValueKind};
use hvm_testkit::vhdx::SparseImage;

/// Disks up to this size are read whole.
pub const WHOLE: u64 = 64 << 20;

/// A file of a few changed bytes over another one. It counts its reads and stops the test when there are too many, or
/// when one of them leaves the file.
pub struct Watched {
    name: String,
    base: SharedFile,
    patches: Vec<(u64, Vec<u8>)>,
    len: u64,
    reads: AtomicU64,
    bound: u64,
    outside: Outside,
}

/// What a read past the end of the file means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// A mistake of the reader: it must have compared the place with the length before.
    Forbidden,
    /// An error, as a file system gives it: what is inside a disk may end early.
    Error,
}

impl Watched {
    pub fn new(name: &str, base: SharedFile, patches: Vec<(u64, Vec<u8>)>, bound: u64) -> Arc<Self> {
        let len = base.len();
        Arc::new(Watched {
            name: name.to_owned(),
            base,
            patches,
            len,
            reads: AtomicU64::new(0),
            bound,
            outside: Outside::Forbidden,
        })
    }

    /// The same for bytes whose reader leaves the ends to the file.
    pub fn lenient(name: &str, base: SharedFile, patches: Vec<(u64, Vec<u8>)>, bound: u64) -> Arc<Self> {
        let (name, len, reads) = (name.to_owned(), base.len(), AtomicU64::new(0));
        Arc::new(Watched { name, base, patches, len, reads, bound, outside: Outside::Error })
    }

    /// The file cut to `len` bytes.
    pub fn cut(name: &str, base: SharedFile, len: u64, bound: u64) -> Arc<Self> {
        Arc::new(Watched {
            name: name.to_owned(),
            base,
            patches: Vec::new(),
            len,
            reads: AtomicU64::new(0),
            bound,
            outside: Outside::Forbidden,
        })
    }

    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl ReadAt for Watched {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let count = self.reads.fetch_add(1, Ordering::Relaxed);
        assert!(count < self.bound, "{}: more than {} reads", self.name, self.bound);
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len);
        let Some(end) = end else {
            let len = buf.len();
            assert!(self.outside == Outside::Error, "{}: {len} bytes at {offset} lie outside", self.name);
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        self.base.read_exact_at(buf, offset)?;
        for (at, bytes) in &self.patches {
            let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(end));
            if from < to {
                buf[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
        }
        Ok(())
    }
}

/// A file of the testkit.
struct Image {
    name: String,
    image: SparseImage,
}

impl ReadAt for Image {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.image.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.image.fill(offset, buf);
        Ok(())
    }

    /// Holes by pages, as a file system has them.
    fn run(&self, offset: u64) -> (bool, u64) {
        self.image.run(offset)
    }
}

pub fn image_file(name: &str, image: SparseImage) -> SharedFile {
    Arc::new(Image { name: name.to_owned(), image })
}

pub fn memory(name: &str, bytes: &[u8]) -> SharedFile {
    Arc::new(MemoryFile::new(name, bytes))
}

/// Finds parents by the last part of a recorded path or name.
#[derive(Default, Clone)]
pub struct Files(pub HashMap<String, SharedFile>);

impl ParentGate for Files {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let paths = request.locators.iter().map(|locator| locator.path.as_str()).chain([request.name.as_str()]);
        Ok(paths.filter_map(|path| self.0.get(path.rsplit(['\\', '/']).next()?).cloned()).collect())
    }
}

/// What came of a disk.
pub struct Read {
    pub size: u64,
    /// The content, of disks up to [`WHOLE`]; zeros where it could not be read.
    pub content: Option<Vec<u8>>,
    /// The first error of a read.
    pub error: Option<DiskError>,
    /// Ranges that could not be read.
    pub missed: Vec<(u64, u64)>,
    pub remarks: Vec<String>,
}

pub fn options(format: Option<Format>) -> OpenOptions {
    OpenOptions { format, parent_time: ParentTime::Strict, checksums: Checksums::Strict }
}

/// Opens a disk, walks its extents and reads it; panics where what it says does not fit together.
pub fn disk(file: &SharedFile, gate: &dyn ParentGate, format: Option<Format>) -> Result<Read, DiskError> {
    Ok(walk_disk(&*open_with(file.clone(), gate, &options(format))?))
}

/// The same for a disk that is open.
pub fn walk_disk(disk: &dyn VirtualDisk) -> Read {
    let size = disk.size();
    assert!(size > 0 && matches!(disk.sector_size(), 512 | 4096));
    assert!(matches!(disk.extent(size), Err(DiskError::OutOfRange { .. })));
    let remarks = disk.layers().iter().flat_map(|layer| layer.remarks.clone()).collect();
    let mut read = Read { size, content: None, error: None, missed: Vec::new(), remarks };
    let mut content = vec![0; if size <= WHOLE { size as usize } else { 0 }];
    let mut before = None;
    let (mut at, mut steps) = (0, 0);
    while at < size && steps < 4096 {
        let extent = match disk.extent(at) {
            Ok(extent) => extent,
            Err(error) => {
                read.error.get_or_insert(error);
                read.missed.push((at, size));
                break;
            }
        };
        assert!(extent.start == at && extent.len > 0 && extent.len <= size - at, "{extent:?} of {size}");
        assert!(extent.kind == ExtentKind::Data || before != Some(ExtentKind::Zero), "zeros are cut at {at}");
        before = Some(extent.kind);
        look(disk, (at, at + extent.len), extent.kind, &mut content, &mut read);
        at += extent.len;
        steps += 1;
    }
    if size <= WHOLE {
        pieces(disk, &content, &read);
        read.content = Some(content);
    }
    read
}

/// Reads a run; of a large disk its ends.
fn look(disk: &dyn VirtualDisk, (start, end): (u64, u64), kind: ExtentKind, content: &mut [u8], read: &mut Read) {
    let step = 64 << 10;
    let mut at = start;
    while at < end {
        let len = (end - at).min(step);
        let mut own = vec![0xA5; if content.is_empty() { len as usize } else { 0 }];
        let part = if content.is_empty() { &mut own[..] } else { &mut content[at as usize..(at + len) as usize] };
        match disk.read_at(at, part) {
            Ok(()) => assert!(kind == ExtentKind::Data || is_zero(part), "no zeros at {at}"),
            Err(error) => {
                assert!(kind == ExtentKind::Data, "zeros at {at} cannot be read: {error}");
                part.fill(0);
                read.error.get_or_insert(error);
                read.missed.push((at, at + len));
            }
        }
        at += len;
        if content.is_empty() {
            at = at.max(end.saturating_sub(step));
        }
    }
}

/// In pieces that are compared at once: this is asked for megabytes of each of a million files.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|piece| *piece == [0; 4096][..piece.len()])
}

/// Pieces of odd lengths at odd places are the same bytes.
fn pieces(disk: &dyn VirtualDisk, content: &[u8], read: &Read) {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..6 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 20) as usize % content.len();
        let len = ((state >> 8) as usize % 5000).min(content.len() - at);
        let range = (at as u64, (at + len) as u64);
        let mut piece = vec![0x5A; len];
        let missed = read.missed.iter().any(|(start, end)| *start < range.1 && range.0 < *end);
        match disk.read_at(range.0, &mut piece) {
            Ok(()) => assert!(missed || piece[..] == content[at..at + len], "the piece {range:?} differs"),
            Err(error) => assert!(missed, "the piece {range:?} cannot be read: {error}"),
        }
    }
}

/// The check of a file; true when it found nothing wrong and the file can be read.
pub fn is_clean(file: &SharedFile, format: Option<Format>) -> bool {
    check(file, format).is_ok_and(|report| report.findings.is_clean() && report.unreadable.is_none())
}

/// Everything at once, for bytes of which nothing is known.
pub fn any_disk(file: &SharedFile, gate: &dyn ParentGate, format: Format) -> Option<Vec<u8>> {
    let read = disk(file, gate, Some(format));
    let _ = check(file, Some(format));
    if let Err(error) = &read {
        assert!(error.to_string().ends_with('.') && !error.file().is_empty(), "{error}");
    }
    read.ok().filter(|read| read.error.is_none()).and_then(|read| read.content)
}

/// Reads all that there is of an NTFS volume; how many names, and a sum over what was read.
pub fn ntfs(file: &SharedFile) -> Option<(usize, u64)> {
    if let Ok(ntfs) = Ntfs::open(file.clone()) {
        let _ = (ntfs.doubts(), ntfs.volume(), ntfs.find("SUB\\F3"));
    }
    ntfs_files(file)
}

/// The same without the state of the volume and paths, for which the table of upper case is read.
pub fn ntfs_files(file: &SharedFile) -> Option<(usize, u64)> {
    let ntfs = Ntfs::open(file.clone()).ok()?;
    if let Ok(bitmap) = ntfs.bitmap() {
        let mut end = 0;
        for run in bitmap.free_runs().map_while(Result::ok).take(100_000) {
            assert!(run.start >= end && run.end > run.start && run.end <= ntfs.clusters(), "{run:?}");
            end = run.end;
        }
    }
    let mut folders = vec![(FileReference::ROOT, 0)];
    let (mut seen, mut sum) = (0, 0u64);
    while let Some((folder, depth)) = folders.pop() {
        let Ok(names) = ntfs.read_dir(folder) else { continue };
        for entry in names.map_while(Result::ok).take(5000) {
            seen += 1;
            let _ = ntfs.reparse(entry.reference);
            for stream in ntfs.streams(entry.reference).unwrap_or_default().iter().take(50) {
                sum = sum.wrapping_mul(31).wrapping_add(stream_sum(&ntfs, &entry.reference, &stream.name));
            }
            if entry.is_directory() && entry.name != "." && depth < 4 && folders.len() < 100 {
                folders.push((entry.reference, depth + 1));
            }
        }
    }
    Some((seen, sum))
}

/// The first and the last 4 KiB of a stream; both again in pieces.
fn stream_sum(ntfs: &Ntfs, file: &FileReference, name: &str) -> u64 {
    let Ok(stream) = ntfs.open_file(*file, name) else { return 1 };
    let len = stream.len().min(4096);
    let mut sum = 2u64;
    for start in [0, stream.len() - len] {
        let mut whole = vec![0; len as usize];
        if stream.read_exact_at(&mut whole, start).is_err() {
            continue;
        }
        for at in [0, len / 3] {
            let mut piece = vec![0; (len - at).min(700) as usize];
            stream.read_exact_at(&mut piece, start + at).unwrap();
            assert!(piece == whole[at as usize..at as usize + piece.len()]);
        }
        let (words, rest) = whole.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_be_bytes(*word)).chain(rest.iter().map(|byte| u64::from(*byte)));
        sum = words.fold(sum, |sum, word| sum.wrapping_mul(131).wrapping_add(word));
    }
    sum
}

/// Reads every key and value of a hive; a sum over their names and data.
pub fn hive(primary: Vec<u8>, logs: &[(&str, &[u8])]) -> Option<(usize, u64)> {
    let hive = Hive::open(primary, logs, "HIVE").ok()?;
    let (mut seen, mut sum) = (0, 0);
    walk(&hive.root(), 0, (&mut seen, &mut sum));
    let _ = hive.value("Software\\Key 1\\Deep", "number");
    Some((seen, sum))
}

fn walk(key: &Key<'_>, depth: usize, (seen, sum): (&mut usize, &mut u64)) {
    *seen += 1;
    let mut add =
        |bytes: &[u8]| *sum = bytes.iter().fold(*sum, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(*byte)));
    add(key.name().as_bytes());
    for value in key.values().take(1000).map_while(Result::ok) {
        add(value.name().as_bytes());
        add(value.data());
        let _ = (value.as_string(), value.as_multi_string(), value.as_dword(), value.as_qword(), value.place());
    }
    // Lists may lead to one key from many places; that is no circle, but must end.
    if depth < 6 {
        for child in key.subkeys().take(200).map_while(Result::ok) {
            if *seen < 2000 {
                walk(&child, depth + 1, (seen, sum));
            }
        }
    }
}

/// Reads every key of a HyperVStorage file; how many, and a sum over their names and values.
pub fn hvs(file: &SharedFile) -> Option<(usize, u64)> {
    let top = HvsFile::open(&**file, Wanted::Top);
    let read = match HvsFile::open(&**file, Wanted::Everything) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.to_string().ends_with('.') && error.to_string().contains(file.name()), "{error}");
            return None;
        }
    };
    let top = top.unwrap_or_else(|error| panic!("all is read, but not the top: {error}"));
    assert!(top.roots().iter().map(Node::name).eq(read.roots().iter().map(Node::name)));
    let (mut seen, mut sum) = (0, 0);
    read.roots().iter().for_each(|root| add_node(root, (&mut seen, &mut sum)));
    if let Some(document) = read.into_document("configuration") {
        for (path, ..) in document.leaves().take(200) {
            let _ = (document.str(&path), document.i64(&path), document.bytes(&path), document.place(&path));
        }
    }
    Some((seen, sum))
}

fn add_node(node: &Node, (seen, sum): (&mut usize, &mut u64)) {
    *seen += 1;
    let value = node.value().map_or("", |value| value.as_str());
    let bytes = node.name().bytes().chain(value.bytes()).chain([0]);
    *sum = bytes.fold(*sum, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    node.children().iter().for_each(|child| add_node(child, (seen, sum)));
}

/// Parses a configuration; what was read is written and read again.
pub fn xml(bytes: &[u8]) -> bool {
    let Ok(document) = Document::parse(bytes, "config.xml") else { return false };
    let leaves = |document: &Document| document.leaves().count();
    let written = document.to_bytes();
    assert!(written == bytes, "an untouched file is written with other bytes");
    let again = Document::parse(&written, "again.xml").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(leaves(&document), leaves(&again));
    assert!(again.to_bytes() == written, "writing what was written gives other bytes");
    edited(document);
    true
}

/// Objects of WMI in XML.
pub const OBJECTS: &str = "<?xml version=\"1.0\"?><A><INSTANCE CLASSNAME=\"Msvm_X\"><QUALIFIER NAME=\"q\"/><PROPERTY NAME=\"__RELPATH\" \
    TYPE=\"string\"><VALUE>Msvm_X.Name=&quot;a\\\\b&quot;,System=5</VALUE></PROPERTY><PROPERTY NAME=\"None\" TYPE=\"string\"/>\
    <PROPERTY.ARRAY NAME=\"List\" TYPE=\"uint8\"><VALUE.ARRAY><VALUE>1</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY>\
    <PROPERTY.REFERENCE NAME=\"Ref\"><VALUE.REFERENCE><INSTANCEPATH><NAMESPACEPATH><HOST>H</HOST><LOCALNAMESPACEPATH><NAMESPACE \
    NAME=\"root\"/></LOCALNAMESPACEPATH></NAMESPACEPATH><INSTANCENAME CLASSNAME=\"Y\"><KEYBINDING NAME=\"k\"><KEYVALUE>v</KEYVALUE>\
    </KEYBINDING></INSTANCENAME></INSTANCEPATH></VALUE.REFERENCE></PROPERTY.REFERENCE><PROPERTY.REFERENCE NAME=\"Text\">\
    <VALUE.REFERENCE>\\\\H\\root\\x:Y.k=\"v\"</VALUE.REFERENCE></PROPERTY.REFERENCE><PROPERTY.OBJECT NAME=\"In\"><VALUE.OBJECT>\
    <INSTANCE CLASSNAME=\"Z\"/></VALUE.OBJECT></PROPERTY.OBJECT></INSTANCE></A>";

/// Reads objects of WMI; a path that can be read is read as the same when it is written.
pub fn objects(bytes: &[u8]) -> bool {
    let Ok(found) = cim::read(bytes, "answers.xml") else { return false };
    found.objects.iter().for_each(look_at_object);
    true
}

fn look_at_object(object: &Object) {
    for (name, value) in &object.properties {
        assert!(object.get(name).is_some());
        let _ = (object.text(name), object.number(name), object.flag(name), object.bytes(name), object.reference(name));
        look_at_value(value);
    }
}

fn look_at_value(value: &Value) {
    match value {
        Value::Text(text) if text.len() < 8192 => {
            if let Ok(path) = text.parse::<Reference>() {
                assert_eq!(path.to_string().parse(), Ok(path));
            }
        }
        Value::List(values) => values.iter().for_each(look_at_value),
        Value::Object(object) => look_at_object(object),
        Value::Null | Value::Text(_) | Value::Reference(_) => {}
    }
}

/// Changes a text and adds an element: both are read again, and everything else as it was.
fn edited(mut document: Document) {
    const TEXT: &str = " <a> \"b\" & 'c'\n\td\r ]]> \u{e9}\u{1F600}";
    let path = document.leaves().find(|(_, _, value)| value.kind != ValueKind::Bytes).map(|(path, ..)| path);
    if let Some(path) = path {
        document.set_text(&path, TEXT).unwrap();
    }
    document.root_mut().insert(Node::string("middle", TEXT).unwrap());
    let again = Document::parse(&document.to_bytes(), "edited.xml").unwrap_or_else(|error| panic!("{error}"));
    assert!(again.root() == document.root(), "the edited file is read differently");
}
