//! Small good files, what of them is worth changing, and how a change gets past a checksum.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use hvm_formats::disk::Format;
use hvm_formats::disk::write::{TargetFormat, create};
use hvm_formats::io::SharedFile;
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, dirty_pair};
use hvm_testkit::hvs::{self, HvsSpec, Key, Value as HvsValue};
use hvm_testkit::ntfs::{CLUSTER, RECORD, Volume, file};
use hvm_testkit::vhd::{BitmapFill, BlockOrder, Blocks, ContentModel, Locator, Parent, Stride, VhdKind, VhdSpec};
use hvm_testkit::vhdx::edit::{HEADERS, REGIONS, item};
use hvm_testkit::vhdx::{BlockState, Dice, Dirt, Kind, LayerContent, ParentSpec, VhdxSpec, leave_dirty};

use super::{Files, image_file, memory};

/// How a structure is made to look whole.
#[derive(Clone, Copy)]
pub enum Seal {
    /// One's complement of the sum of all bytes, big-endian at `field`.
    Sum { start: u64, len: usize, field: usize },
    /// CRC-32C, little-endian at 4.
    Crc { start: u64, len: usize },
    /// CRC-32 of zlib, little-endian at `field`.
    Zip { start: u64, len: usize, field: usize },
    /// CRC-32 of zlib, little-endian at `at`, which may lie within: then it is taken as zero.
    Elsewhere { start: u64, len: usize, at: u64 },
    /// XOR of the first 127 words at 508.
    Xor { start: u64 },
    /// The last two bytes of each sector are the update sequence number.
    Fixup { start: u64, len: usize },
}

impl Seal {
    pub fn range(self) -> (u64, u64) {
        match self {
            Seal::Sum { start, len, .. }
            | Seal::Zip { start, len, .. }
            | Seal::Elsewhere { start, len, .. }
            | Seal::Crc { start, len }
            | Seal::Fixup { start, len } => (start, start + len as u64),
            Seal::Xor { start } => (start, start + 512),
        }
    }
}

/// A file to be changed.
pub struct Subject {
    pub name: &'static str,
    pub base: SharedFile,
    pub gate: Files,
    pub format: Format,
    /// Offset and length.
    pub fields: Vec<(u64, usize)>,
    /// Ranges in which a change, checksum written anew, must not change what is read.
    pub idle: Vec<(u64, u64)>,
    pub seals: Vec<Seal>,
    /// All structures, for flips of each of their bytes.
    pub structures: Vec<(u64, u64)>,
    pub expected: Vec<u8>,
    pub bound: u64,
}

/// Changed bytes by offset; later ones count.
pub type Patches = Vec<(u64, Vec<u8>)>;

impl Subject {
    fn bytes(&self, patches: &Patches, start: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.base.read_exact_at(&mut bytes, start).unwrap();
        for (at, patch) in patches {
            for (place, byte) in (*at..).zip(patch) {
                if let Some(target) = place.checked_sub(start).and_then(|place| bytes.get_mut(place as usize)) {
                    *target = *byte;
                }
            }
        }
        bytes
    }

    /// A change; true when it touches nothing that means anything.
    pub fn mutate(&self, dice: &mut Dice) -> (Patches, bool) {
        if !self.idle.is_empty() && dice.below(8) == 0 {
            let mut patches = Patches::new();
            for _ in 0..=dice.below(3) {
                let (start, end) = self.idle[dice.below(self.idle.len() as u64) as usize];
                let at = start + dice.below(end - start);
                let len = (1 + dice.below(8)).min(end - at);
                patches.push((at, dice.bytes(len as usize)));
            }
            self.seal(&mut patches);
            return (patches, true);
        }
        let mut patches = Patches::new();
        for _ in 0..=[0, 0, 1, 3][dice.below(4) as usize] {
            let (at, len) = self.fields[dice.below(self.fields.len() as u64) as usize];
            let old = self.bytes(&patches, at, len);
            patches.push((at, self.value(dice, old)));
        }
        if dice.below(2) == 0 {
            self.seal(&mut patches);
        }
        (patches, false)
    }

