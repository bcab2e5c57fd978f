//! `cargo xtask scale`: a host with thousands of virtual machines, and what it takes to judge it, in docs/scale.md.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use hvm_testkit::sample::{self, Variant};
use hvm_testkit::vhd::{Blocks, ContentModel, VhdKind, VhdSpec};
use hvm_testkit::vmxml::{Drive, DriveSlot, MachineXml, Media};

use crate::bench::{Cost, Job, Machine, range, spread};
use crate::run::{Task, at, cargo, is_there};

/// Runs of each row.
const ROUNDS: usize = 5;
/// Where Hyper-V keeps the configurations that it knows.
const REGISTERED: &str = "ProgramData/Microsoft/Windows/Hyper-V/Virtual Machines";

/// What is asked for: seconds on the clock and bytes of memory.
const SECONDS: f64 = 5.0;
const MEMORY: u64 = 200 << 20;

/// Makes the host, measures and writes the page.
pub fn write(task: &mut Task, root: &Path, machines: u32) -> Result<(), String> {
    if !is_there("time") {
        task.skip("the scale: GNU time is missing (package time)".to_owned());
        return Ok(());
    }
    let machine = Machine::look();
    let folder = crate::target().join("scale");
    let _ = fs::remove_dir_all(&folder);
    cargo(&["build", "--release", "--quiet", "--package", "hvmigrate"])?;
    let host = host(&folder.join("host"), machines)?;
    let program = crate::target().join("release").join("hvmigrate");
    let mut page = format!(
        "# A host with {machines} virtual machines\n\nMade by `cargo xtask scale`.\n\n{}\nThe clean sample host with {machines} \
         more machines of one dynamic VHD each, read from local files that are in the page cache. Times are medians of \
         {ROUNDS} runs with the least and the greatest in brackets.\n\n| command | wall s | CPU s | peak MiB | goal |\n| --- | \
         --- | --- | --- | --- |\n",
        machine.describe()
    );
    for destination in ["", " --to 'kit:KIT?os=2012'"] {
        let words = format!("assess --format json --from SOURCE{destination}");
        let costs = measure(&program, &words, &host, &folder)?;
        let row = row(&words, &costs);
        println!("{row}");
        writeln!(page, "{row}").map_err(|error| error.to_string())?;
    }
    let path = root.join("docs").join("scale.md");
    fs::write(&path, page).map_err(at(&path))?;
    println!("written: {}", path.display());
    fs::remove_dir_all(&folder).map_err(at(&folder))
}

/// Writes the host; its two drives lie below the folder.
fn host(folder: &Path, machines: u32) -> Result<PathBuf, String> {
    sample::write(folder, Variant::Clean).map_err(at(folder))?;
    let (registered, disks) = (folder.join("C").join(REGISTERED), folder.join("D").join("Many"));
    fs::create_dir_all(&disks).map_err(at(&disks))?;
    for number in 1..=machines {
        let id = format!("5CA1E000-2008-4A00-9000-{number:012X}");
        let mut xml = MachineXml::new(&id, &format!("Server {number}"));
        xml.drives
            .push(Drive { slot: DriveSlot::Ide(0, 0), media: Media::Vhd(format!(r"D:\Many\Server {number}.vhd")) });
        let path = registered.join(format!("{id}.xml"));
        fs::write(&path, xml.to_bytes()).map_err(at(&path))?;
        let mut unique = [0x5C; 16];
        unique[12..].copy_from_slice(&number.to_be_bytes());
        let disk = VhdSpec::new(VhdKind::Dynamic(Blocks::default()), unique);
        let path = disks.join(format!("Server {number}.vhd"));
        disk.image(&ContentModel::new(1 << 30)).write_to(&path).map_err(at(&path))?;
    }
    Ok(folder.to_owned())
}

/// Runs it once unmeasured, then as often as is said. The judgement itself (0 nothing, 3 something to decide) is no failure.
fn measure(program: &Path, words: &str, host: &Path, folder: &Path) -> Result<Vec<Cost>, String> {
    let out = folder.join("out");
    let drive = |letter: &str| host.join(letter).display().to_string();
    let source = format!("'folder:{}?c={}&d={}'", host.display(), drive("C"), drive("D"));
    let words = words.replace("SOURCE", &source).replace("KIT", &out.join("kit").display().to_string());
    let script = format!("'{}' {words} > '{}' || [ $? -eq 3 ]", program.display(), out.join("said").display());
    let job = Job::new(script, &out);
    let costs: Result<Vec<Cost>, String> = (0..=ROUNDS).map(|_| job.run()).collect();
    Ok(costs?.split_off(1))
}

fn row(words: &str, costs: &[Cost]) -> String {
    let wall = spread(costs.iter().map(|cost| cost.wall));
    let cpu = spread(costs.iter().map(|cost| cost.cpu));
    let peak = costs.iter().map(|cost| cost.peak).max().unwrap_or(0);
    let met = wall.median <= SECONDS && peak <= MEMORY;
    format!(
        "| `{words}` | {} | {} | {} | {SECONDS} s and {} MiB: {} |",
        range(&wall),
        range(&cpu),
        peak.div_ceil(1 << 20),
        MEMORY >> 20,
        if met { "met" } else { "**not met**" }
    )
}
