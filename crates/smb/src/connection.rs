//! One TCP connection: requests are numbered, signed or sealed and sent by whoever asks, one thread reads all answers and gives
//! each to the one who waits for it. What a request costs is counted in credits that the server gives (MS-SMB2 3.2.4.1.2).

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::crypto::seal::Sealing;
use crate::crypto::sign::Signer;
use crate::endpoint::{Endpoint, Options};
use crate::error::{Error, Result};
use crate::frame::{self, Frame, Pool};
use crate::limits;
use crate::wire::ask;
use crate::wire::header::{Command, Request, Response, TRANSFORM, Transform};

/// How often the thread that reads looks whether a sign of life is due.
const TICK: Duration = Duration::from_secs(5);
/// After so long without an answer the server is asked for a sign of life.
const IDLE: Duration = Duration::from_secs(60);
/// How many times longer an answer may take that the server announced, or while other answers come: over a slow line those
/// that were asked for before come first.
const LONGER: u32 = 10;

/// Whose messages are signed and sealed with which keys.
pub(crate) struct Protection {
    pub(crate) session: u64,
    pub(crate) signer: Signer,
    pub(crate) sealing: Option<Sealing>,
}

/// How a request is protected, and its answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Not at all: before there are keys.
    None,
    Signed,
    Sealed,
}

/// What waits for credits, and what does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It is needed.
    Needed,
    /// It is sent only when nobody has to wait for it.
    WhenFree,
}

/// A request.
pub(crate) struct Asking {
    pub(crate) command: Command,
    pub(crate) tree: u32,
    pub(crate) session: u64,
    pub(crate) guard: Guard,
    /// Credits that it costs.
    pub(crate) charge: u16,
}

/// The connection; it ends when this is dropped.
pub(crate) struct Connection {
    wire: Arc<Wire>,
}

struct Wire {
    endpoint: String,
    stream: TcpStream,
    writing: Mutex<()>,
    state: Mutex<State>,
    /// Credits came, or the connection ended.
    changed: Condvar,
    protection: OnceLock<Protection>,
    /// Whether requests may cost more than one credit.
    is_large: OnceLock<bool>,
    answer: Duration,
    pool: Arc<Pool>,
}

struct State {
    /// Number of the next message.
    next: u64,
    credits: u32,
    waiting: HashMap<u64, Sender<Delivered>>,
    /// When something came last.
    heard: Instant,
    /// Why the connection ended.
    ended: Option<String>,
}

enum Delivered {
    /// The answer comes later.
    Announced,
    Answer(Reply),
}

/// An answer.
pub(crate) struct Reply {
    frame: Frame,
    /// Where the message begins in the frame.
    begin: usize,
    pub(crate) response: Response,
}

impl Reply {
    /// The message, from its header on.
    pub(crate) fn message(&self) -> &[u8] {
        self.frame.bytes.get(self.begin..).unwrap_or_default()
    }

    /// Whether it is signed, and rightly.
    pub(crate) fn is_signed_by(&mut self, signer: &Signer) -> bool {
        let is_signed = self.response.is_signed;
        is_signed && self.frame.bytes.get_mut(self.begin..).is_some_and(|message| signer.is_right(message))
    }
}

/// A request whose answer is under way.
pub(crate) struct Pending {
    wire: Arc<Wire>,
    answer: Receiver<Delivered>,
    command: Command,
    guard: Guard,
}

impl Connection {
    /// Connects, without a word.
    pub(crate) fn open(endpoint: &Endpoint, options: &Options) -> Result<Connection> {
        let failed = |source| Error::Connect { endpoint: endpoint.to_string(), source };
        let stream = dial(endpoint, options.connect).map_err(failed)?;
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(TICK)));
        prepared.and_then(|()| stream.set_write_timeout(Some(options.answer))).map_err(failed)?;
        let reading = stream.try_clone().map_err(failed)?;
        let state = State { next: 0, credits: 1, waiting: HashMap::new(), heard: Instant::now(), ended: None };
        let wire = Arc::new(Wire {
            endpoint: endpoint.to_string(),
            stream,
            writing: Mutex::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            protection: OnceLock::new(),
            is_large: OnceLock::new(),
            answer: options.answer,
            pool: Arc::default(),
        });
        let reader = Arc::clone(&wire);
        let thread = std::thread::Builder::new().name("smb".to_owned());
        thread.spawn(move || reader.receive(reading)).map_err(failed)?;
        Ok(Connection { wire })
    }

    /// From now on messages have these keys.
    pub(crate) fn protect(&self, protection: Protection) {
        // There is one session on a connection, so that nobody sets them twice.
        let _ = self.wire.protection.set(protection);
    }

    /// From now on requests may cost more than one credit.
    pub(crate) fn allow_large(&self, is_large: bool) {
        let _ = self.wire.is_large.set(is_large);
    }

    /// Whether the connection has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.wire.state().ended.is_some()
    }

    /// Sends a request that is needed.
    pub(crate) fn send(&self, asking: &Asking, body: &[u8]) -> Result<Pending> {
        let sent = self.wire.send(asking, Urgency::Needed, &|_| body.to_vec())?;
        Ok(sent.expect("what is needed is sent or is an error").1)
    }

    /// Sends a request whose body depends on the credits that could be had, at most those that were asked for. `None` when there
    /// are too few for one that can do without.
    pub(crate) fn send_sized(
        &self,
        asking: &Asking,
        urgency: Urgency,
        body: &dyn Fn(u16) -> Vec<u8>,
    ) -> Result<Option<(u16, Pending)>> {
        self.wire.send(asking, urgency, body)
    }

    /// Sends one of the first requests, and gives its bytes too: they go into a hash.
    pub(crate) fn send_first(&self, asking: &Asking, body: &[u8]) -> Result<(Vec<u8>, Pending)> {
        let (request, pending, _) = self.wire.take(asking, Urgency::Needed)?.expect("what is needed is numbered");
        let message = [&request.write()[..], body].concat();
        self.wire.write(asking, &frame::framed(&message))?;
        Ok((message, pending))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.wire.end("it was closed here");
    }
}

