//! The machine on which figures were made.

use std::fs;

use crate::run::output;

/// What matters of it.
pub struct Machine {
    processor: String,
    cores: usize,
    memory: u64,
    kernel: String,
    load: String,
}

impl Machine {
    /// This machine, before it is busy with us.
    pub fn look() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (processors, memory) = (text("/proc/cpuinfo"), text("/proc/meminfo"));
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let kib = field(&memory, "MemTotal").split(' ').next().and_then(|number| number.parse::<u64>().ok());
        Machine {
            processor: field(&processors, "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: kib.unwrap_or(0) >> 20,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: text("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }

    /// Lines for a page.
    pub fn describe(&self) -> String {
        let first = |program: &str, flag: &str| {
            let text = output(program, &[flag]).unwrap_or_default();
            text.lines().next().unwrap_or_default().to_owned()
        };
        format!(
            "{} × {}, {} GiB of memory, Linux {}; load before the first row: {} (a quiet machine has less than 0.5).\n\
             hvmigrate {} (commit {}), {}, {}.\n",
            self.cores,
            self.processor,
            self.memory,
            self.kernel,
            self.load,
            env!("CARGO_PKG_VERSION"),
            output("git", &["describe", "--always", "--dirty"]).unwrap_or_default().trim(),
            first("rustc", "--version"),
            first("qemu-img", "--version"),
        )
    }
}
