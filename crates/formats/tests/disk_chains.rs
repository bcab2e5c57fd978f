//! Chains of differencing disks against an independent model, and every way in which a parent can be wrong.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use disk_support::{Files, Random, Vhd, content, extents};
use hvm_formats::disk::{DiskError, NoParents, OpenOptions, ParentTime, headers, open, open_with};

fn fixed_or_dynamic(random: &mut Random, size: u64) -> Vhd {
    let mut base = Vhd::new(2 + random.below(2) as u32, size, 1);
    base.scatter(random, 30);
    base
}

#[test]
fn chains_with_mixed_bitmap_bytes_read_as_the_model_says() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let size = 512 * (200 + random.below(3000));
        let mut files = Files::default();
        let mut layer = fixed_or_dynamic(&mut random, size);
        let mut model = layer.overlay(Vec::new());
        let mut last = files.add("d0.vhd", layer.bytes());
        for depth in 1..=random.below(5) {
            let mut child = layer.child(depth as u8 + 1, &format!("d{}.vhd", depth - 1));
            child.block = [512, 4096, 65536, 2 << 20][random.below(4) as usize];
            child.shuffle = 1 + 2 * random.below(20);
            child.space_in_bytes = random.below(2) == 0;
            // Parents may be smaller or larger than their children.
            child.size = 512 * (size / 512 + random.below(64) - 32);
            child.scatter(&mut random, 12);
            model = child.overlay(model);
            last = files.add(&format!("d{depth}.vhd"), child.bytes());
            layer = child;
        }
        let disk = open(last, &files).unwrap();
        assert_eq!(disk.size(), layer.size);
        let found = content(&*disk);
        assert!(found == model, "seed {seed}");
        extents(&*disk, &found);
    }
}

#[test]
fn old_content_does_not_shine_through_zeros_that_a_child_wrote() {
    let mut base = Vhd::new(3, 1 << 20, 1);
    base.set_sector(5, &[1; 512]);
    let mut child = base.child(2, "base.vhd");
    child.set_sector(5, &[0; 512]);
    let mut files = Files::default();
    files.add("base.vhd", base.bytes());
    let disk = open(child.file("child.avhd"), &files).unwrap();
    assert!(content(&*disk).iter().all(|&byte| byte == 0));
}

fn pair() -> (Vhd, Vhd, Files) {
    let mut base = Vhd::new(3, 1 << 20, 1);
    base.set_sector(9, &[9; 512]);
    let mut child = base.child(2, "base.vhd");
    child.set_sector(1, &[1; 512]);
    let mut files = Files::default();
    files.add("base.vhd", base.bytes());
    (base, child, files)
}

#[test]
fn locators_come_in_the_order_of_trust_and_the_space_may_be_sectors_or_bytes() {
    for space_in_bytes in [true, false] {
        let (_, mut child, files) = pair();
        child.space_in_bytes = space_in_bytes;
        child.parent.locators = vec![
            (*b"MacX", "file://localhost/base.vhd".to_owned()),
            (*b"Wi2k", "C:\\old\\base.vhd".to_owned()),
            (*b"W2ku", "C:\\Jürgen & 日本\\base.vhd".to_owned()),
            (*b"Wi2r", ".\\old.vhd".to_owned()),
            (*b"W2ru", "..\\日本\\base.vhd".to_owned()),
        ];
        let file = child.file("child.avhd");
        let layer = headers(&file).unwrap();
        assert_eq!(layer.remarks, Vec::<String>::new());
        let request = layer.parent.unwrap();
        let order: Vec<(&str, &str)> =
            request.locators.iter().map(|locator| (locator.platform.as_str(), locator.path.as_str())).collect();
        let expected = [
            ("W2ru", "..\\日本\\base.vhd"),
            ("W2ku", "C:\\Jürgen & 日本\\base.vhd"),
            ("Wi2r", ".\\old.vhd"),
            ("Wi2k", "C:\\old\\base.vhd"),
            ("MacX", "file://localhost/base.vhd"),
        ];
        assert_eq!(order, expected);
        assert_eq!((request.name.as_str(), request.depth, request.timestamp), ("base.vhd", 1, 1001));
        assert_eq!(open(file, &files).unwrap().layers().len(), 2);
    }
}

