//! Remote shells (MS-WSMV 3.1.4.5 and 2.2.4): a shell is made, runs commands, is asked for their output, and is closed. The
//! same calls carry PowerShell remoting, whose shell has another resource.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roxmltree::Node;

use crate::client::{Client, shell_action, transfer};
use crate::error::{Error, Progress, Result};
use crate::options::Flow;
use crate::soap::envelope::{Choice, Duty, Request};
use crate::soap::fault::FaultKind;
use crate::soap::names::{CMD, SHELL, TRANSFER, WSMAN};
use crate::soap::reply::Reply;
use crate::soap::resource::Resource;
use crate::soap::xml::{Writer, child, text, writable};

/// How a shell of `cmd.exe` is made (MS-WSMV 2.2.4.37).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellOptions {
    /// The code page of its output (`WINRS_CODEPAGE`); 65001 is UTF-8.
    pub codepage: u32,
    /// The folder in which commands run.
    pub folder: Option<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// After how many seconds without a request the server closes it (`IdleTimeOut`); the server's default if not said.
    pub idle: Option<u32>,
}

impl Default for ShellOptions {
    fn default() -> Self {
        Self { codepage: 65_001, folder: None, environment: Vec::new(), idle: None }
    }
}

/// A stream of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `stdout`.
    Out,
    /// `stderr`.
    Err,
}

/// What a command is told (MS-WSMV 2.2.4.38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End it, and free what the server keeps for it.
    Terminate,
    /// As from the keyboard.
    CtrlC,
    /// Stop a PowerShell pipeline (MS-PSRP 3.1.5.3.9; the specification and Windows both spell its code with this slip).
    StopPipeline,
}

impl Signal {
    const fn code(self) -> &'static str {
        match self {
            Self::Terminate => "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate",
            Self::CtrlC => "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/ctrl_c",
            Self::StopPipeline => "powershell/signal/crtl_c",
        }
    }
}

/// Whether a command still runs (MS-WSMV 2.2.4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandState {
    /// It runs, or its state is not said.
    Running,
    /// It has ended, with its exit code where it has one.
    Done(Option<u32>),
}

/// Output of one answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub output: Vec<(Stream, Vec<u8>)>,
    pub state: CommandState,
}

/// A shell of `cmd.exe`. It should be closed; one that is only dropped stays on the server until it expires.
pub struct Shell<'c> {
    client: &'c mut Client,
    resource: Resource,
}

