//! Open files, what reads texts from them, and SHA-256 over them.

use std::cell::RefCell;
use std::rc::Rc;

use ring::digest::{SHA256, digest};

use super::Host;
use crate::powershell::{ListKind, Object, Run, Value, fault, thrown};

pub(super) const FILE: &str = "System.IO.FileStream";
pub(super) const READER: &str = "System.IO.StreamReader";
pub(super) const SHA: &str = "System.Security.Cryptography.SHA256CryptoServiceProvider";

fn void() -> Value {
    Value::Type("void".into())
}

fn place(number: Option<&Value>) -> usize {
    number.and_then(|number| number.integer().ok()).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

impl Host {
    /// `File.OpenRead`, and `File.Open` with a mode, and perhaps with access and sharing.
    pub(super) fn open_file(&mut self, method: &str, arguments: &[Value]) -> Run<Value> {
        let (path, makes) = match (method, arguments) {
            ("openread", [Value::Text(path)]) => (path, false),
            ("open", [Value::Text(path), Value::Word(mode)]) if mode.name == "OpenOrCreate" => (path, true),
            ("open", [Value::Text(path), Value::Word(mode), Value::Word(access), Value::Word(share)])
                if (mode.name.as_str(), access.name.as_str(), share.name.as_str()) == ("Open", "Read", "ReadWrite") =>
            {
                (path, false)
            }
            _ => return fault(format!("File.{method} with these arguments")),
        };
        if self.files.is_held(path) {
            return thrown(format!(
                "The process cannot access the file '{path}' because it is being used by another process."
            ));
        }
        if self.files.read(path).is_none() {
            if !makes {
                return thrown(format!("Could not find file '{path}'."));
            }
            self.write(path, Vec::new())?;
        }
        Ok(Object::new(FILE, path).with("Position", Value::Long(0)).value())
    }

    /// Methods of open files and of what works on them; `None` for objects of other classes.
    pub(super) fn stream_method(
        &mut self,
        target: &Rc<RefCell<Object>>,
        method: &str,
        arguments: &[Value],
    ) -> Option<Run<Value>> {
        let (class, path, at) = {
            let object = target.borrow();
            (object.class.clone(), object.id.clone(), place(object.get("Position")))
        };
        match class.as_str() {
            FILE => Some(self.file_method((target, &path, at), method, arguments)),
            READER if method == "readtoend" && arguments.is_empty() => Some(self.read_text(&path).map(Value::from)),
            SHA if method == "computehash" => Some(self.hash(arguments)),
            READER | SHA => Some(fault(format!("the method {method} of {class}"))),
            _ => None,
        }
    }

    fn file_method(
        &mut self,
        (target, path, at): (&Rc<RefCell<Object>>, &str, usize),
        method: &str,
        arguments: &[Value],
    ) -> Run<Value> {
        match (method, arguments) {
            ("write", [bytes, Value::Int(0), Value::Int(count)]) => {
                let wanted = usize::try_from(*count).ok();
                let Some((mut bytes, wanted)) =
                    bytes.as_bytes().zip(wanted).filter(|(bytes, wanted)| *wanted <= bytes.len())
                else {
                    return fault(format!("FileStream.Write of {count} bytes of something that has not so many"));
                };
                bytes.truncate(wanted);
                self.change()?;
                self.files.write_at(path, at, &bytes).or_else(thrown)?;
                if let Some(position) = target.borrow_mut().get_mut("Position") {
                    *position = Value::Long((at + bytes.len()) as i64);
                }
                Ok(void())
            }
            // Another list would be copied into an array of bytes, and the copy would be filled.
            ("read", [Value::List(list), from, count]) if list.kind == ListKind::Bytes => {
                let bytes = self.bytes(path)?;
                let rest = bytes.get(at.min(bytes.len())..).unwrap_or_default();
                let rest = rest.get(..place(Some(count)).min(rest.len())).unwrap_or_default();
                let mut items = list.items.borrow_mut();
                let Some(items) = items.get_mut(place(Some(from))..).filter(|items| items.len() >= rest.len()) else {
                    return thrown("Offset and length were out of bounds for the array.");
                };
                for (item, byte) in items.iter_mut().zip(rest) {
                    *item = Value::Int(i32::from(*byte));
                }
                if let Some(position) = target.borrow_mut().get_mut("Position") {
                    *position = Value::Long((at + rest.len()) as i64);
                }
                Ok(Value::Int(i32::try_from(rest.len()).unwrap_or(i32::MAX)))
            }
            ("setlength", [length]) => {
                self.change()?;
                self.files.set_length(path, place(Some(length))).or_else(thrown)?;
                Ok(void())
            }
            ("dispose", []) => Ok(void()),
            _ => fault(format!("the method {method} of a file stream with these arguments")),
        }
    }

    /// SHA-256 over bytes, or over the rest of an open file.
    fn hash(&self, arguments: &[Value]) -> Run<Value> {
        let bytes = match arguments {
            [Value::Object(file)] if file.borrow().class == FILE => {
                let file = file.borrow();
                self.bytes(&file.id)?.split_off(place(file.get("Position")))
            }
            [list] => match list.as_bytes() {
                Some(bytes) => bytes,
                None => return fault(format!("ComputeHash of {}", list.kind())),
            },
            [list, Value::Int(0), count] => match list.as_bytes() {
                Some(mut bytes) if place(Some(count)) <= bytes.len() => {
                    bytes.truncate(place(Some(count)));
                    bytes
                }
                _ => return fault("ComputeHash of a part that is not there"),
            },
            _ => return fault("ComputeHash with these arguments"),
        };
        Ok(Value::bytes(digest(&SHA256, &bytes).as_ref()))
    }
}
