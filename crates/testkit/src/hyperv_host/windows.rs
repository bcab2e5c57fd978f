//! Windows beside Hyper-V: services, features, groups, and the classes of .NET that touch the computer.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Host, streams};
use crate::powershell::{Call, Descriptor, Object, Run, Value, fault, thrown};

impl Host {
    pub(super) fn get_feature(&mut self, call: &Call) -> Run<Vec<Value>> {
        match call.texts("Name").as_deref() {
            Some([name]) if name == "Hyper-V" => {
                Ok(vec![Object::new("Feature", name).with("Name", name.as_str()).with("Installed", true).value()])
            }
            _ => fault("Get-WindowsFeature of something else than Hyper-V"),
        }
    }

    fn service(call: &Call) -> Run<()> {
        match call.texts("Name").as_deref() {
            Some([name]) if name.eq_ignore_ascii_case("vmms") => Ok(()),
            _ => fault(format!("{} of another service than vmms", call.name)),
        }
    }

    pub(super) fn get_service(&mut self, call: &Call) -> Run<Vec<Value>> {
        Host::service(call)?;
        let running = Value::word("ServiceControllerStatus", "Running", 4);
        Ok(vec![Object::new("ServiceController", "vmms").with("Name", "vmms").with("Status", running).value()])
    }

    pub(super) fn restart_service(&mut self, call: &Call) -> Run<Vec<Value>> {
        Host::service(call)?;
        self.change()?;
        self.state.service_starts += 1;
        Ok(Vec::new())
    }

    /// Network interfaces that are on their way come nearer.
    pub(super) fn sleep(&mut self, _: &Call) -> Run<Vec<Value>> {
        for interface in &mut self.state.interfaces {
            let waits = if interface.appears_in > 0 { &mut interface.appears_in } else { &mut interface.ip_in };
            *waits = waits.saturating_sub(1);
        }
        Ok(Vec::new())
    }

    pub(super) fn start_transcript(&mut self, call: &Call) -> Run<Vec<Value>> {
        let path = call.text("Path").unwrap_or_default();
        self.append(&path, "transcript\r\n")?;
        Ok(vec![Value::from("Transcript started.")])
    }

    pub(super) fn import_module(&mut self, call: &Call) -> Run<Vec<Value>> {
        match call.texts("Name").as_deref() {
            Some([name]) if name == "Hyper-V" => Ok(Vec::new()),
            _ => thrown(format!("Import-Module: the module {:?} is not there.", call.texts("Name"))),
        }
    }

    pub(super) fn get_module(&mut self, call: &Call) -> Run<Vec<Value>> {
        let names = call.texts("Name").unwrap_or_default();
        let known = names.iter().filter(|name| name.as_str() == "Hyper-V");
        Ok(known.map(|name| Object::new("PSModuleInfo", name).with("Name", name).value()).collect())
    }

    fn group(call: &Call) -> Run<String> {
        match call.text("SID") {
            Some(sid) if sid == "S-1-5-32-578" => Ok(sid),
            Some(sid) => thrown(format!("{} -SID {sid}: there is no such group.", call.name)),
            // Names of groups are translated with Windows.
            None => thrown(format!("{}: a group is named by its SID.", call.name)),
        }
    }

    pub(super) fn add_member(&mut self, call: &Call) -> Run<Vec<Value>> {
        let group = Host::group(call)?;
        for member in call.texts("Member").unwrap_or_default() {
            if self.state.groups.get(&group).is_some_and(|members| members.contains(&member)) {
                return thrown(format!("Add-LocalGroupMember: {member} is already a member."));
            }
            self.change()?;
            self.state.groups.entry(group.clone()).or_default().push(member);
        }
        Ok(Vec::new())
    }

    pub(super) fn get_members(&mut self, call: &Call) -> Run<Vec<Value>> {
        let members = self.state.groups.get(&Host::group(call)?).cloned().unwrap_or_default();
        let object = |member: &String| {
            let sid = Object { text: Some(member.clone()), ..Object::new("SecurityIdentifier", member) };
            Object::new("LocalPrincipal", member).with("Name", member).with("SID", sid.value()).value()
        };
        Ok(members.iter().map(object).collect())
    }

    pub(super) fn remove_member(&mut self, call: &Call) -> Run<Vec<Value>> {
        let group = Host::group(call)?;
        for member in call.texts("Member").unwrap_or_default() {
            self.change()?;
            let members = self.state.groups.entry(group.clone()).or_default();
            match members.iter().position(|known| *known == member) {
                Some(place) => members.remove(place),
                None => return thrown(format!("Remove-LocalGroupMember: {member} is no member.")),
            };
        }
        Ok(Vec::new())
    }

    /// A text at the end of a file.
    fn append(&mut self, path: &str, text: &str) -> Run<()> {
        let before = self.files.read(path).unwrap_or_default().to_vec();
        self.write_after(path, before, text.as_bytes())
    }

