//! Two programs that do the same in one folder, one after the other, and what is not alike.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::build::Wine;
use crate::run::at;

/// What is measured, and so never twice the same.
const MEASURED: [&str; 6] = ["seconds", "read_rate", "write_rate", "downtime_seconds", "basis", "bytes_read"];

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// That of this system.
    Here,
    /// hvmigrate.exe.
    Windows,
}

impl Program {
    /// Both, in the order in which they are run.
    pub const BOTH: [Program; 2] = [Program::Here, Program::Windows];

    fn name(self) -> &'static str {
        match self {
            Program::Here => "here",
            Program::Windows => "windows",
        }
    }
}

/// What a run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    what: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// Its standard output, when it ended well.
    pub fn done(self) -> Result<String, String> {
        self.ended(0)
    }

    /// Its standard output, when it ended with this code.
    pub fn ended(self, code: i32) -> Result<String, String> {
        if self.code == Some(code) { Ok(self.out) } else { Err(format!("{code} was expected: {self:#?}")) }
    }
}

/// What was compared.
#[derive(Debug, Default)]
pub struct Score {
    /// How many answers and files.
    pub compared: usize,
    /// What is not alike.
    pub lines: Vec<String>,
}

/// Both programs and their folder.
pub struct Pair {
    folder: PathBuf,
    here: PathBuf,
    exe: PathBuf,
    wine: Wine,
    score: Score,
}

