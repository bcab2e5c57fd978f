//! One migration of the demo: assess, plan without and with answers, migrate, verify, boot, report.

use std::path::{Path, PathBuf};

use hvm_engine::{MigrateOptions, MigrateState, PlanRequest, Quiet, VerifyOptions};
use hvm_model::choices::Choices;
use hvm_model::plan::{Plan, Verdict};
use hvm_testkit::sample::{SampleHost, ids};

use super::guest::{self, Boot};
use super::{heading, operator};
use crate::cli::report;
use crate::messages::{Failure, shell_quote};
use crate::progress::Progress;
use crate::{output, render};

/// Where the sample host goes.
pub struct Target {
    key: String,
    title: &'static str,
    uri: String,
    /// What QEMU calls the format of the disks.
    qemu_format: &'static str,
    /// Adapter of the destination that takes the first external network.
    adapter: &'static str,
    report: Voice,
}

/// How much is printed: the second migration says nearly the same as the first, those for later releases nothing new.
enum Voice {
    /// Everything.
    Whole,
    /// Everything, but of the assessment the counts.
    Counts,
    /// Nothing.
    Silent,
}

impl Target {
    /// A kit for Windows Server 2012.
    pub fn kit(folder: &Path) -> Target {
        let release = Target::release(folder, String::new(), ("2012", "Windows Server 2012"));
        Target { key: "kit".to_owned(), report: Voice::Whole, ..release }.at(&folder.join("kit"), "2012")
    }

    /// A kit for a release, in a folder that is called after it and after the host; nothing is printed.
    pub fn release(folder: &Path, of: String, (word, title): (&'static str, &'static str)) -> Target {
        let target = Target {
            key: format!("{of}{word}"),
            title,
            uri: String::new(),
            qemu_format: "vpc",
            adapter: "Ethernet 2",
            report: Voice::Silent,
        };
        let kit = folder.join(format!("kit-{}", target.key));
        target.at(&kit, word)
    }

    fn at(mut self, kit: &Path, os: &str) -> Target {
        let has = "processors=2&memory=32GiB&free=500GiB&language=0407&edition=datacenter&adapters=Ethernet,Ethernet 2";
        self.uri = format!("kit:{}?os={os}&{has}", encoded(kit));
        self
    }

    /// Files for KVM under libvirt.
    pub fn kvm(folder: &Path) -> Target {
        let has = "processors=2&memory=32GiB&free=500GiB&adapters=br0,br1";
        let uri = format!("libvirt-files:{}?{has}", encoded(&folder.join("kvm")));
        Target {
            key: "kvm".to_owned(),
            title: "KVM under libvirt",
            uri,
            qemu_format: "qcow2",
            adapter: "br0",
            report: Voice::Counts,
        }
    }
}

/// A path as part of a URI.
fn encoded(path: &Path) -> String {
    let mut out = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '%' => out.push_str("%25"),
            '?' => out.push_str("%3F"),
            '&' => out.push_str("%26"),
            c => out.push(c),
        }
    }
    out
}

/// What is migrated.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// The sample host, in `source`.
    Sample(&'a SampleHost),
    /// A host of Windows Server 2019, in `source-2019`.
    Newer,
}

impl Origin<'_> {
    /// Its folder below that of the demo.
    pub fn folder(self) -> &'static str {
        match self {
            Origin::Sample(_) => "source",
            Origin::Newer => "source-2019",
        }
    }

    /// How the names of its kits begin.
    pub fn prefix(self) -> &'static str {
        match self {
            Origin::Sample(_) => "",
            Origin::Newer => "of-2019-",
        }
    }
}

/// One migration.
pub struct Stage<'a> {
    /// The demo's folder.
    pub folder: &'a Path,
    /// What is migrated.
    pub origin: Origin<'a>,
    /// Where it goes.
    pub target: Target,
}