impl Client {
    /// Makes a shell of `cmd.exe`.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn open_shell(&mut self, options: &ShellOptions) -> Result<Shell<'_>> {
        let choices = [
            Choice { name: "WINRS_NOPROFILE", value: "FALSE".to_owned(), duty: Duty::MayIgnore },
            Choice { name: "WINRS_CODEPAGE", value: options.codepage.to_string(), duty: Duty::MayIgnore },
        ];
        let mut body = Writer::default();
        body.open("rsp:Shell", &[]);
        body.leaf("rsp:InputStreams", &[], "stdin").leaf("rsp:OutputStreams", &[], "stdout stderr");
        if !options.environment.is_empty() {
            body.open("rsp:Environment", &[]);
            for (name, value) in &options.environment {
                let name = writable("name of a variable", name)?;
                body.leaf("rsp:Variable", &[("Name", name)], writable("variable", value)?);
            }
            body.close("rsp:Environment");
        }
        if let Some(seconds) = options.idle {
            body.leaf("rsp:IdleTimeOut", &[], &format!("PT{seconds}S"));
        }
        if let Some(folder) = &options.folder {
            body.leaf("rsp:WorkingDirectory", &[], writable("folder", folder)?);
        }
        body.close("rsp:Shell");
        let resource = Resource::new(CMD);
        let request = Request { action: &transfer("Create"), resource: &resource, choices: &choices, body };
        let id = self.call(&request, shell_id)?;
        Ok(Shell { client: self, resource: resource.with("ShellId", id) })
    }

    /// A shell that was made before and is still on the server, by its identifier.
    pub fn shell(&mut self, id: &str) -> Shell<'_> {
        Shell { client: self, resource: Resource::new(CMD).with("ShellId", id) }
    }

    /// Runs `rsp:CommandLine` in a shell; gives the identifier of the command.
    pub(crate) fn command(&mut self, shell: &Resource, choices: &[Choice], body: Writer) -> Result<String> {
        let request = Request { action: &shell_action("Command"), resource: shell, choices, body };
        self.call(&request, |reply| {
            let node = reply.element(SHELL, "CommandResponse")?;
            child(node, SHELL, "CommandId").map(text).ok_or_else(|| "it names no command".to_owned())
        })
    }

    /// Asks for output; `None` when there is none within the operation's time.
    pub(crate) fn receive(
        &mut self,
        shell: &Resource,
        command: Option<&str>,
        streams: &str,
    ) -> Result<Option<Received>> {
        let id = command.map(|id| [("CommandId", id)]);
        let mut body = Writer::default();
        body.open("rsp:Receive", &[]);
        body.leaf("rsp:DesiredStream", id.as_ref().map_or(&[], |id| id.as_slice()), streams).close("rsp:Receive");
        let keep = Choice { name: "WSMAN_CMDSHELL_OPTION_KEEPALIVE", value: "TRUE".to_owned(), duty: Duty::MayIgnore };
        let request = Request { action: &shell_action("Receive"), resource: shell, choices: &[keep], body };
        match self.call(&request, |reply| received(reply, command)) {
            Ok(received) => Ok(Some(received)),
            Err(Error::Fault(fault)) if fault.kind() == FaultKind::TimedOut => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends input to a command, or to the shell itself.
    pub(crate) fn send(&mut self, shell: &Resource, command: Option<&str>, stream: &str, data: &[u8]) -> Result<()> {
        let mut attributes = vec![("Name", stream)];
        attributes.extend(command.map(|id| ("CommandId", id)));
        let mut body = Writer::default();
        body.open("rsp:Send", &[]).leaf("rsp:Stream", &attributes, &BASE64_STANDARD.encode(data)).close("rsp:Send");
        let request = Request { action: &shell_action("Send"), resource: shell, choices: &[], body };
        self.call(&request, |_| Ok(()))
    }

    /// Tells a command something.
    pub(crate) fn signal(&mut self, shell: &Resource, command: &str, signal: Signal) -> Result<()> {
        let mut body = Writer::default();
        body.open("rsp:Signal", &[("CommandId", command)]).leaf("rsp:Code", &[], signal.code()).close("rsp:Signal");
        let request = Request { action: &shell_action("Signal"), resource: shell, choices: &[], body };
        self.call(&request, |_| Ok(()))
    }

    /// Closes a shell.
    pub(crate) fn delete(&mut self, shell: &Resource) -> Result<()> {
        let request = Request { action: &transfer("Delete"), resource: shell, choices: &[], body: Writer::default() };
        self.call(&request, |_| Ok(()))
    }
}

impl Shell<'_> {
    /// Its identifier, with which it can be found again.
    #[must_use]
    pub fn id(&self) -> &str {
        self.resource.selectors.first().map(|(_, id)| id.as_str()).unwrap_or_default()
    }

    /// Starts a command; gives its identifier. The arguments are put behind it with blanks between them by the server, so
    /// the caller quotes for `cmd.exe`.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn start(&mut self, command: &str, arguments: &[&str]) -> Result<String> {
        let choices = [
            Choice { name: "WINRS_CONSOLEMODE_STDIN", value: "TRUE".to_owned(), duty: Duty::MayIgnore },
            Choice { name: "WINRS_SKIP_CMD_SHELL", value: "FALSE".to_owned(), duty: Duty::MayIgnore },
        ];
        let mut body = Writer::default();
        body.open("rsp:CommandLine", &[]).leaf("rsp:Command", &[], writable("command", command)?);
        for argument in arguments {
            body.leaf("rsp:Arguments", &[], writable("argument of the command", argument)?);
        }
        body.close("rsp:CommandLine");
        self.client.command(&self.resource, &choices, body)
    }

    /// Asks once for output; gives it to `sink` and says whether the command still runs.
    ///
    /// # Errors
    /// When the connection breaks or the server refuses it.
    pub fn receive(
        &mut self,
        command: &str,
        sink: &mut dyn FnMut(Stream, &[u8]) -> Flow,
    ) -> Result<(CommandState, Flow)> {
        let Some(received) = self.client.receive(&self.resource, Some(command), "stdout stderr")? else {
            return Ok((CommandState::Running, Flow::GoOn));
        };
        for (stream, bytes) in received.output {
            if sink(stream, &bytes) == Flow::Stop {
                return Ok((received.state, Flow::Stop));
            }
        }
        Ok((received.state, Flow::GoOn))
    }

    /// Sends input to a command.
    ///
    /// # Errors
    /// As [`Shell::receive`].
    pub fn send(&mut self, command: &str, data: &[u8]) -> Result<()> {
        self.client.send(&self.resource, Some(command), "stdin", data)
    }

    /// Tells a command something.
    ///
    /// # Errors
    /// As [`Shell::receive`].
    pub fn signal(&mut self, command: &str, signal: Signal) -> Result<()> {
        self.client.signal(&self.resource, command, signal)
    }

    /// Runs a command to its end and gives its exit code; `None` when the sink stopped it, or it has none.
    ///
    /// # Errors
    /// When the connection breaks or the server refuses it. The error then says that the command was running; the shell and
    /// the command can be asked for again with [`Client::shell`] and [`Shell::receive`].
    pub fn run(
        &mut self,
        command: &str,
        arguments: &[&str],
        sink: &mut dyn FnMut(Stream, &[u8]) -> Flow,
    ) -> Result<Option<u32>> {
        let id = self.start(command, arguments)?;
        loop {
            let (state, flow) = self.receive(&id, sink).map_err(|error| error.knowing(Progress::WasRunning))?;
            match (state, flow) {
                (CommandState::Done(code), _) => {
                    // The server frees the command's output; that it has gone already is no loss.
                    return ignore_fault(self.signal(&id, Signal::Terminate)).map(|()| code);
                }
                (CommandState::Running, Flow::Stop) => return self.signal(&id, Signal::Terminate).map(|()| None),
                (CommandState::Running, Flow::GoOn) => {}
            }
        }
    }

    /// Closes the shell, and with it its commands.
    ///
    /// # Errors
    /// When the connection breaks or the server refuses it.
    pub fn close(self) -> Result<()> {
        self.client.delete(&self.resource)
    }
}