#[test]
fn a_missing_parent_is_named_with_all_paths_and_its_id() {
    let (_, child, _) = pair();
    let error = open(child.file("child.avhd"), &NoParents).err().unwrap();
    assert!(matches!(error, DiskError::MissingParent { .. }));
    let text = error.to_string();
    for part in ["child.avhd", "'.\\base.vhd'", "'base.vhd'", "01010101-0101-0101-0101-010101010101"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_parent_with_another_id_is_refused_and_the_right_one_behind_it_is_taken() {
    let (base, mut child, mut files) = pair();
    let mut other = Vhd::new(3, 1 << 20, 77);
    other.set_sector(9, &[7; 512]);
    files.add("other.vhd", other.bytes());
    child.parent.locators = vec![(*b"W2ru", "other.vhd".to_owned())];
    child.parent.name = String::new();
    let error = open(child.file("child.avhd"), &files).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, DiskError::WrongParent { .. }), "{text}");
    assert!(text.contains("4d4d4d4d-4d4d-") && text.contains("01010101-0101-"), "{text}");

    child.parent.name = "base.vhd".to_owned();
    let disk = open(child.file("child.avhd"), &files).unwrap();
    assert!(content(&*disk) == child.overlay(base.overlay(Vec::new())));
}

#[test]
fn a_changed_parent_is_refused_unless_accepted() {
    let (mut base, child, mut files) = pair();
    base.time += 60;
    files.add("base.vhd", base.bytes());
    let error = open(child.file("child.avhd"), &files).err().unwrap();
    assert!(matches!(error, DiskError::ParentChanged { expected: 1001, found: 1061, .. }), "{error}");
    let accept = OpenOptions { parent_time: ParentTime::Accept, ..OpenOptions::default() };
    let disk = open_with(child.file("child.avhd"), &files, &accept).unwrap();
    assert!(disk.layers()[1].remarks[0].contains("1061"), "{:?}", disk.layers()[1].remarks);
    assert!(content(&*disk) == child.overlay(base.overlay(Vec::new())));
}

#[test]
fn circles_are_refused() {
    let mut files = Files::default();
    let (mut a, mut b) = (Vhd::new(4, 1 << 20, 1), Vhd::new(4, 1 << 20, 2));
    (a.parent.id, a.parent.name, a.parent.time) = (b.id, "b.vhd".to_owned(), b.time);
    (b.parent.id, b.parent.name, b.parent.time) = (a.id, "a.vhd".to_owned(), a.time);
    let leaf = files.add("a.vhd", a.bytes());
    files.add("b.vhd", b.bytes());
    let error = open(leaf, &files).err().unwrap();
    assert!(matches!(error, DiskError::Cycle { .. }), "{error}");

    (a.parent.id, a.parent.name, a.parent.time) = (a.id, "a.vhd".to_owned(), a.time);
    let own = files.add("a.vhd", a.bytes());
    assert!(matches!(open(own, &files), Err(DiskError::Cycle { .. })));
}

#[test]
fn sixty_four_layers_are_read_and_one_more_is_refused() {
    let mut files = Files::default();
    let mut layer = Vhd::new(3, 1 << 20, 1);
    layer.set_sector(0, &[1; 512]);
    let mut model = layer.overlay(Vec::new());
    files.add("d1.vhd", layer.bytes());
    for number in 2..=65u8 {
        let mut child = layer.child(number, &format!("d{}.vhd", number - 1));
        child.set_sector(u64::from(number), &[number; 512]);
        let leaf = files.add(&format!("d{number}.vhd"), child.bytes());
        if number == 65 {
            assert!(matches!(open(leaf, &files), Err(DiskError::TooDeep { limit: 64, .. })));
            return;
        }
        model = child.overlay(model);
        if number == 64 {
            let disk = open(leaf, &files).unwrap();
            assert_eq!(disk.layers().len(), 64);
            assert_eq!(disk.layers()[63].parent, None);
            assert!(content(&*disk) == model);
        }
        layer = child;
    }
}

#[test]
fn the_fault_of_a_damaged_parent_is_told() {
    let (base, child, mut files) = pair();
    let bytes = base.bytes();
    files.add("base.vhd", bytes[600..bytes.len() / 2].to_vec());
    let error = open(child.file("child.avhd"), &files).err().unwrap();
    assert_eq!(error.file(), "base.vhd", "{error}");
}

#[test]
fn threads_read_one_chain_at_the_same_time() {
    let mut random = Random::new(99);
    let mut base = Vhd::new(3, 40 << 20, 1);
    base.scatter(&mut random, 3000);
    let mut child = base.child(2, "base.vhd");
    child.scatter(&mut random, 3000);
    let mut files = Files::default();
    files.add("base.vhd", base.bytes());
    let model = child.overlay(base.overlay(Vec::new()));
    // Far more blocks with mixed bitmaps than are kept.
    let disk = open(child.file("child.avhd"), &files).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (disk, model) = (&disk, &model);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                let mut buffer = vec![0; 300_000];
                for _ in 0..200 {
                    let at = random.below(disk.size() - 300_000) as usize;
                    disk.read_at(at as u64, &mut buffer).unwrap();
                    assert!(buffer == model[at..at + 300_000]);
                }
            });
        }
    });
}