fn dial(endpoint: &Endpoint, time: Duration) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in (endpoint.host(), endpoint.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, time) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self, command: Command, reason: &str) -> Error {
        let (endpoint, reason) = (self.endpoint.clone(), reason.to_owned());
        Error::Dropped { endpoint, action: command.word().to_owned(), reason }
    }

    /// Ends the connection: everybody who waits is told why.
    fn end(&self, reason: &str) {
        let mut state = self.state();
        if state.ended.is_none() {
            state.ended = Some(reason.to_owned());
        }
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn send(
        self: &Arc<Self>,
        asking: &Asking,
        urgency: Urgency,
        body: &dyn Fn(u16) -> Vec<u8>,
    ) -> Result<Option<(u16, Pending)>> {
        let Some((request, pending, charge)) = self.take(asking, urgency)? else { return Ok(None) };
        let mut message = [&request.write()[..], &body(charge)].concat();
        let frame = match (asking.guard, self.protection.get()) {
            (Guard::Signed, Some(protection)) => {
                protection.signer.sign(&mut message);
                frame::framed(&message)
            }
            (Guard::Sealed, Some(Protection { session, sealing: Some(sealing), .. })) => {
                frame::framed(&sealing.seal(*session, &message))
            }
            _ => frame::framed(&message),
        };
        self.write(asking, &frame)?;
        Ok(Some((charge, pending)))
    }

    /// Takes a number and credits for a request.
    fn take(self: &Arc<Self>, asking: &Asking, urgency: Urgency) -> Result<Option<(Request, Pending, u16)>> {
        let mut charge = asking.charge.max(1);
        let begin = Instant::now();
        let mut state = self.state();
        loop {
            if let Some(reason) = &state.ended {
                return Err(self.dropped(asking.command, reason));
            }
            if state.credits >= u32::from(charge) {
                break;
            }
            if state.waiting.is_empty() && state.credits > 0 {
                // More will not come: the server never gave so many.
                charge = u16::try_from(state.credits).unwrap_or(charge).min(charge);
                break;
            }
            if urgency == Urgency::WhenFree {
                return Ok(None);
            }
            let quiet = state.heard.max(begin).elapsed();
            if quiet > self.answer || begin.elapsed() > self.answer * LONGER {
                drop(state);
                return Err(self.silent(asking.command));
            }
            state = self.changed.wait_timeout(state, TICK.min(self.answer)).unwrap_or_else(PoisonError::into_inner).0;
        }
        let message = state.next;
        state.next += u64::from(charge);
        state.credits -= u32::from(charge);
        let wanted = if state.credits < limits::CREDITS { charge.saturating_add(64) } else { charge };
        let (sender, answer) = channel();
        state.waiting.insert(message, sender);
        drop(state);
        let is_large = self.is_large.get().copied().unwrap_or(false);
        let request = Request {
            command: asking.command,
            charge: if is_large { charge } else { 0 },
            credits: wanted,
            message,
            tree: asking.tree,
            session: asking.session,
            is_signed: asking.guard == Guard::Signed,
        };
        let (command, guard) = (asking.command, asking.guard);
        Ok(Some((request, Pending { wire: Arc::clone(self), answer, command, guard }, charge)))
    }

    fn write(&self, asking: &Asking, frame: &[u8]) -> Result<()> {
        let turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let written = (&self.stream).write_all(frame);
        drop(turn);
        written.map_err(|error| {
            let error = error.to_string();
            self.end(&error);
            self.dropped(asking.command, &error)
        })
    }

    /// When something came within this time: until when something has to come again.
    fn heard_within(&self, time: Duration) -> Option<Instant> {
        let heard = self.state().heard;
        (heard.elapsed() < time).then(|| heard + time)
    }

    fn silent(&self, command: Command) -> Error {
        let seconds = self.answer.as_secs();
        self.end(&format!("the server did not answer within {seconds} seconds"));
        Error::Silent { endpoint: self.endpoint.clone(), action: command.word().to_owned(), seconds }
    }

    /// Reads answers until the connection ends.
    fn receive(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::with_capacity(16 << 10, stream);
        let reason = loop {
            let went = match frame::read(&mut stream, &self.pool, self.answer) {
                Ok(Some(frame)) => self.deliver(frame),
                Ok(None) => self.keep_alive(),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = went {
                break reason;
            }
        };
        self.end(&reason);
    }

    fn deliver(&self, mut frame: Frame) -> std::result::Result<(), String> {
        let mut begin = 0;
        if let Some(transform) = Transform::read(&frame.bytes)? {
            let sealing = self.protection.get().and_then(|protection| protection.sealing.as_ref());
            let sealing = sealing.ok_or("it sends a sealed message before there are keys")?;
            if !sealing.open(&transform, &mut frame.bytes) {
                return Err("a sealed message was changed on its way".to_owned());
            }
            begin = TRANSFORM;
        }
        let response = Response::read(frame.bytes.get(begin..).unwrap_or_default())?;
        let mut state = self.state();
        state.heard = Instant::now();
        state.credits = (state.credits + u32::from(response.credits)).min(limits::MOST_CREDITS);
        let number = response.message;
        // Nobody waits for what the server says unasked, nor for an answer that came too late.
        if response.is_interim() {
            if let Some(sender) = state.waiting.get(&number) {
                let _ = sender.send(Delivered::Announced);
            }
        } else if let Some(sender) = state.waiting.remove(&number) {
            let _ = sender.send(Delivered::Answer(Reply { frame, begin, response }));
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Asks for a sign of life after a long silence, so that nobody on the way forgets the connection.
    fn keep_alive(self: &Arc<Self>) -> std::result::Result<(), String> {
        let state = self.state();
        let (silence, is_idle) = (state.heard.elapsed(), state.waiting.is_empty());
        drop(state);
        if !is_idle && silence > IDLE + self.answer * LONGER {
            return Err("the server gives no sign of life".to_owned());
        }
        let Some(protection) = self.protection.get().filter(|_| is_idle && silence > IDLE) else { return Ok(()) };
        let guard = if protection.sealing.is_some() { Guard::Sealed } else { Guard::Signed };
        let asking = Asking { command: Command::Echo, tree: 0, session: protection.session, guard, charge: 1 };
        self.send(&asking, Urgency::WhenFree, &|_| ask::nothing()).map(drop).map_err(|error| error.to_string())
    }
}

impl Pending {
    /// The answer, once it is proved to come from the server.
    pub(crate) fn wait(self) -> Result<Reply> {
        let time = self.wire.answer;
        self.wait_for(time)
    }

    /// The same, with another time.
    pub(crate) fn wait_for(self, time: Duration) -> Result<Reply> {
        let begin = Instant::now();
        let mut until = begin + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.answer.recv_timeout(left) {
                Ok(Delivered::Announced) => until = Instant::now() + time * LONGER,
                Ok(Delivered::Answer(reply)) => return self.proved(reply),
                Err(RecvTimeoutError::Timeout) => match self.wire.heard_within(time) {
                    Some(later) if begin.elapsed() < time * LONGER => until = later,
                    _ => return Err(self.wire.silent(self.command)),
                },
                Err(RecvTimeoutError::Disconnected) => {
                    let state = self.wire.state();
                    let reason = state.ended.clone().unwrap_or_else(|| "nobody knows why".to_owned());
                    drop(state);
                    return Err(self.wire.dropped(self.command, &reason));
                }
            }
        }
    }

    fn proved(&self, mut reply: Reply) -> Result<Reply> {
        let is_sealed = reply.begin > 0;
        let wrong = match (self.guard, self.wire.protection.get()) {
            (Guard::None, _) => None,
            (_, Some(_)) if is_sealed => None,
            (Guard::Signed, Some(protection)) if reply.is_signed_by(&protection.signer) => None,
            // A server that forgot the session has no key to prove that; nothing of its answer is used.
            (_, Some(_)) if !reply.response.is_signed && reply.response.status.is_lost() => {
                let reason = reply.response.status.to_string();
                self.wire.end(&reason);
                return Err(self.wire.dropped(self.command, &reason));
            }
            (Guard::Sealed, _) => Some("it is not sealed"),
            (Guard::Signed, _) if reply.response.is_signed => Some("its signature is wrong"),
            (Guard::Signed, _) => Some("it is not signed"),
        };
        let (endpoint, action) = (self.wire.endpoint.clone(), self.command.word().to_owned());
        if let Some(reason) = wrong {
            self.wire.end(reason);
            return Err(Error::NotBelieved { endpoint, action, reason: reason.to_owned() });
        }
        if reply.response.command != self.command as u16 {
            let reason = format!("it is the answer to command {}", reply.response.command);
            return Err(Error::Answer { endpoint, action, reason });
        }
        Ok(reply)
    }
}
