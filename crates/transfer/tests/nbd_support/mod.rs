//! A chain of checkpoints with its model, a served disk, and the programs of others.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use hvm_formats::disk::{self, GateError, ParentGate, ParentRequest, SharedDisk};
use hvm_formats::io::{MemoryFile, SharedFile};
use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};
use hvm_transfer::Cancel;
use hvm_transfer::nbd::{Listen, NbdServer};

struct Layers(Vec<SharedFile>);

impl ParentGate for Layers {
    fn candidates(&self, _request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        Ok(self.0.clone())
    }
}

pub const SIZE: u64 = 24 << 20;

/// A dynamic disk and two checkpoints over it, with mixed bitmaps: the files, the leaf last, and the content.
pub fn chain_files() -> (Vec<SharedFile>, Vec<u8>) {
    let blocks = |size| Blocks { size, ..Blocks::default() };
    let mut spec = VhdSpec::new(VhdKind::Dynamic(blocks(2 << 20)), [1; 16]);
    let mut content = ContentModel::new(SIZE);
    content.fill(0, 3000, 1);
    content.fill(20_000, 77, 2);
    let mut files: Vec<SharedFile> = vec![Arc::new(MemoryFile::new("base.vhd", spec.image(&content).to_vec()))];
    for depth in 1..3u8 {
        let mut own = ContentModel::new(SIZE);
        for step in 0..12 {
            own.fill(u64::from(depth) * 1000 + step * 2111, 1 + step * 5, u64::from(depth) * 100 + step);
        }
        let parent = Parent {
            unique_id: spec.unique_id,
            timestamp: spec.timestamp,
            name: "parent.vhd".to_owned(),
            locators: vec![Locator::new(b"W2ru", ".\\parent.vhd")],
            stale: Some(9),
        };
        spec = VhdSpec::new(VhdKind::Differencing(blocks(512 << 10), parent), [depth + 1; 16]);
        files.push(Arc::new(MemoryFile::new(format!("{depth}.avhd"), spec.image(&own).to_vec())));
        content = own.over(&content);
    }
    (files, content.to_vec())
}

pub fn chain() -> (SharedDisk, Vec<u8>) {
    let (mut files, content) = chain_files();
    let leaf = files.pop().unwrap();
    (disk::open(leaf, &Layers(files)).unwrap(), content)
}

/// Serves a disk on a unix socket while `work` runs.
pub fn served<T>(disk: SharedDisk, work: impl FnOnce(&Served) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a socket");
    let server = NbdServer::bind(disk, &Listen::Unix(socket.clone())).unwrap();
    let stop = Cancel::new();
    let here = Served { uri: server.uri(), socket: socket.clone(), folder: folder.path().to_owned() };
    let result = std::thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&stop));
        // Also when the work fails: the server would run for ever.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&here)));
        stop.cancel();
        running.join().unwrap().unwrap();
        result
    });
    drop(server);
    assert!(!socket.exists(), "the socket was left behind");
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

pub struct Served {
    pub uri: String,
    pub socket: PathBuf,
    pub folder: PathBuf,
}

/// Runs a program of somebody else; `None`, said aloud, when it is not installed.
pub fn peer(program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{program} {args:?}: {said}");
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
    }
}

/// A client by hand.
pub struct Client(pub UnixStream);

impl Client {
    /// Connects and reads the greeting.
    pub fn connect(served: &Served) -> Client {
        let stream = UnixStream::connect(&served.socket).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let mut client = Client(stream);
        assert_eq!(client.read(18), b"NBDMAGICIHAVEOPT\x00\x03");
        client
    }

    /// Through the handshake with structured replies and block status.
    pub fn ready(served: &Served) -> Client {
        let mut client = Client::connect(served);
        client.send(&3u32.to_be_bytes());
        assert_eq!(client.option(8, &[]).0, 1);
        assert_eq!(client.option(10, b"\0\0\0\0\0\0\0\x01\0\0\0\x0fbase:allocation").0, 4);
        assert_eq!(client.option_reply().0, 1);
        assert_eq!(client.option(7, &[0; 6]).0, 3);
        assert_eq!(client.option_reply().0, 1);
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.read(4).try_into().unwrap())
    }

    pub fn send_option(&mut self, option: u32, data: &[u8]) {
        self.send(&[b"IHAVEOPT".as_slice(), &option.to_be_bytes(), &(data.len() as u32).to_be_bytes(), data].concat());
    }

    /// Sends an option; kind and data of its first reply.
    pub fn option(&mut self, option: u32, data: &[u8]) -> (u32, Vec<u8>) {
        self.send_option(option, data);
        self.option_reply()
    }

    pub fn option_reply(&mut self) -> (u32, Vec<u8>) {
        assert_eq!(self.read(8), 0x0003_e889_0455_65a9u64.to_be_bytes());
        self.number();
        let (kind, len) = (self.number(), self.number());
        (kind, self.read(len as usize))
    }

    pub fn request(&mut self, (flags, command): (u16, u16), offset: u64, len: u32) {
        let head = [0x2560_9513u32.to_be_bytes().as_slice(), &flags.to_be_bytes(), &command.to_be_bytes()].concat();
        self.send(&[head.as_slice(), b"cookie 8", &offset.to_be_bytes(), &len.to_be_bytes()].concat());
    }

    /// The error number of a simple reply.
    pub fn simple(&mut self) -> u32 {
        assert_eq!(self.number(), 0x6744_6698);
        let error = self.number();
        assert_eq!(self.read(8), b"cookie 8");
        error
    }

    /// Flags, kind and payload of a chunk.
    pub fn chunk(&mut self) -> (u16, u16, Vec<u8>) {
        assert_eq!(self.number(), 0x668e_33ef);
        let kind = self.number();
        assert_eq!(self.read(8), b"cookie 8");
        let len = self.number();
        assert!(len <= 33 << 20, "a chunk of {len} bytes");
        ((kind >> 16) as u16, kind as u16, self.read(len as usize))
    }

    /// Error number of an error chunk.
    pub fn chunk_error(&mut self) -> (u16, u32, String) {
        let (flags, kind, payload) = self.chunk();
        assert_eq!(flags, 1);
        let len = usize::from(u16::from_be_bytes([payload[4], payload[5]]));
        let text = String::from_utf8(payload[6..6 + len].to_vec()).unwrap();
        (kind, u32::from_be_bytes(payload[..4].try_into().unwrap()), text)
    }

    /// A whole structured read put together.
    pub fn structured_read(&mut self, offset: u64, len: u32) -> Vec<u8> {
        self.request((0, 0), offset, len);
        let mut bytes = vec![0xAA; len as usize];
        let mut covered = 0;
        loop {
            let (flags, kind, payload) = self.chunk();
            if kind != 0 {
                let at = (u64::from_be_bytes(payload[..8].try_into().unwrap()) - offset) as usize;
                covered += match kind {
                    1 => {
                        bytes[at..at + payload.len() - 8].copy_from_slice(&payload[8..]);
                        payload.len() - 8
                    }
                    2 => {
                        let hole = u32::from_be_bytes(payload[8..12].try_into().unwrap()) as usize;
                        bytes[at..at + hole].fill(0);
                        hole
                    }
                    other => panic!("chunk {other}"),
                };
            }
            if flags & 1 != 0 {
                assert_eq!(covered, len as usize);
                return bytes;
            }
        }
    }

    /// True when the server has ended the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
