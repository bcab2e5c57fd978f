//! Running a script in a pool (MS-PSRP 3.1.5.3.3 and following): started, listened to, stopped, and listened to again after
//! the connection broke.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::fragment::Assembler;
use super::message::{self, Kind, Message};
use super::pool::{Pool, room};
use super::record::{self, ErrorRecord, Record};
use super::{Script, host};
use crate::clixml::Value;
use crate::error::{Error, Progress, Result};
use crate::guid::Guid;
use crate::options::Flow;
use crate::shell::{CommandState, Received, Signal, ignore_fault};
use crate::soap::fault::FaultKind;
use crate::soap::xml::Writer;

/// How a script ended (MS-PSRP 2.2.3.5).
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran to its end; single errors may have come as records.
    Completed,
    /// An error ended it.
    Failed(ErrorRecord),
    /// It was stopped.
    Stopped,
}

/// A script that is being listened to.
struct Run<'s> {
    command: String,
    pipeline: Guid,
    assembler: Assembler,
    sink: &'s mut dyn FnMut(Record) -> Flow,
    is_stopping: bool,
    /// How many broken connections in a row may still be mended.
    mends: u32,
    /// Whether the connection broke and nothing came since.
    is_broken: bool,
}

impl Pool<'_> {
    /// Runs a script and gives all that it says to `sink` as it comes. When `sink` stops, the script is stopped, and what it
    /// says afterwards is not given any more.
    ///
    /// A broken connection is mended: the server keeps the script running, and is asked again.
    ///
    /// # Errors
    /// When the script cannot be started; when the connection cannot be mended or output was lost with it, and the error then
    /// says that the script was running.
    pub fn run(&mut self, script: &Script, sink: &mut dyn FnMut(Record) -> Flow) -> Result<Outcome> {
        let pipeline = Guid::random();
        let command = self.start(script, pipeline)?;
        let mends = self.client.options().reconnects;
        let assembler = Assembler::default();
        let mut run = Run { command, pipeline, assembler, sink, is_stopping: false, mends, is_broken: false };
        let outcome = self.listen(&mut run).map_err(|error| error.knowing(Progress::WasRunning))?;
        // The server frees what it keeps for the pipeline; that it has gone already is no loss.
        match ignore_fault(self.client.signal(&self.resource, &run.command, Signal::Terminate)) {
            Err(error) if !error.is_lost() => Err(error),
            _ => Ok(outcome),
        }
    }

    fn start(&mut self, script: &Script, pipeline: Guid) -> Result<String> {
        let bytes = message::write(Kind::CreatePipeline, self.id, pipeline, &script.message())?;
        let mut fragments = self.cutter.cut(&bytes, room(self.client.options().envelope)).into_iter();
        let first = fragments.next().unwrap_or_default();
        let id = pipeline.to_string();
        let mut body = Writer::default();
        body.open("rsp:CommandLine", &[("CommandId", &id)])
            .leaf("rsp:Command", &[], "")
            .leaf("rsp:Arguments", &[], &BASE64_STANDARD.encode(first))
            .close("rsp:CommandLine");
        let command = self.client.command(&self.resource, &[], body)?;
        for fragment in fragments {
            self.client.send(&self.resource, Some(&command), "stdin", &fragment)?;
        }
        Ok(command)
    }

    fn listen(&mut self, run: &mut Run<'_>) -> Result<Outcome> {
        loop {
            let Some(received) = self.receive(run)? else {
                if !run.is_stopping && (run.sink)(Record::StillRunning) == Flow::Stop {
                    self.stop(run)?;
                }
                continue;
            };
            let state = received.state;
            for message in self.messages(&mut run.assembler, received)? {
                if let Some(outcome) = self.handle(run, message)? {
                    return Ok(outcome);
                }
            }
            if let CommandState::Done(_) = state {
                return Err(self.wrong("the command ended without saying how".to_owned(), Progress::Unknown));
            }
        }
    }

    /// Receives, over a new connection if the old one broke.
    fn receive(&mut self, run: &mut Run<'_>) -> Result<Option<Received>> {
        loop {
            match self.client.receive(&self.resource, Some(&run.command), "stdout") {
                Ok(received) => {
                    run.mends = self.client.options().reconnects;
                    run.is_broken = false;
                    return Ok(received);
                }
                Err(error) if error.is_lost() && run.mends > 0 => {
                    run.mends -= 1;
                    run.is_broken = true;
                    run.assembler.mark();
                    self.client.hang_up();
                }
                // Servers that leave a shell when its connection breaks want it to be taken up again first.
                Err(Error::Fault(fault)) if run.is_broken && fault.kind() == FaultKind::Other => {
                    if run.mends == 0 || self.reconnect().is_err() {
                        return Err(Error::Fault(fault));
                    }
                    run.mends -= 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn handle(&mut self, run: &mut Run<'_>, message: Message) -> Result<Option<Outcome>> {
        if message.pipeline != run.pipeline && message.pipeline != Guid::NONE {
            return Ok(None);
        }
        match message.kind {
            Kind::PipelineState => return Ok(outcome(&message.data)),
            Kind::PublicKeyRequest => {
                let reason = "the script wants to send a secure string, which this client does not take".to_owned();
                return Err(self.wrong(reason, Progress::WasRunning));
            }
            Kind::PipelineHostCall => {
                let command = run.command.clone();
                self.answer_host(&message, Some(&command))?;
                self.give(run, Record::HostCall(host::method(&message.data)))?;
            }
            _ => {
                if let Some(record) = record::of(message) {
                    self.give(run, record)?;
                }
            }
        }
        Ok(None)
    }

    fn give(&mut self, run: &mut Run<'_>, record: Record) -> Result<()> {
        if !run.is_stopping && (run.sink)(record) == Flow::Stop {
            self.stop(run)?;
        }
        Ok(())
    }

    fn stop(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.is_stopping = true;
        // It may have ended by itself in the meantime; its state then says so.
        ignore_fault(self.client.signal(&self.resource, &run.command, Signal::StopPipeline))
    }
}

/// How it ended, if it did.
fn outcome(data: &Value) -> Option<Outcome> {
    match data.get("PipelineState").and_then(Value::as_integer)? {
        3 => Some(Outcome::Stopped),
        4 => Some(Outcome::Completed),
        5 => {
            let error = data.get("ExceptionAsErrorRecord").cloned().map(ErrorRecord::of);
            Some(Outcome::Failed(error.unwrap_or_default()))
        }
        _ => None,
    }
}