    /// Another value for a field: the ends of its range, a little more or less, a place of the file, another field's.
    fn value(&self, dice: &mut Dice, mut old: Vec<u8>) -> Vec<u8> {
        let len = old.len();
        let number = |value: u64, dice: &mut Dice| {
            let bytes = if dice.below(2) == 0 {
                value.to_le_bytes()
            } else {
                value.rotate_right(8 * len.min(8) as u32 % 64).to_be_bytes()
            };
            let mut all = bytes.to_vec();
            all.resize(len.max(8), 0);
            all.truncate(len);
            all
        };
        match dice.below(9) {
            0 => vec![0; len],
            1 => vec![0xFF; len],
            2 => {
                let at = dice.below(len as u64) as usize;
                old[at] ^= 1 << dice.below(8);
                old
            }
            3 => {
                let at = dice.below(len as u64) as usize;
                old[at] = old[at].wrapping_add([1, 0xFF][dice.below(2) as usize]);
                old
            }
            4 => dice.bytes(len),
            5 => number(1 << dice.below(64), dice),
            6 => number(dice.below(self.base.len() + 1), dice),
            7 => number((dice.below(self.base.len() / 4096 + 2)) << [9, 12, 20, 0][dice.below(4) as usize], dice),
            _ => {
                let (at, _) = self.fields[dice.below(self.fields.len() as u64) as usize];
                let len = len.min((self.base.len() - at) as usize);
                self.bytes(&Patches::new(), at, len)
            }
        }
    }

    /// Writes the checksums of what was touched anew.
    pub fn seal(&self, patches: &mut Patches) {
        for seal in &self.seals {
            let (start, end) = seal.range();
            if !patches.iter().any(|(at, bytes)| *at < end && start < at + bytes.len() as u64) {
                continue;
            }
            let mut bytes = self.bytes(patches, start, (end - start) as usize);
            match *seal {
                Seal::Sum { field, .. } => {
                    bytes[field..field + 4].fill(0);
                    let sum = !bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
                    patches.push((start + field as u64, sum.to_be_bytes().to_vec()));
                }
                Seal::Zip { field, .. } => {
                    bytes[field..field + 4].fill(0);
                    patches.push((start + field as u64, hvm_testkit::hvs::crc32(&bytes).to_le_bytes().to_vec()));
                }
                Seal::Elsewhere { at, .. } => {
                    if let Some(own) =
                        at.checked_sub(start).and_then(|own| bytes.get_mut(own as usize..own as usize + 4))
                    {
                        own.fill(0);
                    }
                    patches.push((at, hvm_testkit::hvs::crc32(&bytes).to_le_bytes().to_vec()));
                }
                Seal::Crc { .. } => {
                    bytes[4..8].fill(0);
                    patches.push((start + 4, crc32c::crc32c(&bytes).to_le_bytes().to_vec()));
                }
                Seal::Xor { .. } => {
                    let sum =
                        bytes[..508].as_chunks::<4>().0.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
                    patches.push((start + 508, sum.to_le_bytes().to_vec()));
                }
                Seal::Fixup { .. } => {
                    let at = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
                    let number = bytes.get(at..at + 2).map_or(vec![0, 0], <[u8]>::to_vec);
                    for sector in 1..=bytes.len() as u64 / 512 {
                        patches.push((start + sector * 512 - 2, number.clone()));
                    }
                }
            }
        }
    }
}

fn at(start: u64, list: &[(u64, usize)]) -> impl Iterator<Item = (u64, usize)> {
    list.iter().map(move |(at, len)| (start + at, *len))
}

const FOOTER: [(u64, usize); 15] = [
    (0, 8),
    (8, 4),
    (12, 4),
    (16, 8),
    (24, 4),
    (28, 4),
    (36, 4),
    (40, 8),
    (48, 8),
    (56, 4),
    (60, 4),
    (64, 4),
    (68, 16),
    (84, 1),
    (300, 8),
];
const SPARSE: [(u64, usize); 14] = [
    (0, 8),
    (8, 8),
    (16, 8),
    (24, 4),
    (28, 4),
    (32, 4),
    (36, 4),
    (40, 16),
    (56, 4),
    (64, 8),
    (576, 4),
    (580, 4),
    (584, 4),
    (592, 8),
];