impl Pair {
    /// In a new folder: the program of this system, hvmigrate.exe, and what runs it.
    pub fn new(folder: &Path, (here, exe, wine): (PathBuf, PathBuf, Wine)) -> Result<Pair, String> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let folder = folder.canonicalize().map_err(at(folder))?;
        Ok(Pair { folder, here, exe, wine, score: Score::default() })
    }

    /// Removes the folder, and says what was not alike.
    pub fn close(mut self) -> Result<Score, String> {
        self.wine.close()?;
        fs::remove_dir_all(&self.folder).map_err(at(&self.folder))?;
        Ok(self.score)
    }

    /// Runs one of them to its end.
    pub fn run(&self, program: Program, args: &[&str]) -> Result<Ran, String> {
        let output = self.command(program, args).output().map_err(|error| format!("{program:?}: {error}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|error| format!("{program:?} {args:?}: {error}"));
        let what = format!("{}: {}", program.name(), args.join(" "));
        Ok(Ran { what, code: output.status.code(), out: text(output.stdout)?, err: text(output.stderr)? })
    }

    /// Has both do what leaves no files, and compares all that they say: commands with the code that each ends with, two at a time.
    pub fn alike(&mut self, asked: &[(i32, &[&str])]) -> Result<(), String> {
        for few in asked.chunks(2) {
            let (pair, both) = (&*self, Program::BOTH);
            let ran: Vec<Result<Vec<Ran>, String>> = thread::scope(|scope| {
                let run = |args| scope.spawn(move || both.into_iter().map(|program| pair.run(program, args)).collect());
                let begun: Vec<_> = few.iter().map(|(_, args)| run(*args)).collect();
                begun.into_iter().map(|one| one.join().expect("running a program does not panic")).collect()
            });
            for ((code, args), ran) in few.iter().zip(ran) {
                let ran = ran?;
                if let Some(other) = ran.iter().find(|ran| ran.code != Some(*code)) {
                    return Err(format!("the exit code {code} was expected: {other:#?}"));
                }
                let told: Vec<_> = ran.iter().map(|ran| vec![self.told(&ran.out), self.told(&ran.err)]).collect();
                self.compare(&args.join(" "), &told[0].join("\n"), &told[1].join("\n"));
            }
        }
        Ok(())
    }

    /// Has both make something in the folder `out`, and compares its files and what they say.
    pub fn makes(&mut self, args: &[&str], out: &str) -> Result<(), String> {
        let mut told = Vec::new();
        for program in Program::BOTH {
            self.folder(out)?;
            told.push(vec![self.run(program, args)?.done()?]);
            self.keep(program, &[out])?;
        }
        self.told_alike(&args.join(" "), &told)?;
        self.kept_alike(out)
    }

    /// Compares what both said: the answers of the one, then those of the other.
    pub fn told_alike(&mut self, what: &str, told: &[Vec<String>]) -> Result<(), String> {
        let [here, windows] = told else { return Err(format!("{what}: not two programs")) };
        for (here, windows) in here.iter().zip(windows) {
            let (here, windows) = (self.told(here), self.told(windows));
            self.compare(what, &here, &windows);
        }
        Ok(())
    }

    /// Copies a folder of the source's drive C: to that of Wine.
    pub fn give(&self, folder: &str) -> Result<(), String> {
        let (from, to) = (self.folder.join("source/C").join(folder), self.wine.drive().join(folder));
        fs::create_dir_all(&to).map_err(at(&to))?;
        let copied = Command::new("cp").arg("-r").arg(from.join(".")).arg(&to).status();
        match copied {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("'{}' was not copied: {other:?}", from.display())),
        }
    }

    /// Puts aside what a program made.
    pub fn keep(&self, program: Program, made: &[&str]) -> Result<(), String> {
        made.iter().try_for_each(|made| self.rename(made, &kept(program, made)))
    }

    /// Brings it back.
    pub fn take(&self, program: Program, made: &[&str]) -> Result<(), String> {
        made.iter().try_for_each(|made| self.rename(&kept(program, made), made))
    }

    /// Compares the files of what both made and was put aside, byte by byte.
    pub fn kept_alike(&mut self, made: &str) -> Result<(), String> {
        let [here, windows] = Program::BOTH.map(|program| self.folder.join(kept(program, made)));
        let [here, windows] = [files(&here)?, files(&windows)?];
        let [names, others] = [&here, &windows].map(|files| files.keys().cloned().collect::<Vec<_>>().join("\n"));
        self.compare(&format!("names below '{made}'"), &names, &others);
        // A page is the document beside it, with the times.
        for (name, file) in here.iter().filter(|(name, _)| !name.ends_with(".html")) {
            let Some(other) = windows.get(name) else { continue };
            let [one, two] = [fs::read(file).map_err(at(file))?, fs::read(other).map_err(at(other))?];
            self.score.compared += 1;
            if one == two {
                continue;
            }
            match (self.document(&one), self.document(&two)) {
                (Some(one), Some(two)) => self.compare(name, &one, &two),
                _ => self.score.lines.push(format!("'{name}': other bytes")),
            }
        }
        Ok(())
    }

    /// Kills hvmigrate.exe as soon as there is a file below `folder`.
    pub fn killed(&self, args: &[&str], folder: &Path) -> Result<(), String> {
        let folder = self.folder.join(folder);
        let mut child = self.command(Program::Windows, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.as_mut().map_err(|error| format!("wine could not be started: {error}"))?;
        let start = Instant::now();
        while files(&folder).map_or(0, |files| files.len()) == 0 {
            if child.try_wait().map_err(|error| error.to_string())?.is_some()
                || start.elapsed() > Duration::from_secs(120)
            {
                return Err(format!("hvmigrate.exe {args:?} was not at work when it was to be killed"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        child.kill().and_then(|()| child.wait()).map(drop).map_err(|error| error.to_string())
    }

    /// The disks below a folder.
    pub fn disks(&self, folder: &str) -> Result<Vec<String>, String> {
        let names = files(&self.folder.join(folder))?.into_keys();
        let disk = |name: &String| [".vhd", ".avhd"].iter().any(|end| name.to_lowercase().ends_with(end));
        Ok(names.filter(disk).map(|name| format!("{folder}/{name}")).collect())
    }

    /// Puts in the place of each link what it leads to on the sample host's drives: Wine has no links of Windows.
    pub fn without_links(&self, source: &str) -> Result<(), String> {
        let source = self.folder.join(source);
        for link in files(&source)?.into_values().filter(|file| file.is_symlink()) {
            let target =
                fs::read_link(&link).map_err(at(&link))?.to_string_lossy().replace('\\', "/").replace(":/", "/");
            fs::remove_file(&link).map_err(at(&link))?;
            fs::copy(source.join(&target), &link).map_err(at(&link))?;
        }
        Ok(())
    }

    /// Makes a folder.
    pub fn folder(&self, name: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).map_err(at(&path))
    }

    /// Removes a folder.
    pub fn remove(&self, name: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        if path.exists() { fs::remove_dir_all(&path).map_err(at(&path)) } else { Ok(()) }
    }

    /// Requires that nothing is there.
    pub fn gone(&self, name: &str) -> Result<(), String> {
        let left = files(&self.folder.join(name)).unwrap_or_default();
        if left.is_empty() { Ok(()) } else { Err(format!("'{name}' was not taken back: {:?}", left.keys())) }
    }

    fn command(&self, program: Program, args: &[&str]) -> Command {
        let mut command = match program {
            Program::Here => Command::new(&self.here),
            Program::Windows => self.wine.command(&self.exe),
        };
        command.args(args).current_dir(&self.folder).stdin(Stdio::null());
        command.env("USER", "operator").env("USERNAME", "operator").env("NO_COLOR", "1").env_remove("COLUMNS");
        command
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), String> {
        let (from, to) = (self.folder.join(from), self.folder.join(to));
        self.remove(&to.to_string_lossy())?;
        fs::rename(&from, &to).map_err(at(&from))
    }

    fn compare(&mut self, what: &str, here: &str, windows: &str) {
        self.score.compared += 1;
        if here != windows {
            let differs = here.lines().zip(windows.lines()).find(|(one, two)| one != two);
            let (one, two) = differs.unwrap_or(("(its end)", "(its end)"));
            self.score.lines.push(format!("{what}\n  here     {one}\n  windows  {two}"));
        }
    }

    /// An answer without what may differ: separators, the folder, what is measured.
    fn told(&self, text: &str) -> String {
        self.document(text.as_bytes()).unwrap_or_else(|| self.plain(text))
    }

    /// The same of a document in JSON.
    fn document(&self, bytes: &[u8]) -> Option<String> {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        strip(&mut value);
        Some(self.plain(&format!("{value:#}")))
    }

    fn plain(&self, text: &str) -> String {
        let folder = format!("{}/", self.folder.display());
        // A quote within quotes, as a POSIX shell wants it.
        let mut text = text.replace(r"'\''", "").replace('\\', "/");
        while text.contains("//") {
            text = text.replace("//", "/");
        }
        let text: String = text.split_inclusive('\n').map(without_reason).collect();
        text.replace("Z:/", "/").replace(&folder, "").replace("hvmigrate.exe", "hvmigrate").replace(['\'', '"'], "")
    }
}

/// A line without the words of the system for what went wrong, which are its own.
fn without_reason(line: &str) -> String {
    let cut = line.split_once(" (os error ").and_then(|(before, _)| before.rsplit_once(": "));
    cut.map_or_else(|| line.to_owned(), |(before, _)| format!("{before}: …\n"))
}

/// Takes out of a document what is measured.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // The hash of a plan, in which all of that is.
            let hash = |key: &str, value: &Value| key == "plan" && value.is_string();
            map.retain(|key, value| !MEASURED.contains(&key.as_str()) && !is_now(value) && !hash(key, value));
            map.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Whether it is a time of the run itself, such as `2026-11-29T11:02:10Z`.
fn is_now(value: &Value) -> bool {
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    value.as_str().is_some_and(|text| shape(text) == "0000-00-00T00:00:00Z")
}

fn kept(program: Program, made: &str) -> String {
    format!("{made} of {}", program.name())
}

/// All files below a folder by their names there.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(at(&next))? {
            let path = entry.map_err(at(&next))?.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                found.insert(name, path);
            }
        }
    }
    Ok(found)
}
