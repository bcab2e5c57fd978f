//! Differencing VHDs: what of a chain is right, and which parents must be refused.

use super::vhd_small::{blocks, header, model};
use super::{Answer, Case, Checked, Content};
use crate::vhd::{ContentModel, Locator, Parent, SpaceUnit, VhdKind, VhdSpec};
use crate::vhdx::SparseImage;

const BASE: [u8; 16] = [0x41; 16];
const TIME: u32 = 378_000_000;

fn base() -> VhdSpec {
    VhdSpec::new(VhdKind::Dynamic(blocks()), BASE)
}

fn parent(locators: Vec<Locator>) -> Parent {
    Parent { unique_id: BASE, timestamp: TIME, name: "base.vhd".to_owned(), locators, stale: None }
}

fn relative() -> Vec<Locator> {
    vec![Locator::new(b"W2ru", ".\\base.vhd")]
}

fn child_of(parent: Parent) -> VhdSpec {
    VhdSpec::new(VhdKind::Differencing(blocks(), parent), [0x42; 16])
}

/// Single sectors here and there, so that bitmap bytes are mixed; one block in full, one byte of one sector.
fn changes() -> ContentModel {
    let mut content = ContentModel::new(model().size());
    content.fill(1, 1, 500);
    content.fill(11, 2, 501);
    content.fill(24, 8, 502);
    content.fill(104, 3, 503);
    content
}

fn image(spec: &VhdSpec, content: &ContentModel) -> SparseImage {
    SparseImage::from(spec.image(content).to_vec().as_slice())
}

/// A chain of a child over the base.
struct Chain {
    spec: VhdSpec,
    own: ContentModel,
    base: Option<(VhdSpec, ContentModel)>,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { spec: child_of(parent(relative())), own: changes(), base: Some((base(), model())) }
    }
}

