//! A pool of one runspace: made, lost and found again, closed (MS-PSRP 3.1.5.3, MS-WSMV 3.1.4.5 for Disconnect and
//! Reconnect).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::fragment::{Assembler, Cutter, HEAD};
use super::host::{self, enumeration};
use super::message::{self, Kind, Message};
use super::record::ErrorRecord;
use crate::client::{Client, shell_action, transfer};
use crate::clixml::{Base, Object, Value};
use crate::error::{Error, Progress, Result};
use crate::guid::Guid;
use crate::shell::{Received, shell_id};
use crate::soap::envelope::{Choice, Duty, Request};
use crate::soap::names::{POWERSHELL, PS};
use crate::soap::resource::Resource;
use crate::soap::xml::Writer;

/// Bytes of an envelope that are not the fragment: header, selectors, options and the rest of the body.
const ENVELOPE: usize = 4096;

/// A pool of one runspace on the server. It should be closed; one that is only dropped stays there until it expires.
pub struct Pool<'c> {
    pub(super) client: &'c mut Client,
    pub(super) resource: Resource,
    pub(super) id: Guid,
    pub(super) cutter: Cutter,
}

/// States of a pool (MS-PSRP 2.2.3.4).
const OPENED: i64 = 2;
const CLOSED: i64 = 3;
const BROKEN: i64 = 5;

impl Client {
    /// Makes a pool of one runspace of Windows PowerShell.
    ///
    /// # Errors
    /// When the server refuses it, or does not speak PowerShell remoting as expected.
    pub fn open_pool(&mut self) -> Result<Pool<'_>> {
        let id = Guid::random();
        let mut cutter = Cutter::new();
        let room = room(self.options().envelope);
        let mut first = Vec::new();
        for (kind, data) in [(Kind::SessionCapability, capability()), (Kind::InitPool, init())] {
            first.extend(cutter.cut(&message::write(kind, id, Guid::NONE, &data)?, room).concat());
        }
        let id_text = id.to_string();
        let mut body = Writer::default();
        body.open("rsp:Shell", &[("ShellId", &id_text)])
            .leaf("rsp:InputStreams", &[], "stdin pr")
            .leaf("rsp:OutputStreams", &[], "stdout")
            .leaf("creationXml", &[("xmlns", PS)], &BASE64_STANDARD.encode(first))
            .close("rsp:Shell");
        let version = Choice { name: "protocolversion", value: "2.3".to_owned(), duty: Duty::MustComply };
        let resource = Resource::new(POWERSHELL);
        let request = Request { action: &transfer("Create"), resource: &resource, choices: &[version], body };
        let shell = self.call(&request, shell_id)?;
        let mut pool = Pool { client: self, resource: resource.with("ShellId", shell), id, cutter };
        pool.wait_until_open()?;
        Ok(pool)
    }
}