/// A dynamic, a fixed and a differencing disk of 64 KiB in blocks of 4 KiB.
pub fn vhd() -> Vec<Subject> {
    let blocks = || Blocks {
        size: 4096,
        order: BlockOrder::Shuffled(3),
        stride: Stride::Packed,
        bitmap: BitmapFill::AllSectors,
    };
    let mut content = ContentModel::new(65536);
    content.fill(0, 96, 1);
    let dynamic = VhdSpec::new(VhdKind::Dynamic(blocks()), [1; 16]);
    let fixed = VhdSpec::new(VhdKind::Fixed, [2; 16]);
    let mut own = ContentModel::new(65536);
    own.fill(3, 2, 2);
    own.fill(17, 20, 3);
    let parent = Parent {
        unique_id: [1; 16],
        timestamp: dynamic.timestamp,
        name: "base.vhd".to_owned(),
        locators: vec![Locator::new(b"W2ru", ".\\base.vhd"), Locator::new(b"W2ku", "C:\\x\\base.vhd")],
        stale: Some(4),
    };
    let child = VhdSpec::new(VhdKind::Differencing(blocks(), parent), [3; 16]);
    let base = memory("base.vhd", &dynamic.image(&content).to_vec());
    let gate = Files([("base.vhd".to_owned(), base)].into());
    vec![
        vhd_subject("dynamic.vhd", dynamic.image(&content).to_vec(), Files::default(), content.to_vec()),
        vhd_subject("fixed.vhd", fixed.image(&content).to_vec(), Files::default(), content.to_vec()),
        vhd_subject("child.avhd", child.image(&own).to_vec(), gate, own.over(&content).to_vec()),
    ]
}

fn vhd_subject(name: &'static str, bytes: Vec<u8>, gate: Files, expected: Vec<u8>) -> Subject {
    let end = bytes.len() as u64 - 512;
    let mut fields: Vec<(u64, usize)> = at(end, &FOOTER).collect();
    let mut seals = vec![Seal::Sum { start: end, len: 512, field: 64 }];
    let mut idle = vec![(end + 28, end + 48), (end + 56, end + 60), (end + 84, end + 512)];
    let mut structures = vec![(end, end + 512)];
    if !name.starts_with("fixed") {
        // Both footers at once come by chance; each alone is the usual case.
        fields.extend(at(0, &FOOTER).chain(at(512, &SPARSE)));
        fields.extend((0..16).map(|entry| (1536 + entry * 4, 4)));
        fields.extend((2048..3072).step_by(16).map(|place| (place, 8)));
        seals.extend([Seal::Sum { start: 0, len: 512, field: 64 }, Seal::Sum { start: 512, len: 1024, field: 36 }]);
        idle.extend([(28, 48), (56, 60), (84, 512), (520, 528), (1280, 1536)]);
        structures.push((0, 3072.min(end)));
    }
    let base = memory(name, &bytes);
    Subject { name, base, gate, format: Format::Vhd, fields, idle, seals, structures, expected, bound: 4000 }
}

const HEAD: [(u64, usize); 11] =
    [(0, 4), (4, 4), (8, 8), (16, 16), (32, 16), (48, 16), (64, 2), (66, 2), (68, 4), (72, 8), (2000, 8)];

