#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]
//! A chain of checkpoints served over NBD: read by the programs of others, by a client by hand, and by hostile clients.

mod nbd_support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use hvm_formats::disk::{self, NoParents};
use hvm_formats::io::{MemoryFile, SharedFile};
use hvm_transfer::Cancel;
use hvm_transfer::nbd::{Listen, NbdError, NbdServer};
use nbd_support::{Client, SIZE, chain, chain_files, peer, served};

#[test]
fn nbdinfo_and_nbdcopy_see_the_content_of_the_chain() {
    let (disk, content) = chain();
    served(disk, |served| {
        let Some(text) = peer("nbdinfo", &["--json", &served.uri]) else { return };
        let about: serde_json::Value = serde_json::from_str(&text).unwrap();
        let export = &about["exports"][0];
        assert_eq!(about["protocol"], "newstyle-fixed");
        assert_eq!(about["structured"], true);
        assert_eq!(export["export-size"], SIZE);
        assert_eq!(export["is_read_only"], true);
        assert_eq!(export["can_multi_conn"], true);
        assert_eq!(export["can_df"], true);
        assert_eq!(export["contexts"][0], "base:allocation");
        assert_eq!(export["block_size_maximum"], 32 << 20);
        assert!(peer("nbdinfo", &["--list", &served.uri]).unwrap().contains("export="));
        let map = peer("nbdinfo", &["--map", "--json", &served.uri]).unwrap();
        check_map(&serde_json::from_str(&map).unwrap(), ("type", 3), &content);
        let copy = served.folder.join("copy");
        peer("nbdcopy", &[&served.uri, copy.to_str().unwrap()]).unwrap();
        assert!(std::fs::read(copy).unwrap() == content);
    });
}

/// Ranges without gaps, of which those that are said to be empty are zeros; some of each.
fn check_map(map: &serde_json::Value, (key, hole): (&str, u64), content: &[u8]) {
    let number = |range: &serde_json::Value, key: &str| match &range[key] {
        serde_json::Value::Bool(data) => u64::from(!data),
        other => other.as_u64().unwrap(),
    };
    let (mut at, mut holes, mut data) = (0, 0, 0);
    for range in map.as_array().unwrap() {
        let (offset, len) = (number(range, if key == "data" { "start" } else { "offset" }), number(range, "length"));
        assert_eq!(offset, at);
        at += len;
        if number(range, key) == hole {
            assert!(content[offset as usize..at as usize].iter().all(|&byte| byte == 0), "a hole at {offset}");
            holes += 1;
        } else {
            data += len;
        }
    }
    assert_eq!(at, content.len() as u64);
    assert!(holes > 5 && data < SIZE / 4, "{holes} holes, {data} bytes of data");
}

#[test]
fn qemu_img_converts_and_maps_the_chain() {
    let (disk, content) = chain();
    served(disk, |served| {
        let (qcow2, raw) = (served.folder.join("out.qcow2"), served.folder.join("out.raw"));
        let (qcow2, raw) = (qcow2.to_str().unwrap(), raw.to_str().unwrap());
        if peer("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", &served.uri, qcow2]).is_none() {
            return;
        }
        peer("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", qcow2, raw]);
        assert!(std::fs::read(raw).unwrap() == content);
        let map = peer("qemu-img", &["map", "--output=json", "-f", "raw", &served.uri]).unwrap();
        check_map(&serde_json::from_str(&map).unwrap(), ("data", 1), &content);
        let same = peer("qemu-img", &["compare", "-f", "raw", "-F", "raw", &served.uri, raw]).unwrap();
        assert!(same.contains("identical"));
    });
}

#[test]
fn reads_of_every_shape_agree_with_the_model() {
    let (disk, content) = chain();
    served(disk, |served| {
        let mut structured = Client::ready(served);
        let mut simple = Client::connect(served);
        simple.send(&3u32.to_be_bytes());
        simple.send_option(1, b"");
        assert_eq!(simple.read(10)[..8], SIZE.to_be_bytes());
        let ranges = [(0, 1), (511, 2), (511, 1 << 20), (0, 3 << 20), (SIZE - 1, 1), (3_000_000, 5_000_001), (0, SIZE)];
        for (offset, len) in ranges {
            let expected = &content[offset as usize..(offset + len) as usize];
            assert!(structured.structured_read(offset, len as u32) == expected, "{offset}+{len}");
            structured.request((4, 0), offset, len as u32);
            let (flags, kind, payload) = structured.chunk();
            assert_eq!((flags, kind), (1, 1), "DF gives one chunk");
            assert!(payload[8..] == *expected, "{offset}+{len}");
            simple.request((0, 0), offset, len as u32);
            assert_eq!(simple.simple(), 0);
            assert!(simple.read(len as usize) == expected, "{offset}+{len}");
        }
        structured.structured_read(17, 0);
        structured.request((8, 7), 0, SIZE as u32);
        let (_, kind, payload) = structured.chunk();
        assert_eq!((kind, payload.len()), (5, 12), "REQ_ONE gives one descriptor");
    });
}