impl Pool<'_> {
    /// Its identifier.
    #[must_use]
    pub const fn id(&self) -> Guid {
        self.id
    }

    fn wait_until_open(&mut self) -> Result<()> {
        let mut assembler = Assembler::default();
        // Each round waits for the operation's time; a server that says nothing for so long does not start PowerShell.
        for _ in 0..10 {
            let Some(received) = self.client.receive(&self.resource, None, "stdout")? else { continue };
            for message in self.messages(&mut assembler, received)? {
                if self.is_open(&message)? {
                    return Ok(());
                }
            }
        }
        Err(self.wrong("the pool of runspaces did not open".to_owned(), Progress::Unknown))
    }

    fn is_open(&mut self, message: &Message) -> Result<bool> {
        match message.kind {
            Kind::PoolState => {
                let state = message.data.get("RunspaceState").and_then(Value::as_integer);
                if matches!(state, Some(CLOSED | BROKEN)) {
                    let why =
                        message.data.get("ExceptionAsErrorRecord").cloned().map(ErrorRecord::of).unwrap_or_default();
                    return Err(self.wrong(format!("the pool of runspaces is broken: {why}"), Progress::Unknown));
                }
                Ok(state == Some(OPENED))
            }
            Kind::PoolHostCall => self.answer_host(message, None).map(|()| false),
            _ => Ok(false),
        }
    }

    /// The messages that became complete.
    pub(super) fn messages(&self, assembler: &mut Assembler, received: Received) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        for (_, bytes) in received.output {
            let complete = assembler.feed(&bytes).map_err(|reason| self.wrong(reason, Progress::WasRunning))?;
            for (_, bytes) in complete {
                messages.push(message::read(&bytes).map_err(|reason| self.wrong(reason, Progress::WasRunning))?);
            }
        }
        Ok(messages)
    }

    /// Answers a call of the host, if it waits for an answer.
    pub(super) fn answer_host(&mut self, call: &Message, command: Option<&str>) -> Result<()> {
        let Some(data) = host::answer(&call.data) else { return Ok(()) };
        let kind = if command.is_some() { Kind::PipelineHostResponse } else { Kind::PoolHostResponse };
        let bytes = message::write(kind, self.id, call.pipeline, &data)?;
        for fragment in self.cutter.cut(&bytes, room(self.client.options().envelope)) {
            self.client.send(&self.resource, command, "pr", &fragment)?;
        }
        Ok(())
    }

    pub(super) fn wrong(&self, reason: String, known: Progress) -> Error {
        Error::Remoting { endpoint: self.client.endpoint().to_string(), reason, known }
    }

    /// Leaves the pool on the server with what runs in it, so that it can be taken up again by the same client
    /// (Windows Server 2012 and later).
    ///
    /// # Errors
    /// When the server refuses it; Windows Server 2008 R2 cannot do it.
    pub fn disconnect(&mut self) -> Result<()> {
        self.pool_action("Disconnect")
    }

    /// Takes a pool up again that was left, or that the server left because the connection broke.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn reconnect(&mut self) -> Result<()> {
        self.pool_action("Reconnect")
    }

    fn pool_action(&mut self, verb: &str) -> Result<()> {
        let mut body = Writer::default();
        body.empty(&format!("rsp:{verb}"), &[]);
        let request = Request { action: &shell_action(verb), resource: &self.resource, choices: &[], body };
        self.client.call(&request, |_| Ok(()))
    }

    /// Closes the pool, and with it what runs in it.
    ///
    /// # Errors
    /// When the connection breaks or the server refuses it.
    pub fn close(self) -> Result<()> {
        self.client.delete(&self.resource)
    }
}

/// Bytes of fragments that fit into one envelope, as base64.
pub(super) fn room(envelope: u32) -> usize {
    let envelope = usize::try_from(envelope).unwrap_or(usize::MAX);
    (envelope.saturating_sub(ENVELOPE) / 4 * 3).max(HEAD + 1)
}

/// SESSION_CAPABILITY (MS-PSRP 2.2.2.1). The versions are those that all releases from PowerShell 2.0 on accept.
fn capability() -> Value {
    let version = |text: &str| Value::Version(text.to_owned());
    Object::with(vec![
        ("protocolversion", version("2.3")),
        ("PSVersion", version("2.0")),
        ("SerializationVersion", version("1.1.0.1")),
    ])
    .into()
}

/// INIT_RUNSPACEPOOL (MS-PSRP 2.2.2.2).
fn init() -> Value {
    let types = ["System.Management.Automation.PSPrimitiveDictionary", "System.Collections.Hashtable", "System.Object"];
    let arguments =
        Object { types: types.map(str::to_owned).to_vec(), base: Base::Dictionary(Vec::new()), ..Object::default() };
    Object::with(vec![
        ("MinRunspaces", Value::I32(1)),
        ("MaxRunspaces", Value::I32(1)),
        ("PSThreadOptions", enumeration("System.Management.Automation.Runspaces.PSThreadOptions", "Default", 0)),
        ("ApartmentState", enumeration("System.Threading.ApartmentState", "Unknown", 2)),
        ("HostInfo", host::none()),
        ("ApplicationArguments", arguments.into()),
    ])
    .into()
}