/// A dynamic disk, and a differencing one whose log was not applied.
pub fn vhdx() -> Vec<Subject> {
    let size = (1 << 20) + 65536;
    let mut base = LayerContent::new(size, 1 << 20, 512);
    let mut own = base.clone();
    for block in 0..2u64 {
        base.states.insert(block, BlockState::Full);
        own.states.insert(block, BlockState::Partial);
        for sector in [1, 9, 40] {
            base.sectors.insert(block * 2048 + sector, vec![sector as u8; 512]);
        }
        own.sectors.insert(block * 2048 + 9, vec![0x77; 512]);
    }
    let below = VhdxSpec { seed: 4, ..VhdxSpec::new(Kind::Dynamic, 1) };
    let parent = ParentSpec::new(&below.data_write, ".\\base.vhdx");
    let above = VhdxSpec { seed: 5, ..VhdxSpec::new(Kind::Differencing(parent), 2) };
    let (expected, mut child) = (base.over(Vec::new()), above.image(&own));
    let places = child.places();
    let (locator, parameters) = (child.item(item::LOCATOR), child.item(item::PARAMETERS));
    leave_dirty(&mut child, Dirt::Crowded, &mut Dice::new(6));
    let gate = Files([("base.vhdx".to_owned(), image_file("base.vhdx", below.image(&base)))].into());
    let image = below.image(&base);
    let clean = image.places();
    let size_at =
        [image.item(item::SIZE), image.item(item::LOGICAL), image.item(item::PARAMETERS), image.item(item::DISK_ID)];
    let mut first = vhdx_subject("base.vhdx", (image, clean), Files::default(), expected.clone());
    first.fields.extend(size_at.map(|place| (place, 8)));
    let mut second = vhdx_subject("child.avhdx", (child, places), gate, own.over(expected));
    second.fields.extend((0..40).map(|pair| (locator + pair * 4, 4)).chain([(parameters, 8)]));
    vec![first, second]
}

type Placed = (hvm_testkit::vhdx::SparseImage, hvm_testkit::vhdx::edit::Places);

fn vhdx_subject(name: &'static str, (image, places): Placed, gate: Files, expected: Vec<u8>) -> Subject {
    let mut fields: Vec<(u64, usize)> =
        HEADERS.into_iter().flat_map(|header| at(header, &HEAD).collect::<Vec<_>>()).collect();
    let mut seals: Vec<Seal> = HEADERS.map(|start| Seal::Crc { start, len: 4096 }).to_vec();
    seals.extend(REGIONS.map(|start| Seal::Crc { start, len: 65536 }));
    for region in REGIONS {
        fields.extend(at(
            region,
            &[(0, 4), (8, 4), (16, 16), (32, 8), (40, 4), (44, 4), (48, 16), (64, 8), (72, 4), (76, 4)],
        ));
    }
    let metadata = places.metadata;
    fields.extend([(metadata, 8), (metadata + 10, 2)]);
    fields.extend(
        (0..6).flat_map(|n| at(metadata + 32 + n * 32, &[(0, 16), (16, 4), (20, 4), (24, 4)]).collect::<Vec<_>>()),
    );
    fields.extend([0, 1, 2, 4096].map(|entry| (places.table + entry * 8, 8)));
    let mut structures = vec![(0, 600), (metadata, metadata + 256), (places.table, places.table + 32)];
    structures.extend(HEADERS.map(|start| (start, start + 4096)));
    structures.extend(REGIONS.map(|start| (start, start + 65536)));
    for entry in (0..256).map(|sector| places.log + sector * 4096).filter(|start| image.get(*start, 4) == b"loge") {
        let len = image.number(entry + 8, 4) as usize;
        fields.extend(at(entry, &[(0, 4), (4, 4), (8, 4), (12, 4), (16, 8), (24, 4), (32, 16), (48, 8), (56, 8)]));
        for descriptor in 0..image.number(entry + 24, 4).min(6) {
            fields.extend(at(entry + 64 + descriptor * 32, &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8)]));
        }
        if entry + len as u64 <= places.log + (1 << 20) {
            seals.push(Seal::Crc { start: entry, len });
        }
        structures.push((entry, entry + 256));
    }
    let idle = vec![
        (8, 520),
        (HEADERS[0] + 16, HEADERS[0] + 32),
        (HEADERS[1] + 16, HEADERS[1] + 32),
        (HEADERS[0] + 80, HEADERS[0] + 4096),
        (HEADERS[1] + 80, HEADERS[1] + 4096),
    ];
    let base = image_file(name, image);
    Subject { name, base, gate, format: Format::Vhdx, fields, idle, seals, structures, expected, bound: 30_000 }
}

