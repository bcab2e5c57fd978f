//! The files of a host that runs, for the scripts that read them: the classes of .NET for files and `fsutil` of Windows, over a
//! folder of this computer with the drives of a sample host. It answers in the place of PowerShell behind a server of Windows
//! Remote Management, one line of JSON for one, as [`crate::hyperv_host::Served`] does; whatever changes something is a fault.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::UNIX_EPOCH;

use serde_json::{Value as Json, json};

use crate::hyperv_host::argument;
use crate::powershell::{Cache, Call, Computer, ListKind, Object, Run, Shell, Signature, Stop, Value, fault, thrown};

const FILE: &str = "System.IO.FileStream";
const TIME: &str = "System.DateTime";
/// Seconds from 1601 to 1970.
const EPOCH: u64 = 11_644_473_600;

/// A host whose files can be read.
pub struct FilesOfHost {
    port: u16,
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl FilesOfHost {
    /// Serves the drives below a folder, `C`, `D` and so on.
    pub fn start(root: &Path) -> io::Result<FilesOfHost> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let held = Arc::<Mutex<BTreeSet<String>>>::default();
        let (root, known) = (root.to_owned(), Arc::clone(&held));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let computer = Disks { root: root.clone(), held: Arc::clone(&known) };
                thread::spawn(move || answer(&connection, computer));
            }
        });
        Ok(FilesOfHost { port, held })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A program opens a file for itself.
    pub fn hold(&self, path: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_uppercase());
    }
}

