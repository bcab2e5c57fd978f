//! Answers to WMI queries from the host itself. What a namespace or a class does not have is told as it is; nothing is asked twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hvm_formats::cim::{self, Object, Reference, Value};
use hvm_model::found::Problem;
use hvm_winrm::{Argument, Resource};

use super::{Link, convert};
use crate::reach::answers::{Answer, Answers, CIMV2, Question, V1, V2};

/// Associations of a namespace, and the class at the end from which each is asked for: providers need not list them as a class.
const LINKS: [(&str, &str, &str); 6] = [
    (V1, "Msvm_BindsTo", "Msvm_SwitchPort"),
    (V1, "Msvm_ActiveConnection", "Msvm_SwitchPort"),
    (V1, "Msvm_NetworkElementSettingData", "Msvm_VLANEndpoint"),
    (V1, "Msvm_GlobalEthernetPortSAPImplementation", "Msvm_SwitchLANEndpoint"),
    (V2, "Msvm_ActiveConnection", "Msvm_LANEndpoint"),
    (V2, "Msvm_EthernetDeviceSAPImplementation", "Msvm_LANEndpoint"),
];
/// Keys of the classes from which associations are asked for (their MOF).
const KEYS: [&str; 4] = ["SystemCreationClassName", "SystemName", "CreationClassName", "Name"];

/// What a method returns that has started a job (`Msvm_ConcreteJob`).
const STARTED: &str = "4096";

/// A host that answers.
pub(crate) struct LiveAnswers {
    link: Arc<Link>,
    known: Mutex<HashMap<String, Answer>>,
}

impl LiveAnswers {
    pub(crate) fn new(link: Arc<Link>) -> LiveAnswers {
        LiveAnswers { link, known: Mutex::default() }
    }

    fn answer(&self, question: Question<'_>) -> Result<Answer, String> {
        let (Question::Instances(namespace, _) | Question::Security(namespace)) = question else {
            return match question {
                Question::Members(sid) => self.members(sid).map(Answer::Objects),
                Question::Disk(path) => self.disk(path),
                _ => Ok(Answer::Silent),
            };
        };
        if !self.has_namespace(namespace) {
            return Ok(Answer::Silent);
        }
        match question {
            Question::Instances(_, class) => {
                match LINKS.iter().find(|(at, link, _)| (*at, *link) == (namespace, class)) {
                    Some((_, link, from)) => self.links(namespace, link, from).map(Answer::Objects),
                    None => self.select(namespace, &format!("SELECT * FROM {class}")).map(Answer::Objects),
                }
            }
            _ => self.security(namespace).map(Answer::Objects),
        }
    }