    /// A file of what was there before and what comes after it. A host that goes off in the middle leaves half of the latter.
    fn write_after(&mut self, path: &str, before: Vec<u8>, after: &[u8]) -> Run<()> {
        let change = self.change();
        let written = if change.is_ok() { after.len() } else { after.len() / 2 };
        let bytes = [before.as_slice(), after.get(..written).unwrap_or_default()].concat();
        if let Err(message) = self.files.write(path, bytes) {
            return thrown(message);
        }
        change
    }

    pub(super) fn write(&mut self, path: &str, bytes: Vec<u8>) -> Run<Value> {
        self.change()?;
        match self.files.write(path, bytes) {
            Ok(()) => Ok(Value::Type("void".into())),
            Err(message) => thrown(message),
        }
    }

    pub(super) fn bytes(&self, path: &str) -> Run<Vec<u8>> {
        match self.files.read(path) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => thrown(format!("Could not find file '{path}'.")),
        }
    }

    pub(super) fn read_text(&self, path: &str) -> Run<String> {
        match String::from_utf8(self.bytes(path)?) {
            Ok(text) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
            Err(_) => fault(format!("{path} is no UTF-8")),
        }
    }

    pub(super) fn static_call(&mut self, kind: &str, method: &str, arguments: &[Value]) -> Run<Value> {
        if let Some(result) = Self::parse_address(kind, method, arguments) {
            return result;
        }
        match (kind, method, arguments) {
            ("io.file", method, arguments) => self.file_call(method, arguments),
            ("io.directory", "exists", [Value::Text(path)]) => {
                let drive = ["C:", "D:"].contains(&path.trim_end_matches('\\').to_uppercase().as_str());
                Ok(Value::Bool(drive || self.files.has_folder(path)))
            }
            ("io.directory", method, arguments) => self.folder_call(method, arguments),
            ("io.path", "gettempfilename", []) => {
                let path = format!(r"C:\Windows\Temp\tmp{:04X}.tmp", self.next_number());
                self.files.create_folder(r"C:\Windows\Temp");
                self.write(&path, Vec::new())?;
                Ok(Value::from(path))
            }
            ("security.principal.windowsidentity", "getcurrent", []) => Ok(Object::new("WindowsIdentity", "").value()),
            _ => fault(format!("[{kind}]::{method} with these arguments")),
        }
    }

    /// A method of `System.IO.Directory`.
    fn folder_call(&mut self, method: &str, arguments: &[Value]) -> Run<Value> {
        match (method, arguments) {
            ("createdirectory", [Value::Text(path), security @ ..]) if security.len() < 2 => {
                let security = security.first().map(Descriptor::of).transpose()?;
                // One that is there stays as it is, with the security that it has.
                if !self.files.has_folder(path) {
                    self.change()?;
                    match security {
                        Some(security) => self.files.create_folder_with(path, &security),
                        None => self.files.create_folder(path),
                    }
                }
                Ok(Object::new("System.IO.DirectoryInfo", path).value())
            }
            ("getaccesscontrol", [Value::Text(path)]) => match self.files.security(path) {
                Some(security) => Ok(security.value()),
                None => thrown(format!("Could not find a part of the path '{path}'.")),
            },
            ("delete", [Value::Text(path), ..]) if !self.files.has_folder(path) => {
                thrown(format!("Could not find a part of the path '{path}'."))
            }
            ("getfilesystementries", [Value::Text(path)]) => Ok(Value::texts(self.files.entries(path))),
            ("delete", [Value::Text(path)]) if self.files.entries(path).is_empty() => self.remove_tree(path),
            ("delete", [Value::Text(path)]) => thrown(format!("The directory '{path}' is not empty.")),
            ("delete", [Value::Text(path), Value::Bool(true)]) => self.remove_tree(path),
            _ => fault(format!("[io.directory]::{method} with these arguments")),
        }
    }

    /// Attributes of a file or a folder.
    fn attributes(&self, path: &str) -> Run<Value> {
        let kind = "System.IO.FileAttributes";
        match (self.files.is_link(path), self.files.has_folder(path), self.files.read(path)) {
            (true, ..) => Ok(Value::word(kind, "Directory, ReparsePoint", 0x410)),
            (_, true, _) => Ok(Value::word(kind, "Directory", 0x10)),
            (.., Some(_)) => Ok(Value::word(kind, "Archive", 0x20)),
            _ => thrown(format!("Could not find file '{path}'.")),
        }
    }

    fn remove_tree(&mut self, path: &str) -> Run<Value> {
        self.change()?;
        self.files.remove_folder(path);
        Ok(Value::Type("void".into()))
    }

    /// A method of `System.IO.File`.
    fn file_call(&mut self, method: &str, arguments: &[Value]) -> Run<Value> {
        let void = || Value::Type("void".into());
        match (method, arguments) {
            ("open" | "openread", _) => self.open_file(method, arguments),
            ("exists", [Value::Text(path)]) => Ok(Value::Bool(self.files.read(path).is_some())),
            ("getattributes", [Value::Text(path)]) => self.attributes(path),
            ("readalltext", [Value::Text(path)]) => self.read_text(path).map(Value::from),
            ("readalllines", [Value::Text(path)]) => Ok(Value::texts(self.read_text(path)?.lines())),
            ("readallbytes", [Value::Text(path)]) => self.bytes(path).map(|bytes| Value::bytes(&bytes)),
            ("writealltext", [Value::Text(path), Value::Text(text)]) => self.write(path, text.as_bytes().to_vec()),
            ("writeallbytes", [Value::Text(path), bytes]) => match bytes.as_bytes() {
                Some(bytes) => self.write_after(path, Vec::new(), &bytes).map(|()| void()),
                None => fault(format!("File.WriteAllBytes of {}", bytes.kind())),
            },
            ("appendalltext", [Value::Text(path), Value::Text(text)]) => self.append(path, text).map(|()| void()),
            ("copy", [Value::Text(from), Value::Text(to), Value::Bool(over)]) => {
                if !over && self.files.read(to).is_some() {
                    return thrown(format!("The file '{to}' already exists."));
                }
                let bytes = self.bytes(from)?;
                self.write(to, bytes)
            }
            ("move", [Value::Text(from), Value::Text(to)]) => {
                if self.files.read(to).is_some() {
                    return thrown(format!("Cannot create a file when that file already exists: '{to}'."));
                }
                let bytes = self.bytes(from)?;
                let moved = self.write(to, bytes)?;
                self.files.remove(from);
                Ok(moved)
            }
            ("delete", [Value::Text(path)]) => {
                if self.files.read(path).is_some() {
                    self.change()?;
                    self.files.remove(path);
                }
                Ok(void())
            }
            _ => fault(format!("[io.file]::{method} with these arguments")),
        }
    }

    pub(super) fn object_method(
        &mut self,
        target: &Rc<RefCell<Object>>,
        method: &str,
        arguments: &[Value],
    ) -> Run<Value> {
        if let Some(result) = self.wmi_method(target, method, arguments) {
            return result;
        }
        if let Some(result) = self.stream_method(target, method, arguments) {
            return result;
        }
        if let Some(result) = self.socket_method(target, method, arguments) {
            return result;
        }
        let (class, id, text) = {
            let object = target.borrow();
            (object.class.clone(), object.id.clone(), object.text.clone())
        };
        match (class.as_str(), method, arguments) {
            ("System.DateTime", "tostring", [Value::Text(format)]) if format.as_ref() == "o" => {
                Ok(Value::from(text.unwrap_or_default()))
            }
            ("Microsoft.Win32.RegistryKey", "getvalue", [Value::Text(name), default]) => {
                Ok(self.registry_value(&id, name).unwrap_or_else(|| default.clone()))
            }
            ("WindowsPrincipal", "isinrole", [Value::Word(role)]) if role.name == "Administrator" => {
                Ok(Value::Bool(self.hardware.administrator))
            }
            ("SecurityIdentifier", "translate", [Value::Type(kind)]) if kind.ends_with("ntaccount") => {
                Host::translated(&id)
            }
            ("DirectoryEntry", method, [Value::Text(path)]) => self.group_method(&id, method, path),
            _ => fault(format!("the method {method} of {class}")),
        }
    }

    pub(super) fn make_object(&mut self, kind: &str, arguments: &[Value]) -> Run<Value> {
        if let Some(result) = self.make_socket(kind, arguments) {
            return result;
        }
        match (kind, arguments) {
            ("security.principal.windowsprincipal", [Value::Object(identity)])
                if identity.borrow().class == "WindowsIdentity" =>
            {
                Ok(Object::new("WindowsPrincipal", "").value())
            }
            ("io.driveinfo", [Value::Text(drive)]) => {
                let letter = drive.trim_end_matches(['\\', ':']);
                if letter.len() != 1 {
                    return thrown(format!("'{drive}' is no drive."));
                }
                Ok(Object::new("System.IO.DriveInfo", letter)
                    .with("AvailableFreeSpace", Value::Long(self.hardware.free))
                    .value())
            }
            ("io.fileinfo", [Value::Text(path)]) => {
                let length = self.bytes(path)?.len() as u64;
                let attributes = Value::word("System.IO.FileAttributes", "Archive", 32);
                let info =
                    Object::new("System.IO.FileInfo", path).with("Length", length).with("Attributes", attributes);
                Ok(info.value())
            }
            ("io.fileattributes", [Value::Text(words)]) => {
                let known = [("SparseFile", 0x200), ("Compressed", 0x800), ("Encrypted", 0x4000), ("ReadOnly", 1)];
                let mut number = 0;
                for word in words.split(',').map(str::trim) {
                    match known.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                        Some((_, bit)) => number |= bit,
                        None => return fault(format!("the file attribute '{word}'")),
                    }
                }
                Ok(Value::word("System.IO.FileAttributes", words, number))
            }
            ("wmi", [Value::Text(path)]) => Host::job(path),
            ("security.cryptography.sha256cryptoserviceprovider", []) => Ok(Object::new(streams::SHA, "").value()),
            ("io.streamreader", [Value::Object(file)]) if file.borrow().class == streams::FILE => {
                Ok(Object::new(streams::READER, &file.borrow().id).value())
            }
            ("adsi", [Value::Text(path)]) => Host::directory_entry(path),
            _ => fault(format!("an object of the type {kind} from these arguments")),
        }
    }
}