/// A disk that our own writer made: 20 clusters, some of them stored.
pub fn qcow2() -> Vec<Subject> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    let out = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let mut expected = vec![0; 6 * 65536 + 512];
    let mut writer = create(out, expected.len() as u64, TargetFormat::Qcow2, [0; 16]).unwrap();
    for cluster in [1, 2, 4] {
        let data = Dice::new(cluster).bytes(65536);
        writer.write(cluster * 65536, &data).unwrap();
        expected[cluster as usize * 65536..][..65536].copy_from_slice(&data);
    }
    writer.finish().unwrap();
    let bytes = std::fs::read(path).unwrap();
    let be64 = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let (l1, counts) = (be64(40), be64(48));
    let l2 = be64(l1 as usize) & 0xFF_FFFF_FFFF;
    let block = be64(counts as usize);
    let mut fields: Vec<(u64, usize)> = (0..28).map(|word| (word * 4, 4)).collect();
    fields.extend((0..14).map(|word| (word * 8, 8)));
    fields.extend((0..8).flat_map(|entry| [(l2 + entry * 8, 8), (l2 + entry * 8 + 6, 2)]));
    fields.extend([(l1, 8), (counts, 8), (block, 8), (block + 8, 8)]);
    let structures = vec![(0, 112), (l1, l1 + 16), (l2, l2 + 64), (counts, counts + 16), (block, block + 32)];
    let idle = vec![(block, block + 32), (counts + 8, counts + 16)];
    let (base, gate, seals) = (memory("disk.qcow2", &bytes), Files::default(), Vec::new());
    vec![Subject {
        name: "disk.qcow2",
        base,
        gate,
        format: Format::Qcow2,
        fields,
        idle,
        seals,
        structures,
        expected,
        bound: 4000,
    }]
}

/// The volume of the testkit. The format says nothing.
pub fn ntfs() -> Subject {
    let volume = Volume::new();
    let mut fields =
        at(0, &[(3, 8), (11, 2), (13, 1), (40, 8), (48, 8), (56, 8), (64, 1), (68, 1), (510, 2)]).collect::<Vec<_>>();
    let (mut seals, mut structures) = (Vec::new(), vec![(0, 512)]);
    for number in (0..12).chain(24..file::COUNT) {
        let start = volume.record_at(number) as u64;
        seals.push(Seal::Fixup { start, len: RECORD });
        let used =
            u64::from(u16::from_le_bytes([volume.bytes[start as usize + 24], volume.bytes[start as usize + 25]]));
        fields.extend((0..used.min(500) / 4).map(|word| (start + word * 4, 4)));
        fields.extend((0..used.min(500) / 8).map(|word| (start + word * 8, 8)));
        structures.push((start, start + used));
    }
    for cluster in [volume.places.root, volume.places.sub] {
        let start = (cluster * CLUSTER) as u64;
        seals.push(Seal::Fixup { start, len: CLUSTER });
        fields.extend((0..90).map(|word| (start + word * 4, 4)));
        structures.push((start, start + 600));
    }
    let packed = (volume.places.packed * CLUSTER) as u64;
    fields.extend((0..32).map(|word| (packed + word * 2, 2)));
    structures.push((packed, packed + 128));
    // Times of the file table's own record and of a file.
    let small = volume.record_at(file::SMALL) as u64 + 56 + 24;
    let (base, gate, format) = (memory("volume.img", &volume.bytes), Files::default(), Format::Raw);
    let idle = vec![(small, small + 32)];
    Subject {
        name: "volume.img",
        base,
        gate,
        format,
        fields,
        idle,
        seals,
        structures,
        expected: Vec::new(),
        bound: 20_000,
    }
}