    /// Whether the host has a namespace: one that cannot be asked for its own ones is taken to have it, and says so itself.
    fn has_namespace(&self, namespace: &str) -> bool {
        let Some((above, name)) = namespace.rsplit_once('\\') else { return true };
        let listed = self.ask(Question::Instances(above, "__NAMESPACE"));
        let Answer::Objects(below) = listed else { return !matches!(listed, Answer::Silent) };
        below.iter().any(|object| object.text("Name").is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    fn select(&self, namespace: &str, wql: &str) -> Result<Vec<Object>, String> {
        Ok(self.link.query(namespace, wql)?.iter().map(convert::object).collect())
    }

    /// The associations of a class, asked of each object at their one end; as a class where such queries are not taken.
    fn links(&self, namespace: &str, class: &str, from: &str) -> Result<Vec<Object>, String> {
        let ends = match self.ask(Question::Instances(namespace, from)) {
            Answer::Objects(ends) => ends,
            Answer::Silent => Vec::new(),
            Answer::Failed(reason) => return Err(reason),
        };
        let mut all = Vec::new();
        for (number, end) in ends.iter().enumerate() {
            let path = path(end, &KEYS)?;
            match self.select(namespace, &format!("REFERENCES OF {{{path}}} WHERE ResultClass={class}")) {
                Ok(found) => all.extend(found),
                Err(reason) if number == 0 => {
                    return self.select(namespace, &format!("SELECT * FROM {class}")).map_err(|_| reason);
                }
                Err(reason) => return Err(reason),
            }
        }
        Ok(all)
    }

    fn members(&self, sid: &str) -> Result<Vec<Object>, String> {
        let groups =
            self.select(CIMV2, &format!("SELECT * FROM Win32_Group WHERE LocalAccount=TRUE AND SID='{sid}'"))?;
        let group = groups.first().ok_or_else(|| format!("There is no local group with the SID {sid}."))?;
        let path = path(group, &["Domain", "Name"])?;
        let wql = format!("ASSOCIATORS OF {{{path}}} WHERE AssocClass=Win32_GroupUser Role=GroupComponent");
        self.select(CIMV2, &wql)
    }

    fn security(&self, namespace: &str) -> Result<Vec<Object>, String> {
        let class = Resource::class(namespace, "__SystemSecurity");
        let told = self.link.ask(|client| client.invoke(&class, "GetSD", &[])).map_err(|error| error.to_string())?;
        match told.text("ReturnValue").map(str::trim) {
            Some("0") => Ok(vec![convert::object(&told)]),
            other => Err(format!("GetSD of {namespace} answered {}.", other.unwrap_or("nothing"))),
        }
    }

    /// What Hyper-V says of one disk: as the second version of its classes does where that is there, else the first, which knows no
    /// VHDX.
    fn disk(&self, path: &str) -> Result<Answer, String> {
        let mut failed = None;
        for (namespace, method, output) in
            [(V2, "GetVirtualHardDiskSettingData", "SettingData"), (V1, "GetVirtualHardDiskInfo", "Info")]
        {
            let services = self.ask(Question::Instances(namespace, "Msvm_ImageManagementService"));
            let Answer::Objects(services) = services else { continue };
            let Some(service) = services.first() else { continue };
            match self.disk_of(service, (namespace, method, output), path) {
                Ok(found) => return Ok(Answer::Objects(vec![found])),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Answer::Silent), Err)
    }

    fn disk_of(
        &self,
        service: &Object,
        (namespace, method, output): (&str, &str, &str),
        path: &str,
    ) -> Result<Object, String> {
        let mut resource = Resource::class(namespace, "Msvm_ImageManagementService");
        for key in KEYS {
            resource = resource.with(key, service.text(key).unwrap_or_default());
        }
        let arguments = [("Path", Argument::Text(path.to_owned()))];
        let told = self.link.ask(|client| client.invoke(&resource, method, &arguments));
        let told = told.map_err(|error| error.to_string())?;
        let text = told.text(output).filter(|text| !text.is_empty());
        // A job that was started has told it all the same where it is there.
        let is_done = |code: &str| code == "0" || (code == STARTED && text.is_some());
        if let Some(other) = told.text("ReturnValue").map(str::trim).filter(|code| !is_done(code)) {
            return Err(format!("{method} of '{path}' answered {other}."));
        }
        let text = text.ok_or_else(|| format!("{method} of '{path}' says nothing of the disk."))?;
        let found = cim::read(text.as_bytes(), path).map_err(|error| error.to_string())?;
        let mut object =
            found.objects.into_iter().next().ok_or_else(|| format!("{method} of '{path}' gives no object."))?;
        object.properties.insert(0, ("Path".to_owned(), Value::Text(path.to_owned())));
        Ok(object)
    }
}

/// Where an object is, as a query takes it: values of keys are quoted.
fn path(object: &Object, keys: &[&str]) -> Result<Reference, String> {
    let key = |name: &&str| {
        let value = object.text(name).ok_or_else(|| format!("An object of {} has no key {name}.", object.class))?;
        Ok(((*name).to_owned(), value.to_owned()))
    };
    let keys = keys.iter().map(key).collect::<Result<_, String>>()?;
    Ok(Reference { namespace: String::new(), class: object.class.clone(), keys })
}

impl Answers for LiveAnswers {
    fn ask(&self, question: Question<'_>) -> Answer {
        let index = format!("{question:?}");
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&index) {
            return known.clone();
        }
        let answer = self.answer(question);
        let answer = answer.unwrap_or_else(|reason| Answer::Failed(format!("The host could not answer: {reason}")));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(index, answer.clone());
        answer
    }

    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn is_now(&self) -> bool {
        true
    }

    fn refresh(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