type Row = (&'static str, &'static str, &'static str, fn() -> Chain, Reply);

/// What must come of a chain.
#[derive(Clone, Copy)]
enum Reply {
    Reads,
    Says(&'static str),
    Refuses(&'static str),
}

use Reply::{Reads, Refuses, Says};

fn with_locators(locators: Vec<Locator>) -> Chain {
    Chain { spec: child_of(parent(locators)), ..Chain::default() }
}

fn with_parent(change: fn(&mut Parent)) -> Chain {
    let mut parent = parent(relative());
    change(&mut parent);
    Chain { spec: child_of(parent), ..Chain::default() }
}

fn bytes_space(mut locator: Locator) -> Locator {
    locator.space = SpaceUnit::Bytes;
    locator
}

const SPEC: &str = "VHD specification";

const ROWS: [Row; 25] = [
    ("plain", "a child with mixed bitmap bytes", "libvhdi 20210425 gives wrong data", Chain::default, Reads),
    (
        "stale",
        "rubbish lies where the bits are clear",
        "dfvfs fat-differential.vhd",
        || with_parent(|p| p.stale = Some(7)),
        Reads,
    ),
    (
        "zeros-over-data",
        "the child holds zeros over data of its parent",
        "joncampbell123/dosbox-x#4545",
        || {
            let mut own = changes();
            (32..40).for_each(|sector| own.set(sector, [0; 512]));
            Chain { own, ..Chain::default() }
        },
        Reads,
    ),
    (
        "untouched",
        "a child in which nothing was written",
        SPEC,
        || Chain { own: ContentModel::new(65536), ..Chain::default() },
        Reads,
    ),
    (
        "larger",
        "a child that is larger than its parent",
        SPEC,
        || {
            let mut own = ContentModel::new(65536 + 8192);
            own.fill(129, 2, 3);
            Chain { own, ..Chain::default() }
        },
        Says("its child"),
    ),
    (
        "smaller",
        "a child that is smaller than its parent",
        SPEC,
        || {
            let mut own = ContentModel::new(32768);
            own.fill(1, 2, 3);
            Chain { own, ..Chain::default() }
        },
        Says("its child"),
    ),
    (
        "base-fixed",
        "the parent is a fixed disk",
        SPEC,
        || Chain { base: Some((VhdSpec::new(VhdKind::Fixed, BASE), model())), ..Chain::default() },
        Reads,
    ),
    (
        "locator-w2ku",
        "only an absolute path",
        SPEC,
        || with_locators(vec![Locator::new(b"W2ku", "D:\\VMs\\base.vhd")]),
        Reads,
    ),
    (
        "locator-wi2r",
        "only a path of the old kind Wi2r",
        SPEC,
        || with_locators(vec![Locator::new(b"Wi2r", ".\\base.vhd")]),
        Reads,
    ),
    (
        "locator-wi2k",
        "only a path of the old kind Wi2k",
        SPEC,
        || with_locators(vec![Locator::new(b"Wi2k", "D:\\base.vhd")]),
        Reads,
    ),
    (
        "locator-bytes",
        "the space of the locators is given in bytes",
        "real files (dfvfs fat-differential.vhd)",
        || {
            with_locators(vec![
                bytes_space(Locator::new(b"W2ku", "D:\\base.vhd")),
                bytes_space(Locator::new(b"W2ru", ".\\base.vhd")),
            ])
        },
        Reads,
    ),
    (
        "locator-stale",
        "the absolute path leads nowhere, the relative one does",
        "simh/simh#352",
        || with_locators(vec![Locator::new(b"W2ku", "X:\\gone\\other.vhd"), Locator::new(b"W2ru", ".\\base.vhd")]),
        Reads,
    ),
    (
        "locator-eight",
        "all eight locators are used",
        SPEC,
        || {
            with_locators(
                (0..8)
                    .map(|n| {
                        Locator::new(b"W2ru", &if n == 7 { ".\\base.vhd".to_owned() } else { format!(".\\no{n}.vhd") })
                    })
                    .collect(),
            )
        },
        Reads,
    ),
    (
        "locator-unicode",
        "a path with characters beyond Latin-1",
        SPEC,
        || with_locators(vec![Locator::new(b"W2ku", "D:\\Größe\\日本\\base.vhd")]),
        Reads,
    ),
    (
        "locator-unknown",
        "a locator of an unknown kind beside a good one",
        SPEC,
        || with_locators(vec![Locator::new(b"Quux", "?"), Locator::new(b"W2ru", ".\\base.vhd")]),
        Says("unknown platform code"),
    ),
    (
        "name-only",
        "no locator, only the name in the header",
        "xapi-project/blktap#436 (vhd-util crashes)",
        || with_locators(Vec::new()),
        Reads,
    ),
    (
        "time-0",
        "the child records no time of its parent",
        SPEC,
        || with_parent(|p| p.timestamp = 0),
        Says("records no time stamp"),
    ),
    (
        "time-other",
        "the parent was changed after the child was made",
        "Msvm_ImageManagementService",
        || with_parent(|p| p.timestamp = TIME - 9),
        Refuses("the parent may have been changed"),
    ),
    (
        "id-other",
        "the file with the parent's name is another disk",
        "Msvm_ImageManagementService (IgnoreIDMismatch)",
        || with_parent(|p| p.unique_id = [9; 16]),
        Refuses("is not its parent"),
    ),
    (
        "missing",
        "the parent is not there",
        "simh/simh#352",
        || Chain { base: None, ..Chain::default() },
        Refuses("was not found"),
    ),
    (
        "no-name",
        "neither locator nor name of a parent",
        "xapi-project/blktap#436 (vhd-util crashes)",
        || {
            with_parent(|p| {
                p.locators.clear();
                p.name.clear()
            })
        },
        Refuses("was not found"),
    ),
    (
        "id-lost",
        "the unique id of the parent is zero",
        SPEC,
        || Chain { base: Some((VhdSpec { unique_id: [0; 16], ..base() }, model())), ..Chain::default() },
        Refuses("is not its parent"),
    ),
    (
        "circle",
        "the child is its own parent",
        "Msvm_ImageManagementService (error 32787)",
        || {
            let mut spec = child_of(parent(vec![Locator::new(b"W2ru", ".\\vhd-chain-circle.avhd")]));
            spec.unique_id = BASE;
            Chain { spec, base: None, ..Chain::default() }
        },
        Refuses("is a circle"),
    ),
    (
        "id-zero",
        "child and parent have the unique id 0",
        SPEC,
        || {
            let mut chain = with_parent(|p| p.unique_id = [0; 16]);
            chain.base = Some((VhdSpec { unique_id: [0; 16], ..base() }, model()));
            chain
        },
        Reads,
    ),
    ("dynamic-in-name", "a differencing disk whose name ends in .vhd", "real files", Chain::default, Reads),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = ROWS.iter().map(case).collect();
    cases.extend([2u8, 5, 8, 64].map(deep));
    cases.push(Case { answer: Answer::Refuses("at most 64 layers"), ..deep(65) });
    cases.extend(broken_locators());
    cases
}

fn case((name, what, from, chain, reply): &Row) -> Case {
    let Chain { spec, own, base } = chain();
    let name = format!("vhd-chain-{name}");
    let extension = if name.ends_with("in-name") { "vhd" } else { "avhd" };
    let mut files = vec![(format!("{name}.{extension}"), image(&spec, &own))];
    let below = base.as_ref().map(|(_, content)| content.clone());
    files.extend(base.map(|(spec, content)| ("base.vhd".to_owned(), image(&spec, &content))));
    let whole = || Content::Whole(own.over(&below.unwrap_or_else(|| ContentModel::new(own.size()))).to_vec());
    let answer = match reply {
        Reads => Answer::Reads(whole()),
        Says(word) => Answer::Says(whole(), word),
        Refuses(reason) => Answer::Refuses(reason),
    };
    // What is wrong with a parent is no fault of the child's file; a locator that cannot be followed is.
    let checked = match name.as_str() {
        "vhd-chain-name-only" | "vhd-chain-no-name" => Checked::Finds("no parent locator"),
        "vhd-chain-locator-unknown" => Checked::Finds("unknown platform code"),
        _ => Checked::Clean,
    };
    Case { name, what: (*what).to_owned(), from, files, answer, checked }
}

/// A chain of `depth` files, each with a sector of its own.
fn deep(depth: u8) -> Case {
    let mut files = Vec::new();
    let mut content = ContentModel::new(65536);
    for number in 0..depth {
        let mut own = ContentModel::new(65536);
        own.fill(u64::from(number), 3, u64::from(number) + 1);
        let id = [number + 1; 16];
        let kind = if number == 0 {
            VhdKind::Dynamic(blocks())
        } else {
            let name = format!("d{}.vhd", number - 1);
            let locators = vec![Locator::new(b"W2ru", &format!(".\\{name}"))];
            let parent = Parent { unique_id: [number; 16], timestamp: TIME, name, locators, stale: Some(1) };
            VhdKind::Differencing(blocks(), parent)
        };
        files.insert(0, (format!("d{number}.vhd"), image(&VhdSpec::new(kind, id), &own)));
        content = own.over(&content);
    }
    let answer = Answer::Reads(Content::Whole(content.to_vec()));
    let (name, what) = (format!("vhd-chain-{depth}-deep"), format!("a chain of {depth} files"));
    Case { name, what, from: "at most 64 layers are read", files, answer, checked: Checked::Clean }
}

type Broken = (&'static str, &'static str, usize, &'static [u8], &'static str);

/// Fields of the first locator entry (header offset 576): the parent is still found by its name.
const BROKEN: [Broken; 4] = [
    ("outside", "a locator that lies behind the end of the file", 576 + 16, &[0x70], "was left out"),
    ("endless", "a locator of 16 MiB", 576 + 8, &[1, 0, 0, 0], "was left out"),
    ("nothing", "a locator of 0 bytes", 576 + 8, &[0, 0, 0, 0], "was left out"),
    ("max", "a locator at 2^64 - 1", 576 + 16, &[0xFF; 8], "was left out"),
];

fn broken_locators() -> Vec<Case> {
    let make = |(name, what, at, value, word): &Broken| {
        let chain = Chain::default();
        let mut file = chain.spec.image(&chain.own).to_vec();
        header(&mut file, *at, value);
        let name = format!("vhd-chain-locator-{name}");
        let whole = Content::Whole(chain.own.over(&model()).to_vec());
        Case {
            files: vec![
                (format!("{name}.avhd"), SparseImage::from(file.as_slice())),
                ("base.vhd".to_owned(), image(&base(), &model())),
            ],
            name,
            what: (*what).to_owned(),
            from: SPEC,
            answer: Answer::Says(whole, word),
            checked: Checked::Finds(word),
        }
    };
    BROKEN.iter().map(make).collect()
}
