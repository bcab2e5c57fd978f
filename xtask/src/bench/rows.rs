//! What is measured against what: one row of the table each.

use std::path::{Path, PathBuf};

use super::disks::{CLONES, Disks};
use super::measure::Job;

/// What a goal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Our wall time through theirs.
    Wall,
    /// Our processor time through theirs.
    Cpu,
    /// Bytes written through bytes that the guest uses.
    Written,
    /// Wall time in seconds.
    Seconds,
    /// Resident memory in MiB, of what reads a whole host and not a disk.
    Memory,
}

/// At most this much.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Of what.
    pub measure: Measure,
    /// How much.
    pub most: f64,
}

/// How a result is known to be right.
#[derive(Debug, Clone)]
pub enum Check {
    /// Each file has the content of another one: name in the job's folder, its format, the other file, its format.
    Same(Vec<(String, &'static str, PathBuf, &'static str)>),
    /// A raw file has the clusters in use of the main disk.
    Used(String),
    /// A file begins with this text.
    Says(String, String),
    /// There is no disk to look at.
    Nothing,
}

/// One side of a row.
#[derive(Debug, Clone)]
pub struct Side {
    /// What is run.
    pub job: Job,
    /// What it must have made.
    pub check: Check,
}

/// One line of the table.
pub struct Row {
    /// Its name for `--only`.
    pub name: String,
    /// What it is about.
    pub about: String,
    /// Ours.
    pub ours: Side,
    /// What it is compared with.
    pub peer: Option<Side>,
    /// Programs that must be there.
    pub needs: &'static [&'static str],
    /// What is wanted.
    pub goals: Vec<Goal>,
    /// Peers that take long are run less often.
    pub slow: bool,
    /// What no program can do without, where that is measured; there it is looked too where the time of ours goes.
    pub bytes: Option<Bytes>,
}

/// The bytes that the system has to move for a row.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// The disks that are read.
    pub read: Vec<String>,
    /// The disk whose room on the disk is the bytes that are written; without it, it is what ours wrote.
    pub content: Option<&'static str>,
    /// Whether what is read is hashed on the way.
    pub hashed: bool,
    /// Whether zeros are left out in pages; else in clusters.
    pub raw: bool,
}

/// Where programs, disks and results are.
pub struct Places<'a> {
    /// Our program.
    pub program: &'a Path,
    /// The disks.
    pub disks: &'a Disks,
    /// A folder in memory for results.
    pub memory: PathBuf,
    /// A folder on the disk for results.
    pub disk: PathBuf,
}

const FORMATS: [&str; 3] = ["raw", "qcow2", "vhdx"];
const HALF: f64 = 0.5;
const WITH_MANIFEST: f64 = 0.8;
/// Time through an image: at least 0.7 of the speed of the file.
const INSIDE: f64 = 1.43;

fn quick(most: f64) -> Vec<Goal> {
    vec![Goal { measure: Measure::Wall, most }, Goal { measure: Measure::Cpu, most }]
}

/// The same, with a manifest made on the way.
fn with_manifest(mut row: Row) -> Row {
    row.name.push_str("-manifest");
    row.about.push_str(", a manifest made in the same pass");
    row.goals = quick(WITH_MANIFEST);
    row.bytes = row.bytes.map(|bytes| Bytes { hashed: true, ..bytes });
    let out = quote(&row.ours.job.out);
    row.ours.job.script.push_str(&format!(" --manifest {out}/manifest"));
    row
}