/// Answers one connection until it ends.
fn answer(connection: &TcpStream, mut computer: Disks) {
    let mut writer = connection;
    let cache = Cache::default();
    for line in BufReader::new(connection).lines() {
        let Some(request) = line.ok().and_then(|line| serde_json::from_str::<Json>(&line).ok()) else { return };
        let text = request["script"].as_str().unwrap_or_default();
        let arguments: Option<Vec<(String, Value)>> =
            request["arguments"].as_array().into_iter().flatten().map(argument).collect();
        let (result, warnings) = Shell::new(&mut computer, &cache).run_script(text, arguments.unwrap_or_default());
        let (output, error) = match result {
            Ok(values) => (values, None),
            Err(Stop::Throw(message)) => (Vec::new(), Some(message)),
            Err(other) => (Vec::new(), Some(format!("{other:?}"))),
        };
        let text = |value: &Value| value.text().unwrap_or_else(|_| value.kind());
        let output: Vec<String> = output.iter().map(text).collect();
        let answer = json!({"output": output, "warnings": warnings, "error": error});
        if writer.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// The computer that the scripts see.
struct Disks {
    root: PathBuf,
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl Disks {
    /// The file or folder here, links not followed.
    fn here(&self, path: &str) -> Run<(PathBuf, fs::Metadata)> {
        let missing = || Stop::Throw(format!("Could not find a part of the path '{path}'."));
        let Some((letter, rest)) = path.split_once(':').filter(|(letter, _)| letter.len() == 1) else {
            return fault(format!("the path '{path}' without a drive"));
        };
        let mut at = self.root.join(letter.to_uppercase());
        for name in rest.split('\\').filter(|name| !name.is_empty()) {
            if matches!(name, "." | "..") {
                return fault(format!("the path '{path}' with dots"));
            }
            at = at.join(name);
        }
        let metadata = fs::symlink_metadata(&at).map_err(|_| missing())?;
        Ok((at, metadata))
    }

    fn entries(&self, path: &str) -> Run<Value> {
        let (here, metadata) = self.here(path)?;
        if !metadata.is_dir() {
            return thrown("The directory name is invalid.");
        }
        let entries = fs::read_dir(here).map_err(|error| Stop::Fault(error.to_string()))?;
        let mut names: Vec<String> =
            entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
        // As NTFS has them.
        names.sort_by_key(|name| name.to_uppercase());
        let folder = path.trim_end_matches('\\');
        Ok(Value::texts(names.iter().map(|name| format!("{folder}\\{name}"))))
    }

    fn info(&self, path: &str) -> Run<Value> {
        let (_, metadata) = self.here(path)?;
        let number = match (metadata.is_symlink(), metadata.is_dir()) {
            (true, _) => 0x420,
            (_, true) => 0x10,
            _ => 0x20,
        };
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default();
        let ticks = (modified.as_secs() + EPOCH) * 10_000_000 + u64::from(modified.subsec_nanos() / 100);
        let mut info = Object::new("System.IO.FileInfo", path)
            .with("Attributes", Value::word("System.IO.FileAttributes", "Archive", number))
            .with("LastWriteTimeUtc", Object::new(TIME, &ticks.to_string()).value());
        if !metadata.is_dir() {
            info = info.with("Length", if metadata.is_symlink() { 0 } else { metadata.len() });
        }
        Ok(info.value())
    }

    fn open(&self, path: &str, share: &Value) -> Run<Value> {
        let share = match share {
            Value::Word(word) => word.number,
            other => return fault(format!("{} as the sharing of a file", other.kind())),
        };
        // Others who have it open for writing or for removing would have been refused else.
        if share != 7 {
            return fault(format!("a file that is opened with the sharing {share}"));
        }
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).contains(&path.to_uppercase()) {
            return thrown(format!(
                "The process cannot access the file '{path}' because it is being used by another process."
            ));
        }
        let (_, metadata) = self.here(path)?;
        if metadata.is_dir() {
            return thrown(format!("Access to the path '{path}' is denied."));
        }
        let length = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
        let file = Object::new(FILE, path).with("Position", Value::Long(0)).with("Length", Value::Long(length));
        Ok(file.value())
    }

    /// Fills a part of an array of bytes; how much that was.
    fn read(&self, file: &Rc<RefCell<Object>>, (list, from, count): (&Value, &Value, &Value)) -> Run<Value> {
        let number = |value: &Value| value.integer().ok().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let (path, at) = {
            let file = file.borrow();
            (file.id.clone(), file.get("Position").map_or(0, number))
        };
        let Value::List(list) = list else { return fault(format!("FileStream.Read into {}", list.kind())) };
        if list.kind != ListKind::Bytes {
            return fault("FileStream.Read into a list that is no array of bytes");
        }
        let bytes = fs::read(self.here(&path)?.0).map_err(|error| Stop::Fault(error.to_string()))?;
        let rest = bytes.get(at.min(bytes.len())..).unwrap_or_default();
        let rest = rest.get(..number(count).min(rest.len())).unwrap_or_default();
        let mut items = list.items.borrow_mut();
        let Some(items) = items.get_mut(number(from)..).filter(|items| items.len() >= rest.len()) else {
            return thrown("Offset and length were out of bounds for the array.");
        };
        for (item, byte) in items.iter_mut().zip(rest) {
            *item = Value::Int(i32::from(*byte));
        }
        if let Some(position) = file.borrow_mut().get_mut("Position") {
            *position = Value::Long(i64::try_from(at + rest.len()).unwrap_or(i64::MAX));
        }
        Ok(Value::Int(i32::try_from(rest.len()).unwrap_or(i32::MAX)))
    }

    /// `fsutil reparsepoint query` of a symbolic link, as it was seen on Windows Server 2008 R2 and later: [MS-FSCC] 2.1.2.4.
    fn reparse_point(&self, path: &str) -> Run<Vec<Value>> {
        let (here, _) = self.here(path)?;
        let Ok(target) = fs::read_link(here) else {
            return Ok(vec![Value::from("Error:  The file or directory is not a reparse point.")]);
        };
        let target = target.to_string_lossy().into_owned();
        let is_relative = !target.contains(':');
        let shown = crate::bytes::utf16le(&target);
        let own = if is_relative { shown.clone() } else { crate::bytes::utf16le(&format!(r"\??\{target}")) };
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
        let mut data = Vec::new();
        for part in [[0; 2], length(&own), length(&own), length(&shown)] {
            data.extend(part);
        }
        data.extend(u32::from(is_relative).to_le_bytes());
        data.extend(own.iter().chain(&shown));
        let mut lines = vec![
            "Reparse Tag Value : 0xa000000c".to_owned(),
            "Tag value: Microsoft".to_owned(),
            "Tag value: Name Surrogate".to_owned(),
            "Tag value: Symbolic Link".to_owned(),
            String::new(),
            format!("Reparse Data Length: 0x{:08x}", data.len()),
            "Reparse Data:".to_owned(),
        ];
        for (number, row) in data.chunks(16).enumerate() {
            let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            let (left, right) = digits.split_at(digits.len().min(8));
            let shown: String =
                row.iter().map(|byte| if (0x20..0x7F).contains(byte) { char::from(*byte) } else { '.' }).collect();
            lines.push(format!("{:04x}:  {:<24} {:<24} {shown}", number * 16, left.join(" "), right.join(" ")));
        }
        Ok(lines.into_iter().map(Value::from).collect())
    }
}

/// The HRESULT of an exception, by what it says.
fn number_of(message: &str) -> i32 {
    let code: u32 = match message {
        message if message.contains("being used by another process") => 0x8007_0020,
        message if message.contains("Could not find a part") => 0x8007_0003,
        message if message.contains("Could not find file") => 0x8007_0002,
        message if message.contains("is denied") => 0x8007_0005,
        _ => 0x8013_1620,
    };
    code.cast_signed()
}

impl Computer for Disks {
    fn signature(&self, _: &str) -> Option<Rc<Signature>> {
        None
    }

    fn words(&self, _: &str) -> Option<&'static [(&'static str, i64)]> {
        None
    }

    fn fits(&self, kind: &str, class: &str) -> bool {
        kind == class
    }

    fn asks(&self, _: &Call) -> bool {
        false
    }

    fn run(&mut self, call: &Call) -> Run<Vec<Value>> {
        fault(format!("the command {}", call.name))
    }

    fn program(&mut self, name: &str, arguments: &[String]) -> Option<Run<Vec<Value>>> {
        match (name, arguments) {
            ("fsutil.exe", [one, two, path]) if one == "reparsepoint" && two == "query" => {
                Some(self.reparse_point(path))
            }
            _ => None,
        }
    }

    fn call_static(&mut self, kind: &str, method: &str, arguments: &[Value]) -> Run<Value> {
        match (kind, method.to_ascii_lowercase().as_str(), arguments) {
            ("io.directory", "getfilesystementries", [Value::Text(path)]) => self.entries(path),
            ("io.file", "open", [Value::Text(path), Value::Word(mode), Value::Word(access), share])
                if mode.name == "Open" && access.name == "Read" =>
            {
                self.open(path, share)
            }
            ("runtime.interopservices.marshal", "gethrforexception", [Value::Object(thrown)]) => {
                Ok(Value::Int(number_of(&thrown.borrow().text.clone().unwrap_or_default())))
            }
            _ => fault(format!("[{kind}]::{method} with these arguments")),
        }
    }

    fn static_member(&mut self, kind: &str, member: &str) -> Run<Value> {
        match kind {
            "io.filemode" | "io.fileaccess" => Ok(Value::word(kind, member, 0)),
            _ => fault(format!("[{kind}]::{member}")),
        }
    }

    fn call_method(&mut self, target: &Rc<RefCell<Object>>, method: &str, arguments: &[Value]) -> Run<Value> {
        let (class, id) = {
            let object = target.borrow();
            (object.class.clone(), object.id.clone())
        };
        match (class.as_str(), method.to_ascii_lowercase().as_str(), arguments) {
            (FILE, "read", [list, from, count]) => self.read(target, (list, from, count)),
            (FILE, "dispose", []) => Ok(Value::Type("void".into())),
            (TIME, "tofiletimeutc", []) => Ok(Value::Long(id.parse().unwrap_or(0))),
            _ => fault(format!("the method {method} of {class}")),
        }
    }

    fn construct(&mut self, kind: &str, arguments: &[Value]) -> Run<Value> {
        match (kind, arguments) {
            ("io.fileinfo", [Value::Text(path)]) => self.info(path),
            ("io.fileshare", [Value::Text(words)]) => {
                let number = |word: &str| match word {
                    "ReadWrite" => Some(3),
                    "Delete" => Some(4),
                    _ => None,
                };
                match words.split(',').map(|word| number(word.trim())).sum::<Option<i64>>() {
                    Some(number) => Ok(Value::word("System.IO.FileShare", words, number)),
                    None => fault(format!("the sharing '{words}'")),
                }
            }
            _ => fault(format!("an object of the type {kind} from these arguments")),
        }
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn script(&mut self, path: &str) -> Run<Rc<str>> {
        fault(format!("the script '{path}'"))
    }
}