#[test]
fn what_changes_the_disk_or_makes_no_sense_is_refused_and_the_connection_lives_on() {
    let (disk, content) = chain();
    served(disk, |served| {
        let mut client = Client::ready(served);
        client.request((0, 1), 0, 5);
        client.send(b"hello");
        assert_eq!(client.simple(), 1, "write");
        for (request, error) in [((0, 4), 1), ((0, 6), 1), ((0, 3), 0), ((0, 5), 22), ((0, 999), 22)] {
            client.request(request, 0, 4096);
            assert_eq!(client.simple(), error, "{request:?}");
        }
        let max = 32 << 20;
        for (flags, offset, len) in
            [(0, SIZE, 1), (0, SIZE - 5, 6), (0, u64::MAX, 2), (0, 0, u32::MAX), (0, 0, max + 1), (2, 0, 9)]
        {
            client.request((flags, 0), offset, len);
            assert_eq!(client.chunk_error().1, 22, "read {flags} {offset}+{len}");
        }
        for (flags, offset, len) in [(0, SIZE, 1), (0, 0, 0), (0, u64::MAX, u32::MAX), (4, 0, 512)] {
            client.request((flags, 7), offset, len);
            assert_eq!(client.chunk_error().1, 22, "block status {flags} {offset}+{len}");
        }
        assert!(client.structured_read(0, 4096) == content[..4096]);
        client.request((0, 2), 0, 0);
        assert!(client.is_closed());
    });
}

#[test]
fn options_are_refused_one_by_one_and_the_handshake_goes_on() {
    const ERR: u32 = 0x8000_0000;
    let (disk, content) = chain();
    served(disk, |served| {
        let mut client = Client::connect(served);
        client.send(&3u32.to_be_bytes());
        let name_x = b"\0\0\0\x01x\0\0".as_slice();
        let context = b"\0\0\0\0\0\0\0\x01\0\0\0\x0fbase:allocation".as_slice();
        let tries: [(u32, &[u8], u32); 12] = [
            (5, b"", ERR | 1),
            (99, b"data", ERR | 1),
            (u32::MAX, &[0; 70_000], ERR | 9),
            (3, b"x", ERR | 3),
            (8, b"x", ERR | 3),
            (7, b"", ERR | 3),
            (7, b"\xff\xff\xff\xff\0\0", ERR | 3),
            (7, b"\0\0\0\0\xff\xff\0\0", ERR | 3),
            (7, name_x, ERR | 6),
            (10, context, ERR | 3),
            (10, b"\0\0\0\0\xff\xff\xff\xff", ERR | 3),
            (8, b"", 1),
        ];
        for (option, data, expected) in tries {
            assert_eq!(client.option(option, data).0, expected, "option {option} {:?}", &data[..data.len().min(20)]);
        }
        assert_eq!(client.option(9, &[0; 8]), (4, b"\0\0\0\0base:allocation".to_vec()));
        assert_eq!(client.option_reply().0, 1);
        assert_eq!(client.option(10, &[0; 8]).0, 1, "no query chooses nothing");
        assert_eq!(client.option(6, b"\0\0\0\0\0\x02\0\x03\0\x02").0, 3);
        assert_eq!(client.option_reply().1[..2], [0, 2]);
        assert_eq!(client.option_reply().1, [0, 3, 0, 0, 0, 1, 0, 0, 0x10, 0, 2, 0, 0, 0]);
        assert_eq!(client.option_reply().0, 1);
        client.option(7, &[0; 6]);
        client.option_reply();
        assert!(client.structured_read(512, 70_000) == content[512..70_512]);
        client.request((0, 7), 0, 4096);
        assert_eq!(client.chunk_error().1, 22, "no context was chosen");
    });
}

