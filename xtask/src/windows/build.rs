//! The Windows program and what runs it. rustup's toolchain of a machine without the network has no other target, but Debian
//! has the source of the standard library beside a compiler, from which cargo builds it for any.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::target;
use crate::run::{at, is_there, output};

/// Windows 7 and Server 2008 R2 and all later ones.
const TARGET: &str = "x86_64-win7-windows-gnu";
const LINKER: &str = "x86_64-w64-mingw32-gcc";
/// The compiler whose standard library is there as source.
const RUSTC: &str = "/usr/bin/rustc";
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/std/src/lib.rs";

/// The first thing that is not there.
pub fn missing() -> Option<String> {
    if let Some(program) = [LINKER, "wine", RUSTC, LIBRARY].into_iter().find(|program| !is_there(program)) {
        return Some(program.to_owned());
    }
    // Debian's usual compiler is older than this program may be built with.
    let wanted = env!("CARGO_PKG_RUST_VERSION").split('.').map(str::parse::<u32>);
    let version = output(RUSTC, &["--version"]).unwrap_or_default();
    let found = version.split(' ').nth(1).unwrap_or_default().split('.').map(str::parse::<u32>);
    let older = found.map(Result::unwrap_or_default).lt(wanted.map(Result::unwrap_or_default));
    older.then(|| format!("a compiler of {} or later as '{RUSTC}'", env!("CARGO_PKG_RUST_VERSION")))
}

/// Builds hvmigrate.exe, by a profile of Cargo.toml and with cargo's options for features.
pub fn program(profile: &str, features: &[&str]) -> Result<PathBuf, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(&cargo)
        .args(["build", "--quiet", "--locked", "--profile", profile, "--package", "hvmigrate", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort")
        .args(features)
        .current_dir(crate::root())
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_X86_64_WIN7_WINDOWS_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_DIR", target())
        .env_remove("RUSTUP_TOOLCHAIN")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("'{cargo}' could not be started: {error}"))?;
    if !status.success() {
        return Err(format!("hvmigrate.exe was not built: cargo ended with {status}"));
    }
    Ok(target().join(TARGET).join(profile).join("hvmigrate.exe"))
}

/// Wine with a Windows of its own, in the target folder.
#[derive(Debug)]
pub struct Wine {
    prefix: PathBuf,
    /// A command interpreter that waits. Wine's services are started with the first program and end after the last one; they
    /// would hold the pipes of each program that is run alone, and be started anew for the next.
    waits: Option<Child>,
}

impl Wine {
    /// A command that runs `program`.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.of("wine");
        command.arg(program);
        command
    }

    /// Where its drive C: is.
    pub fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }

    /// Ends what Wine has left running.
    pub fn close(&mut self) -> Result<(), String> {
        if let Some(mut waits) = self.waits.take() {
            drop(waits.kill().and_then(|()| waits.wait()));
        }
        let ended = self.of("wineserver").args(["--kill", "--wait"]).stdin(Stdio::null()).status();
        ended.map(drop).map_err(|error| format!("wineserver could not be started: {error}"))
    }

    fn of(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        // Without a locale Wine takes names for ASCII.
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env("LC_ALL", "C.UTF-8").env_remove("DISPLAY");
        command
    }
}

/// Makes Wine's Windows where it is not there yet.
pub fn wine() -> Result<Wine, String> {
    let mut wine = Wine { prefix: target().join("wine"), waits: None };
    let missing = |error| format!("wine could not be started: {error}");
    if !wine.prefix.join("system.reg").is_file() {
        std::fs::create_dir_all(&wine.prefix).map_err(at(&wine.prefix))?;
        let made = wine.of("wine").args(["wineboot", "--init"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        let made = made.map_err(missing)?;
        if !made.success() {
            return Err(format!("'wine wineboot --init' ended with {made}"));
        }
    }
    let mut waits = wine.of("wine");
    waits.arg("cmd").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    wine.waits = Some(waits.spawn().map_err(missing)?);
    Ok(wine)
}