impl Places<'_> {
    /// All rows in the order of the table.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let in_memory = |format| self.bounded(&format!("vhd-{format}"), "aged.vhd", format, quick(HALF));
        rows.extend(FORMATS.map(in_memory));
        rows.extend(FORMATS.map(in_memory).map(with_manifest));
        rows.push(self.bounded("ordered-raw", "ordered.vhd", "raw", quick(HALF)));
        let on_disk = |format| self.on_disk(format);
        rows.extend(FORMATS.map(on_disk));
        rows.extend(FORMATS.map(on_disk).map(with_manifest));
        rows.push(self.sync());
        rows.push(self.used());
        rows.push(self.chain());
        rows.push(self.bounded("vhdx-raw", "main.vhdx", "raw", quick(HALF)));
        rows.push(self.bounded("dense-vhdx-raw", "dense.vhdx", "raw", quick(HALF)));
        rows.push(self.bounded("fixed-raw", "fixed.vhd", "raw", quick(HALF)));
        rows.push(self.clones());
        rows.extend(["fixed", "fixed-dynamic"].map(|name| self.inside(name)));
        rows.push(self.dead_system());
        rows.extend(self.huge());
        rows.extend(self.context());
        rows
    }

    fn disk(&self, name: &str) -> String {
        quote(&self.disks.path(name))
    }

    fn convert(&self, name: &str, format: &str, (out, options): (&Path, &str)) -> String {
        format!("{} disk convert {} {}/ours --to {format}{options}", quote(self.program), self.disk(name), quote(out))
    }

    fn qemu_img(&self, name: &str, format: &str, (out, options): (&Path, &str)) -> String {
        let from = source_format(name);
        format!("qemu-img convert{options} -W -m 8 -f {from} -O {format} {} {}/peer", self.disk(name), quote(out))
    }

    /// One side whose file must have the content of the main disk, or of the small one.
    fn side(&self, script: String, out: &Path, (file, format): (&str, &'static str), like: &str) -> Side {
        let check = Check::Same(vec![(file.to_owned(), format, self.disks.path(like), "vpc")]);
        Side { job: Job::new(script, out), check }
    }

    fn conversion(&self, name: &str, disk: &str, format: &'static str, goals: Vec<Goal>) -> Row {
        let like = if matches!(disk, "fixed.vhd" | "dense.vhdx") { "fixed.vhd" } else { "ordered.vhd" };
        let (ours, peer) =
            (self.convert(disk, format, (&self.memory, "")), self.qemu_img(disk, format, (&self.memory, "")));
        Row {
            name: name.to_owned(),
            about: format!("{disk} to {format}"),
            ours: self.side(ours, &self.memory, ("ours", format), like),
            peer: Some(self.side(peer, &self.memory, ("peer", format), like)),
            needs: &[],
            goals,
            slow: false,
            bytes: None,
        }
    }

    /// A conversion of which is worked out what the system alone needs for it.
    fn bounded(&self, name: &str, disk: &str, format: &'static str, goals: Vec<Goal>) -> Row {
        let row = self.conversion(name, disk, format, goals);
        // A VHDX file is larger than its data, because it must not have holes.
        let content = (format == "vhdx").then_some("ordered.vhd");
        Row { bytes: Some(Bytes { read: vec![disk.to_owned()], content, hashed: false, raw: format == "raw" }), ..row }
    }

    /// Like the rows `vhd-…`, but to a disk. hvmigrate flushes what it made, as always; qemu-img leaves it to the page cache.
    fn on_disk(&self, format: &'static str) -> Row {
        let ours = self.convert("aged.vhd", format, (&self.disk, ""));
        let peer = self.qemu_img("aged.vhd", format, (&self.disk, ""));
        Row {
            name: format!("disk-{format}"),
            about: format!("aged.vhd to {format} on a disk, qemu-img's left in the page cache"),
            ours: self.side(ours, &self.disk, ("ours", format), "ordered.vhd"),
            peer: Some(self.side(peer, &self.disk, ("peer", format), "ordered.vhd")),
            needs: &[],
            goals: quick(HALF),
            slow: false,
            bytes: Some(Bytes {
                read: vec!["aged.vhd".to_owned()],
                content: Some("ordered.vhd"),
                hashed: false,
                raw: format == "raw",
            }),
        }
    }

    fn sync(&self) -> Row {
        let ours = self.convert("aged.vhd", "raw", (&self.disk, " --sync"));
        let peer = self.qemu_img("aged.vhd", "raw", (&self.disk, " -t none"));
        let flushed = format!("{peer} && sync -f {}/peer", quote(&self.disk));
        Row {
            name: "sync-raw".to_owned(),
            about: "aged.vhd to raw on a disk, all of it there at the end".to_owned(),
            ours: self.side(ours, &self.disk, ("ours", "raw"), "ordered.vhd"),
            peer: Some(self.side(flushed, &self.disk, ("peer", "raw"), "ordered.vhd")),
            goals: vec![Goal { measure: Measure::Wall, most: 0.8 }],
            ..self.on_disk("raw")
        }
    }

    fn used(&self) -> Row {
        let goals = vec![Goal { measure: Measure::Written, most: 1.02 }];
        let mut row = self.conversion("used-raw", "aged.vhd", "raw", goals);
        row.about = "aged.vhd to raw without free space".to_owned();
        row.ours.job.script.push_str(" --skip-free-space");
        row.ours.check = Check::Used("ours".to_owned());
        row
    }

    fn chain(&self) -> Row {
        let side = |name: &str, file: &str| {
            let script = self.convert(name, "raw", (&self.memory, ""));
            self.side(script.replace("/ours ", &format!("/{file} ")), &self.memory, (file, "raw"), "flat.vhd")
        };
        Row {
            name: "chain-raw".to_owned(),
            about: "a chain of three to raw, against the same content in one file, both by hvmigrate (qemu-img cannot read the chain)"
                .to_owned(),
            ours: side("chain/snap2.avhd", "ours"),
            peer: Some(side("flat.vhd", "peer")),
            needs: &[],
            goals: vec![Goal { measure: Measure::Wall, most: 1.15 }],
            slow: false,
            bytes: None,
        }
    }

    fn clones(&self) -> Row {
        let names: Vec<String> = (1..=CLONES).map(|number| format!("clone{number}")).collect();
        let read = names.iter().map(|name| format!("{name}.vhd")).collect();
        let all = |line: &dyn Fn(&str) -> String, file: &str| {
            let lines: Vec<String> = names
                .iter()
                .map(|name| line(&format!("{name}.vhd")).replace(&format!("/{file}"), &format!("/{name}")))
                .collect();
            let same = |name: &String| (name.clone(), "qcow2", self.disks.path(&format!("{name}.vhd")), "vpc");
            let check = Check::Same(names.iter().map(same).collect());
            Side { job: Job::new(lines.join(" && "), &self.memory), check }
        };
        Row {
            name: "clones-qcow2".to_owned(),
            about: "five clones to qcow2, one after the other".to_owned(),
            ours: all(&|name| self.convert(name, "qcow2", (&self.memory, "")), "ours"),
            peer: Some(all(&|name| self.qemu_img(name, "qcow2", (&self.memory, "")), "peer")),
            needs: &[],
            goals: quick(HALF),
            slow: false,
            bytes: Some(Bytes { read, content: None, hashed: false, raw: false }),
        }
    }

    /// A VHD on the disk of a dead server, which is read through the NTFS there, beside the same VHD as a file.
    fn inside(&self, name: &str) -> Row {
        let (program, out) = (quote(self.program), quote(&self.memory));
        let hash = self.disks.facts["fixed"]["blake3"].as_str().unwrap_or_default();
        let side = |what: String, file: &str| Side {
            job: Job::new(format!("{program} disk hash {what} > {out}/{file}"), &self.memory),
            check: Check::Says(file.to_owned(), hash.to_owned()),
        };
        let image = quote(Path::new(&format!("image:{}?c=1:0", self.disks.path("host.part").display())));
        Row {
            name: format!("inside-{name}"),
            about: format!(
                "hash of {name}.vhd inside NTFS inside a raw disk, beside that of the same file, both by hvmigrate"
            ),
            ours: side(format!("--from {image} 'C:\\{name}.vhd'"), "ours"),
            peer: Some(side(self.disk(&format!("{name}.vhd")), "peer")),
            needs: &[],
            goals: vec![Goal { measure: Measure::Wall, most: INSIDE }],
            slow: false,
            bytes: None,
        }
    }

    /// The inventory of a dead server from its system disk, on which its machines' disks are not.
    fn dead_system(&self) -> Row {
        let image = quote(Path::new(&format!("image:{}?c=1:0", self.disks.path("system.part").display())));
        let program = quote(self.program);
        // Findings that block are an exit code of their own.
        let script = format!(
            "{program} assess --from {image} --format json > {}/ours || test $? = 3; grep -q HV-OLD-01 {}/ours",
            quote(&self.memory),
            quote(&self.memory)
        );
        Row {
            name: "dead-system".to_owned(),
            about: "assess of a dead server from its system disk with 20 GB".to_owned(),
            ours: Side { job: Job::new(script, &self.memory), check: Check::Nothing },
            peer: None,
            needs: &[],
            goals: vec![Goal { measure: Measure::Seconds, most: 1.0 }, Goal { measure: Measure::Memory, most: 190.0 }],
            slow: false,
            bytes: None,
        }
    }

    /// An empty disk of 64 TB must not cost anything.
    fn huge(&self) -> Vec<Row> {
        let row = |name: &str, about: &str, script: String| Row {
            name: name.to_owned(),
            about: about.to_owned(),
            ours: Side { job: Job { limit: Some(3), ..Job::new(script, &self.memory) }, check: Check::Nothing },
            peer: None,
            needs: &[],
            goals: vec![Goal { measure: Measure::Seconds, most: 1.0 }],
            slow: false,
            bytes: None,
        };
        let info = format!("{} disk info {}", quote(self.program), self.disk("huge.vhdx"));
        let mut rows = vec![row("huge-info", "info of an empty VHDX of 64 TB", info)];
        for format in FORMATS {
            let script = self.convert("huge.vhdx", format, (&self.memory, ""));
            let about = format!("an empty VHDX of 64 TB to {format}");
            rows.push(row(&format!("huge-{format}"), &about, script.clone()));
            let script = format!("{script} --manifest {}/manifest", quote(&self.memory));
            rows.push(row(&format!("huge-{format}-manifest"), &format!("{about}, with a manifest"), script));
        }
        rows
    }

    /// What other programs need to move the same bytes; nothing is wanted here.
    fn context(&self) -> Vec<Row> {
        let out = quote(&self.memory);
        let (aged, raw) = (self.disk("aged.vhd"), self.disk("main.part"));
        let program = quote(self.program);
        let row = |name: &str, script: String, needs, check: Check| {
            let mut row = self.conversion(name, "aged.vhd", "raw", Vec::new());
            row.about = format!("aged.vhd to raw, beside {name}");
            row.peer = Some(Side { job: Job::new(script, &self.memory), check });
            row.needs = needs;
            row.slow = name == "restic";
            row
        };
        let same = |file: &str, format, like: &str, like_format| {
            Check::Same(vec![(file.to_owned(), format, self.disks.path(like), like_format)])
        };
        let copied = || same("peer", "vpc", "ordered.vhd", "vpc");
        let mut rows = vec![
            row("cp", format!("cp {aged} {out}/peer"), &[], copied()),
            row(
                "cp-sparse",
                format!("cp --sparse=always {raw} {out}/peer"),
                &[],
                same("peer", "raw", "main.part", "raw"),
            ),
            row("rsync", format!("rsync --inplace {aged} {out}/peer"), &["rsync"], copied()),
        ];
        let nbd = format!("nbdcopy -- [ qemu-nbd -r -f vpc {aged} ] {out}/peer");
        let mut served = row("nbdcopy", nbd, &["nbdcopy", "qemu-nbd"], same("peer", "raw", "ordered.vhd", "vpc"));
        served.about = "aged.vhd to raw by nbdcopy, from `disk serve`, beside qemu-nbd".to_owned();
        served.ours.job.script = format!(
            "{program} disk serve {aged} --socket {out}/socket & server=$!; \
             until [ -S {out}/socket ]; do sleep 0.01; done; \
             nbdcopy 'nbd+unix:///?socket={}/socket' {out}/ours; kill $server; wait $server || true",
            self.memory.display()
        );
        rows.push(served);
        let restic = format!(
            "export RESTIC_PASSWORD=bench; restic init -q --no-cache -r {out}/repository; \
             restic backup -q --no-cache -r {out}/repository {aged}"
        );
        rows.push(row("restic", restic, &["restic"], Check::Nothing));
        rows
    }
}

fn source_format(name: &str) -> &'static str {
    if name.ends_with(".vhdx") { "vhdx" } else { "vpc" }
}

/// A path as a word of the shell.
pub fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn paths_become_one_word() {
        assert_eq!(quote(Path::new("/tmp/a.vhd")), "/tmp/a.vhd");
        assert_eq!(quote(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }
}