/// A hive that is behind its log, and the log.
pub fn hive() -> (Subject, Vec<u8>) {
    let key = |extra: u32| {
        let mut root = HiveKey::new("ROOT");
        for number in 0..3u32 {
            let key = root.at(&format!("Software\\Key {number}\\Deep"));
            key.set("text", HiveValue::sz(format!("value {}", number + extra)));
            key.set("number", HiveValue::Dword(number));
            key.set("large", HiveValue::Binary(vec![number as u8; 300]));
            key.set("list", HiveValue::multi(&["one", "two"]));
        }
        root
    };
    let pair = dirty_pair(&key(0), &key(5), &HiveStamp::default());
    let len = pair.primary.len() as u64;
    let mut fields: Vec<(u64, usize)> = (0..128).map(|word| (word * 4, 4)).collect();
    fields.extend((4096..len.min(4096 + 3000)).step_by(4).map(|at| (at, 4)));
    fields.extend((4096..len.min(4096 + 3000)).step_by(2).map(|at| (at, 2)));
    let structures = vec![(0, 512), (4096, len.min(4096 + 3000))];
    let (base, gate, format) = (memory("HIVE", &pair.primary), Files::default(), Format::Raw);
    let seals = vec![Seal::Xor { start: 0 }];
    let subject = Subject {
        name: "HIVE",
        base,
        gate,
        format,
        fields,
        idle: vec![(176, 500)],
        seals,
        structures,
        expected: Vec::new(),
        bound: 1,
    };
    (subject, pair.log)
}

/// A configuration that was closed well, and one whose log was not applied.
pub fn hvs() -> Vec<Subject> {
    let device = |number: u64| {
        Key::node(&format!("_{number:08x}-8dca-4152-9eda-2ca8b33039b4_"))
            .with(Key::new("VDEVVersion", HvsValue::Int(1792)))
            .with(Key::text("pathname", r"C:\Disks\a.vhdx"))
            .with(Key::new("on", HvsValue::Flag(true)))
            .with(Key::new("weight", HvsValue::Uint(number)))
            .with(Key::new("share", HvsValue::Double(0.5)))
    };
    let root = (0..24).fold(Key::node("configuration"), |root, number| root.with(device(number)));
    let root = root.with(Key::new("blob", HvsValue::Bytes(vec![9; 3000])));
    let spec = HvsSpec { log: 0x3000, objects: 12, stale: true, ..HvsSpec::default() };
    let (clean, places) = spec.write_with_places(&[root, Key::text("end", "")]);
    let mut dirty = clean.clone();
    let entries = hvs::leave_dirty(&mut dirty, &places, &[(places.tables[1], 4096), (places.objects[0] + 8, 54)]);
    let wide = |(start, end): &(usize, usize)| (*start as u64, *end as u64);
    let seals =
        places.sums.iter().map(|(start, len, field)| Seal::Zip { start: *start as u64, len: *len, field: *field });
    let seals: Vec<Seal> = seals.collect();
    let subject = |name: &'static str, bytes: &[u8], fields: &[(usize, usize)], idle: &[(usize, usize)]| Subject {
        name,
        base: memory(name, bytes),
        gate: Files::default(),
        format: Format::Raw,
        fields: fields.iter().map(|(at, len)| (*at as u64, *len)).collect(),
        idle: idle.iter().map(wide).collect(),
        seals: seals.clone(),
        structures: vec![(0, 64), (8192, 8500)],
        expected: Vec::new(),
        bound: 400,
    };
    let (log, parts) = (places.log, [(0, 8), (8, 4), (12, 8), (20, 4), (24, 4)]);
    let mut logged: Vec<(usize, usize)> = vec![(log, 4), (log + 4, 4), (log + 8, 4), (log + 13, 4)];
    logged.extend(entries.iter().flat_map(|(entry, _)| parts.map(|(at, len)| (entry + at, len))));
    logged.extend(
        places.fields.iter().filter(|(at, _)| *at < 0x2200 || (places.tables[0]..places.tables[0] + 999).contains(at)),
    );
    logged.extend((log + 4096..log + 4096 + 200).step_by(4).map(|at| (at, 4)));
    let headers = [(14, 26), (46, 4096), (4096 + 46, 8192)];
    vec![subject("a.vmcx", &clean, &places.fields, &places.idle), subject("b.vmcx", &dirty, &logged, &headers)]
}