#[test]
fn hostile_clients_end_only_their_own_connection() {
    let (disk, content) = chain();
    served(disk, |served| {
        let mut good = Client::ready(served);
        let garbage: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let option = |option: u32, len: u32| {
            let head = [b"\0\0\0\x03IHAVEOPT".as_slice(), &option.to_be_bytes(), &len.to_be_bytes()].concat();
            [head.as_slice(), &[0; 64]].concat()
        };
        let attacks = [
            garbage.clone(),
            [b"\0\0\0\x03".as_slice(), &garbage].concat(),
            b"\xff\xff\xff\xff".to_vec(),
            option(1, u32::MAX),
            option(7, u32::MAX),
            option(7, 2 << 20),
            option(1, 9),
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ];
        for (number, attack) in attacks.iter().enumerate() {
            let mut bad = Client::connect(served);
            // The server may have closed in the middle.
            let _ = bad.0.write_all(attack);
            assert!(bad.is_closed(), "attack {number}");
            assert!(good.structured_read(0, 8192) == content[..8192], "after attack {number}");
        }
        for request in [garbage[..28].to_vec(), [0xFF; 28].to_vec()] {
            let mut bad = Client::ready(served);
            bad.send(&request);
            assert!(bad.is_closed());
        }
        let mut long_write = Client::ready(served);
        long_write.request((0, 1), 0, u32::MAX);
        assert!(long_write.is_closed());
        let mut endless = Client::connect(served);
        endless.send(&3u32.to_be_bytes());
        for _ in 0..300 {
            let _ = endless.0.write_all(b"IHAVEOPT\0\0\0\x63\0\0\0\0");
        }
        assert!(endless.is_closed(), "endless options");
        assert!(good.structured_read(SIZE - 4096, 4096) == content[content.len() - 4096..]);
    });
}

#[test]
fn half_handshakes_and_too_many_connections_do_not_hold_the_server() {
    let (disk, content) = chain();
    served(disk, |served| {
        let mut good = Client::ready(served);
        // Fifteen that never go on take all the room there is.
        let mut half: Vec<Client> = (0..15).map(|_| Client::connect(served)).collect();
        half[3].send(b"\0\0\0");
        half[4].send(b"\0\0\0\x03IHAVEOPT\0\0\0\x07");
        let mut refused = Client(std::os::unix::net::UnixStream::connect(&served.socket).unwrap());
        assert!(refused.is_closed(), "one too many");
        assert!(good.structured_read(0, 4096) == content[..4096]);
        for client in &mut half {
            assert!(client.is_closed(), "a half handshake was kept");
        }
        assert!(Client::ready(served).structured_read(0, 4096) == content[..4096]);
    });
}

#[test]
fn a_block_that_cannot_be_read_is_an_error_at_its_place_and_the_rest_can_be_read() {
    let (files, _) = chain_files();
    let mut bytes = vec![0; files[0].len() as usize];
    files[0].read_exact_at(&mut bytes, 0).unwrap();
    // The first entry of the table (at 1536) points past the end of the file.
    bytes[1536..1540].copy_from_slice(&0x7FFF_FFFFu32.to_be_bytes());
    let file: SharedFile = Arc::new(MemoryFile::new("damaged.vhd", bytes));
    let disk = disk::open(file, &NoParents).unwrap();
    served(disk, |served| {
        let mut client = Client::ready(served);
        client.request((0, 0), 0, 4096);
        let (kind, error, text) = client.chunk_error();
        assert_eq!((kind, error), (0x8002, 5));
        assert!(text.contains("damaged.vhd: block 0"), "{text}");
        assert_eq!(client.structured_read(4 << 20, 4096), [0; 4096]);
        let mut simple = Client::connect(served);
        simple.send(&3u32.to_be_bytes());
        simple.send_option(1, b"");
        simple.read(10);
        simple.request((0, 0), 0, 3 << 20);
        assert_eq!(simple.simple(), 5);
        simple.request((0, 0), 4 << 20, 512);
        assert_eq!(simple.simple(), 0);
        assert_eq!(simple.read(512), [0; 512]);
    });
}

#[test]
fn the_loopback_port_serves_and_stops() {
    let (disk, content) = chain();
    let server = NbdServer::bind(disk, &Listen::Loopback(0)).unwrap();
    assert!(server.uri().starts_with("nbd://127.0.0.1:"), "{}", server.uri());
    let stop = Cancel::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&stop));
        let idle = std::net::TcpStream::connect(server.uri().strip_prefix("nbd://").unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let copied = peer("nbdcopy", &[&server.uri(), copy.to_str().unwrap()]).is_some();
        stop.cancel();
        running.join().unwrap().unwrap();
        drop(idle);
        assert!(!copied || std::fs::read(copy).unwrap() == content);
    });
}

#[test]
fn a_socket_is_for_its_owner_and_replaces_only_one_that_was_left_behind() {
    let (disk, _) = chain();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listen = Listen::Unix(path.clone());
    std::fs::write(&path, "a letter").unwrap();
    assert!(matches!(NbdServer::bind(disk.clone(), &listen), Err(NbdError::InTheWay { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
    std::fs::remove_file(&path).unwrap();
    // The listener is gone, its file stays: what a killed run leaves.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = NbdServer::bind(disk.clone(), &listen).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(NbdServer::bind(disk, &listen), Err(NbdError::InTheWay { .. })), "somebody answers there");
    drop(server);
    assert!(!path.exists());
}