impl Stage<'_> {
    /// Runs it; true when all was proved.
    pub fn run(&self) -> Result<bool, Failure> {
        self.assess()?;
        self.plan_without_answers()?;
        let plan = self.plan()?;
        self.migrate()?;
        let verified = self.verify()?;
        let booted = self.boot(&plan)?;
        self.report()?;
        Ok(verified && booted)
    }

    /// Plans, migrates and verifies without a word; the report, and true when all was proved.
    pub fn run_silently(&self) -> Result<(hvm_model::report::Report, bool), Failure> {
        self.plan()?;
        self.migrate()?;
        let verified = self.verify()?;
        Ok((self.document()?, verified))
    }

    /// The report as it is now.
    pub fn document(&self) -> Result<hvm_model::report::Report, Failure> {
        Ok(hvm_engine::report(&self.work())?)
    }

    fn source(&self) -> String {
        format!("folder:{}", encoded(&self.folder.join(self.origin.folder())))
    }

    fn work(&self) -> PathBuf {
        self.folder.join(format!("work-{}", self.target.key))
    }

    fn title(&self, what: &str) -> Result<(), Failure> {
        match self.target.report {
            Voice::Silent => Ok(()),
            Voice::Whole | Voice::Counts => heading(&format!("{}: {what}", self.target.title)),
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        match self.target.report {
            Voice::Silent => Ok(()),
            Voice::Whole | Voice::Counts => output::data(text),
        }
    }

    fn assess(&self) -> Result<(), Failure> {
        self.title("what the guide says")?;
        let assessment = hvm_engine::assess(&self.source(), Some(&self.target.uri), Choices::default(), &Quiet)?;
        self.say(&match self.target.report {
            Voice::Whole => render::assessment::text(&assessment),
            Voice::Counts | Voice::Silent => render::assessment::summary_line(&assessment),
        })
    }

    fn plan_with(&self, choices: Choices) -> Result<Plan, Failure> {
        let request = PlanRequest { from: self.source(), to: self.target.uri.clone(), choices, work: self.work() };
        let progress = Progress::new();
        let planned = hvm_engine::plan(request, &progress);
        progress.end();
        Ok(planned?.0)
    }

    fn plan_without_answers(&self) -> Result<(), Failure> {
        self.title("a plan without answers: what is blocked stays blocked")?;
        let plan = self.plan_with(Choices::default())?;
        let mut text = String::new();
        for machine in &plan.machines {
            if let Verdict::Blocked { findings } = &machine.verdict {
                text.push_str(&format!("  {} stays until this is answered: {}\n", machine.name, findings.join(", ")));
            }
        }
        self.say(&format!("{text}'hvmigrate plan' ends with exit code 3 here.\n"))
    }

    fn plan(&self) -> Result<Plan, Failure> {
        self.title("the plan with the operator's answers")?;
        let choices = match self.origin {
            Origin::Sample(_) => operator::answers(self.target.adapter),
            Origin::Newer => operator::newer_answers(),
        };
        for answer in &choices.answers {
            let text = shell_quote(&format!("{}@{}={}", answer.rule, answer.subject, answer.value));
            self.say(&format!("  --answer {text}\n"))?;
        }
        let plan = self.plan_with(choices)?;
        self.say(&format!("\n{}", render::text::plan(&plan)))?;
        Ok(plan)
    }

    fn migrate(&self) -> Result<(), Failure> {
        self.title("migrating")?;
        let mut confirm = Vec::new();
        loop {
            let options = MigrateOptions { confirm: confirm.clone(), confirmed_by: operator::NAME.to_owned() };
            let progress = Progress::new();
            let outcome = hvm_engine::migrate(&self.work(), options, &progress);
            progress.end();
            match outcome?.state {
                MigrateState::Done => return self.say("All steps of 'migrate' are done.\n"),
                MigrateState::Blocked(reasons) => {
                    return Err(Failure::failed(format!("The demo is blocked: {}", reasons.join(", "))));
                }
                MigrateState::WaitingFor(steps) => {
                    let ids: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
                    if ids.iter().all(|id| confirm.contains(id)) {
                        return Err(Failure::failed(format!("{} stayed unconfirmed.", ids.join(", "))));
                    }
                    self.say(&render::text::waiting(&steps, "migrate", &self.work().to_string_lossy()))?;
                    self.say(&format!("Confirmed by {}.\n", operator::NAME))?;
                    confirm.extend(ids);
                }
            }
        }
    }

    fn verify(&self) -> Result<bool, Failure> {
        self.title("verifying every disk and every setting")?;
        let progress = Progress::new();
        let verification = hvm_engine::verify(&self.work(), VerifyOptions::default(), &progress);
        progress.end();
        let verification = verification?;
        self.say(&render::text::verification(&verification))?;
        Ok(verification.differences.is_empty())
    }

    fn boot(&self, plan: &Plan) -> Result<bool, Failure> {
        let Origin::Sample(host) = self.origin else { return Ok(true) };
        self.title("booting the migrated machine")?;
        let root = self.folder.join(&self.target.key);
        let disks = boot_disks(plan, &root);
        let log = self.folder.join(format!("serial-{}.log", self.target.key));
        let result = guest::boot(&disks, self.target.qemu_format, &log)
            .map_err(|error| Failure::failed("The migrated machine could not be booted.").caused_by(error))?;
        let (good, text) = match result {
            Boot::Printed(text) if text == host.expected_serial => {
                (true, format!("{text}This is what the source disks say.\n"))
            }
            Boot::Printed(text) => {
                (false, format!("It printed\n{text}\nbut the source disks say\n{}\n", host.expected_serial))
            }
            Boot::Skipped(why) => (true, format!("skipped: {why}\n")),
            Boot::Failed(why) => (false, format!("FAILED: {why}\n")),
        };
        self.say(&text.replace('\r', ""))?;
        Ok(good)
    }

    fn report(&self) -> Result<(), Failure> {
        self.title("the report")?;
        let document = self.document()?;
        let written = report::write(&document, &self.folder.join(format!("report-{}", self.target.key)))?;
        self.say(&render::text::report(&document))?;
        for path in written {
            self.say(&format!("Written: {}\n", path.display()))?;
        }
        Ok(())
    }
}

/// The disks of the machine that boots, in the order in which its BIOS numbers them.
fn boot_disks(plan: &Plan, root: &Path) -> Vec<PathBuf> {
    let machines = plan.role.machines.iter().filter(|machine| machine.id.as_str() == ids::BOOT.0);
    let mut disks: Vec<_> =
        machines.flat_map(|machine| &machine.disks).filter(|disk| disk.checkpoint.is_none()).collect();
    disks.sort_by_key(|disk| (disk.number, disk.slot));
    disks.iter().map(|disk| root.join(&disk.target)).collect()
}