pub(crate) fn ignore_fault(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::Fault(_)) => Ok(()),
        other => other,
    }
}

/// The identifier of a shell that was just made (MS-WSMV 3.1.4.5.2).
pub(crate) fn shell_id(reply: &Reply<'_>) -> std::result::Result<String, String> {
    let body = reply.body();
    let own = child(body, SHELL, "Shell").and_then(|shell| child(shell, SHELL, "ShellId")).map(text);
    let created = child(body, TRANSFER, "ResourceCreated");
    let selector = created.and_then(|created| {
        let is_id =
            |node: &Node<'_, '_>| node.has_tag_name((WSMAN, "Selector")) && node.attribute("Name") == Some("ShellId");
        created.descendants().take(64).find(is_id).map(text)
    });
    let id = selector.or(own).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    id.ok_or_else(|| "it names no shell".to_owned())
}

fn received(reply: &Reply<'_>, command: Option<&str>) -> std::result::Result<Received, String> {
    let node = reply.element(SHELL, "ReceiveResponse")?;
    let is_ours = |node: &Node<'_, '_>| match (node.attribute("CommandId"), command) {
        (Some(found), Some(command)) => found.eq_ignore_ascii_case(command),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let mut output = Vec::new();
    for part in node.children().filter(|part| part.has_tag_name((SHELL, "Stream"))).filter(is_ours) {
        let stream = if part.attribute("Name") == Some("stderr") { Stream::Err } else { Stream::Out };
        let digits: String = text(part).split_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(digits).map_err(|_| "a stream is not base64".to_owned())?;
        if !bytes.is_empty() {
            output.push((stream, bytes));
        }
    }
    Ok(Received { output, state: state(node) })
}

/// Reads a reply as every answer of a shell, for tests.
pub(crate) fn answers(reply: &Reply<'_>) {
    let _ = (shell_id(reply), received(reply, None), received(reply, Some("0")));
}

fn state(node: Node<'_, '_>) -> CommandState {
    let Some(state) = child(node, SHELL, "CommandState") else { return CommandState::Running };
    if !state.attribute("State").is_some_and(|state| state.ends_with("/Done")) {
        return CommandState::Running;
    }
    let code = child(state, SHELL, "ExitCode").map(text);
    // Exit codes are unsigned for Windows; some servers write them with a sign.
    let number = |text: &str| text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned));
    CommandState::Done(code.and_then(|text| number(text.trim())))
}
