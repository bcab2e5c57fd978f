//! Every reader of what a server sends, for tests that give it any bytes.

use std::sync::Arc;
use std::time::Duration;

use crate::frame::{self, Pool};
use crate::wire::header::{Response, Transform};
use crate::wire::{folder, negotiate, replies};

/// Reads a message as every kind of answer; how many of them it could be. What is refused says why.
pub fn read(message: &[u8]) -> usize {
    let mut entries = Vec::new();
    let all = [
        Response::read(message).map(|answer| usize::from(answer.is_interim())),
        Transform::read(message).map(|found| usize::from(found.is_some())),
        negotiate::Chosen::read(message).map(|chosen| chosen.is_confirmed_by(message).is_ok().into()),
        replies::session_setup(message).map(|setup| setup.token.len()),
        replies::tree_connect(message).map(|tree| tree.is_disk.into()),
        replies::create(message).map(|(file, _)| file.len()),
        replies::read(message).map(|range| range.end - range.start),
        replies::output(message).map(<[u8]>::len),
        replies::ioctl(message).map(<[u8]>::len),
        replies::symlink(message).map(|target| target.len()),
        folder::entries(message, &mut entries).map(|()| entries.len()),
        replies::streams(message).map(|streams| streams.len()),
        replies::snapshots(message).map(|snapshots| snapshots.len()),
        replies::volume(message).map(|volume| volume.label.len()),
    ];
    let mut taken = 0;
    for answer in all {
        match answer {
            Ok(size) => {
                assert!(size <= 3 * message.len() + 16, "{size} of a message of {} bytes", message.len());
                taken += 1;
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
    // The data of an answer are read again by what asked for them.
    for data in [replies::output(message), replies::ioctl(message)].into_iter().flatten() {
        let _ = (folder::entries(data, &mut Vec::new()), replies::streams(data), replies::snapshots(data));
        let _ = replies::volume(data);
    }
    taken
}

/// Reads a stream of frames; how many there were.
pub fn frames(mut stream: &[u8]) -> usize {
    let (pool, mut count) = (Arc::new(Pool::default()), 0);
    while let Ok(Some(frame)) = frame::read(&mut stream, &pool, Duration::ZERO) {
        count += 1;
        read(&frame.bytes);
    }
    count
}

/// Good answers of each kind, for changes of them. `text` is what makes text of the protocol.
pub fn samples(text: &dyn Fn(&str) -> Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    let answer = |command: u8, body: &[u8]| {
        let mut message = vec![0; 64];
        message[..6].copy_from_slice(b"\xFESMB\x40\0");
        (message[12], message[16]) = (command, 1);
        message.extend(body);
        message
    };
    let with = |structure: u8, fixed: usize, fields: &[(usize, &[u8])], rest: &[u8]| {
        let mut body = vec![0; fixed];
        body[0] = structure;
        fields.iter().for_each(|(at, bytes)| body[*at..at + bytes.len()].copy_from_slice(bytes));
        [&body, rest].concat()
    };
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("some dozens of bytes").to_le_bytes();
    let contexts =
        [&[1, 0, 38, 0, 0, 0, 0, 0, 1, 0, 32, 0, 1, 0][..], &[7; 32], &[0; 2], &[2, 0, 4, 0, 0, 0, 0, 0, 1, 0, 1, 0]];
    let negotiate = with(
        65,
        64,
        &[(4, &[0x11, 3, 2]), (24, &[0x44]), (32, &[0, 0, 16]), (36, &[0, 0, 16]), (60, &[128])],
        &contexts.concat(),
    );
    let (one, two) = (text("Größe.vhd"), text("b"));
    let listing = [
        with(
            120,
            104,
            &[(56, &[0x20]), (60, &len(&one)), (68, &[2]), (70, b"a\0")],
            &[&one[..], &[0; 16]].concat()[..16 + 2],
        ),
        with(0, 104, &[(56, &[0x10, 4]), (60, &len(&two)), (64, &[3, 0, 0, 0xA0])], &two),
    ];
    let mut listing = listing.concat();
    listing[0] = u8::try_from(104 + 18).expect("the length of the first entry");
    let stream = text("::$DATA");
    let streams = with(0, 24, &[(4, &len(&stream)), (8, &[9])], &stream);
    let names = text("@GMT-2026.11.30-09.00.00\0@GMT-2026.11.29-09.00.00\0\0");
    let snapshots = [&[2, 0, 0, 0, 2, 0, 0, 0][..], &len(&names), &names].concat();
    let label = text("Daten");
    let volume = with(0, 18, &[(8, &[1, 2, 3, 4]), (12, &len(&label))], &label);
    let target = text(r"\??\D:\VMs");
    let link = with(0, 28, &[(0, &[1]), (4, b"SYML"), (18, &len(&target)[..2])], &target);
    let output = |data: &[u8]| with(9, 8, &[(2, &[72]), (4, &len(data))], data);
    let sealed = [&b"\xFDSMB"[..], &[1; 16], &[2; 16], &[64, 0, 0, 0, 0, 0, 1, 0], &[5; 8], &[9; 64]].concat();
    vec![
        ("negotiate", answer(0, &negotiate)),
        ("session setup", answer(1, &with(9, 8, &[(4, &[72, 0, 5])], b"token"))),
        ("tree connect", answer(3, &with(16, 16, &[(2, &[1]), (5, &[0x80])], &[]))),
        ("create", answer(5, &with(89, 88, &[(56, &[0x20]), (64, &[3; 16])], &[]))),
        ("read", answer(8, &with(17, 16, &[(2, &[80]), (4, &[5])], b"12345"))),
        ("listing", answer(14, &output(&listing))),
        ("streams", answer(16, &output(&streams))),
        ("volume", answer(16, &output(&volume))),
        ("snapshots", answer(11, &with(49, 48, &[(32, &[112]), (36, &len(&snapshots))], &snapshots))),
        ("link", answer(5, &with(9, 8, &[], &link))),
        ("sealed", sealed),
    ]
}
