//! The registry, as far as the scripts look into it.

use super::state::{Data, State};
use super::{Host, Release};
use crate::powershell::{Call, Object, Run, Value, thrown};
use crate::security::{Ace, descriptor, sid};

/// Limits of DCOM with account and mask of each entry that allows: those of a real export, and behind them the two that 2012 and
/// later are said to have (UNCONFIRMED: application packages and the group Remote Management Users were seen on no host).
const RESTRICTIONS: [(&str, [(&str, u32); 6]); 2] = [
    (
        "MachineAccessRestriction",
        [
            ("S-1-1-0", 0x07),
            ("S-1-5-7", 0x03),
            ("S-1-5-32-562", 0x07),
            ("S-1-5-32-559", 0x07),
            ("S-1-15-2-1", 0x03),
            ("S-1-5-32-580", 0x07),
        ],
    ),
    (
        "MachineLaunchRestriction",
        [
            ("S-1-5-32-544", 0x1f),
            ("S-1-1-0", 0x0b),
            ("S-1-5-32-562", 0x1f),
            ("S-1-5-32-559", 0x1f),
            ("S-1-15-2-1", 0x0b),
            ("S-1-5-32-580", 0x1f),
        ],
    ),
];

/// The keys that a host with the role has.
pub(super) fn prepare(state: &mut State, release: Release) {
    let hyperv = r"HKLM:\SOFTWARE\MICROSOFT\WINDOWS NT\CURRENTVERSION\VIRTUALIZATION";
    let key = state.registry.entry(hyperv.to_owned()).or_default();
    // The authorization store is gone from 2012 R2 on.
    if release == Release::Server2012 {
        let store = r"msxml://C:\ProgramData\Microsoft\Windows\Hyper-V\InitialStore.xml";
        key.insert("StoreLocation".to_owned(), Data::Text(store.to_owned()));
    }
    let ole = state.registry.entry(r"HKLM:\SOFTWARE\MICROSOFT\OLE".to_owned()).or_default();
    for (name, entries) in RESTRICTIONS {
        let entries = entries.map(|(account, mask)| Ace { flags: 0, mask, sid: sid(account) });
        ole.insert(name.to_owned(), Data::Bytes(descriptor(&entries)));
    }
    // Administrators may do everything, users of the host itself use it (Microsoft's "Access to WMI Namespaces").
    let own = [("S-1-5-32-544", 0x6_003f), ("S-1-5-20", 0x13), ("S-1-5-19", 0x13), ("S-1-5-11", 0x13)];
    let own = own.map(|(account, mask)| Ace { flags: 0x12, mask, sid: sid(account) });
    for namespace in [r"root\cimv2", r"root\virtualization\v2"] {
        state.namespaces.insert(namespace.to_owned(), descriptor(&own));
    }
    state.registry.entry(r"HKLM:\SYSTEM\CURRENTCONTROLSET\SERVICES\VMSMP\PARAMETERS".to_owned()).or_default();
}

fn key(path: &str) -> Run<String> {
    match path.to_uppercase() {
        key if key.starts_with(r"HKLM:\") => Ok(key.trim_end_matches('\\').to_owned()),
        _ => thrown(format!("'{path}' is no key of the registry.")),
    }
}

fn one(call: &Call, parameter: &str) -> Run<String> {
    match call.texts(parameter).as_deref() {
        Some([one]) => Ok(one.clone()),
        _ => thrown(format!("{} -{parameter}: one is wanted.", call.name)),
    }
}

impl Host {
    pub(super) fn test_path(&mut self, call: &Call) -> Run<Vec<Value>> {
        let path = one(call, "LiteralPath")?;
        let there = if path.to_uppercase().starts_with("HKLM:") {
            self.state.registry.contains_key(&key(&path)?)
        } else {
            self.files.has_folder(&path) || self.files.read(&path).is_some()
        };
        Ok(vec![Value::Bool(there)])
    }

    pub(super) fn get_item(&mut self, call: &Call) -> Run<Vec<Value>> {
        let key = key(&one(call, "LiteralPath")?)?;
        if !self.state.registry.contains_key(&key) {
            return thrown(format!("Cannot find path '{key}' because it does not exist."));
        }
        Ok(vec![Object::new("Microsoft.Win32.RegistryKey", &key).value()])
    }

    pub(super) fn new_item(&mut self, call: &Call) -> Run<Vec<Value>> {
        let key = key(&one(call, "Path")?)?;
        if self.state.registry.contains_key(&key) && !call.has("Force") {
            return thrown(format!("A key '{key}' exists already."));
        }
        self.change()?;
        // With -Force a key that is there is emptied.
        self.state.registry.insert(key.clone(), Default::default());
        Ok(vec![Object::new("Microsoft.Win32.RegistryKey", &key).value()])
    }

    /// Names of values are compared without regard to small and large letters.
    fn value_name(&self, key: &str, name: &str) -> Option<String> {
        self.state.registry.get(key)?.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned()
    }

    pub(super) fn new_item_property(&mut self, call: &Call) -> Run<Vec<Value>> {
        let key = key(&one(call, "LiteralPath")?)?;
        let name = call.text("Name").unwrap_or_default();
        let data = match (call.text("PropertyType").as_deref(), call.get("Value")) {
            (Some("String"), Some(Value::Text(text))) => Data::Text(text.to_string()),
            (Some("DWord"), Some(value @ (Value::Int(_) | Value::Long(_)))) => match value.integer() {
                Ok(number) if (0..1 << 32).contains(&number) => Data::Number(number),
                _ => return thrown("New-ItemProperty: the value is no DWord."),
            },
            (Some("Binary"), Some(Value::List(list))) => {
                let bytes: Option<Vec<u8>> =
                    list.items.borrow().iter().map(|item| u8::try_from(item.integer().ok()?).ok()).collect();
                match bytes {
                    Some(bytes) => Data::Bytes(bytes),
                    None => return thrown("New-ItemProperty: the value is not made of bytes."),
                }
            }
            (kind, _) => return thrown(format!("New-ItemProperty: type {kind:?} and value do not fit.")),
        };
        if !self.state.registry.contains_key(&key) {
            return thrown(format!("Cannot find path '{key}' because it does not exist."));
        }
        let known = self.value_name(&key, &name);
        if known.is_some() && !call.has("Force") {
            return thrown(format!("The property {name} already exists."));
        }
        self.change()?;
        if let Some(values) = self.state.registry.get_mut(&key) {
            values.insert(known.unwrap_or(name), data);
        }
        Ok(vec![Object::new("PSCustomObject", "").value()])
    }

    pub(super) fn remove_item_property(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (key, name) = (key(&one(call, "LiteralPath")?)?, one(call, "Name")?);
        let Some(known) = self.value_name(&key, &name) else {
            return thrown(format!("Property {name} does not exist at path {key}."));
        };
        self.change()?;
        if let Some(values) = self.state.registry.get_mut(&key) {
            values.remove(&known);
        }
        Ok(Vec::new())
    }

    /// `GetValue` of a key.
    pub(super) fn registry_value(&self, key: &str, name: &str) -> Option<Value> {
        let name = self.value_name(key, name)?;
        Some(match self.state.registry.get(key)?.get(&name)? {
            Data::Text(text) => Value::from(text),
            Data::Number(number) => Value::number(*number),
            Data::Bytes(bytes) => Value::bytes(bytes),
        })
    }
}
