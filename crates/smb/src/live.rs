//! A session on a connection: the version is agreed on, the user is proved, and shares are opened (MS-SMB2 3.2.4.2, 3.2.5.2,
//! 3.2.5.3, 3.2.5.5).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hvm_login::{Login, Mechanism, Negotiation, Service};

use crate::connection::{Asking, Connection, Guard, Pending, Protection, Reply, Urgency};
use crate::crypto::keys::{Keys, Preauth};
use crate::crypto::seal::{Cipher, Sealing};
use crate::crypto::sign::Signer;
use crate::endpoint::{Encryption, Endpoint, Options};
use crate::error::{Error, Result};
use crate::limits;
use crate::status::Status;
use crate::wire::ask::{self, NO_FILE};
use crate::wire::field::Malformed;
use crate::wire::header::{Command, Response};
use crate::wire::negotiate::{self, Chosen, Dialect, SECURITY_MODE};
use crate::wire::replies;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A session.
pub(crate) struct Live {
    connection: Connection,
    endpoint: Endpoint,
    session: u64,
    chosen: Chosen,
    guid: [u8; 16],
    /// Whether everything is sealed.
    is_sealed: bool,
    trees: Mutex<HashMap<String, Tree>>,
}

/// A share that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    id: u32,
    guard: Guard,
}

/// What the first messages are for.
struct Opening<'a> {
    connection: Connection,
    endpoint: &'a Endpoint,
    login: &'a Login,
    options: &'a Options,
    preauth: Preauth,
}

impl Live {
    /// Connects and proves who asks.
    pub(crate) fn open(endpoint: &Endpoint, login: &Login, options: &Options) -> Result<Live> {
        let connection = Connection::open(endpoint, options)?;
        let mut opening = Opening { connection, endpoint, login, options, preauth: Preauth::new() };
        let mut guid = [0; 16];
        fill(&mut guid, endpoint)?;
        let chosen = opening.negotiate(&guid)?;
        opening.connection.allow_large(chosen.has_large_requests());
        let (session, is_sealed) = opening.authenticate(&chosen)?;
        let (connection, endpoint) = (opening.connection, endpoint.clone());
        Ok(Live { connection, endpoint, session, chosen, guid, is_sealed, trees: Mutex::default() })
    }

    /// Whether the connection has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.connection.is_ended()
    }

    /// The version of the protocol.
    pub(crate) fn dialect(&self) -> Dialect {
        self.chosen.dialect
    }

    /// How messages of a share are protected, for people.
    pub(crate) fn protection(&self, tree: Tree) -> String {
        match (tree.guard, self.chosen.cipher) {
            (Guard::Sealed, Some(cipher)) => cipher.to_string(),
            _ => format!("{:?}", self.chosen.signing),
        }
    }

    /// Bytes that one request may read: no more than is useful, and than the server gives.
    pub(crate) fn piece(&self) -> u32 {
        let limit = if self.chosen.has_large_requests() { limits::PIECE } else { limits::CREDIT };
        limit.min(self.chosen.max_read)
    }

    fn asking(&self, tree: Option<Tree>, command: Command) -> Asking {
        let own = if self.is_sealed { Guard::Sealed } else { Guard::Signed };
        let (id, guard) = tree.map_or((0, own), |tree| (tree.id, tree.guard));
        Asking { command, tree: id, session: self.session, guard, charge: 1 }
    }

    /// Asks and waits.
    pub(crate) fn ask(&self, tree: Option<Tree>, command: Command, body: &[u8]) -> Result<Reply> {
        self.connection.send(&self.asking(tree, command), body)?.wait()
    }

    /// Says something whose answer nobody waits for.
    pub(crate) fn say(&self, tree: Tree, command: Command, body: &[u8]) {
        // A connection that ended has closed the file too.
        let _ = self.connection.send(&self.asking(Some(tree), command), body);
    }

    /// Begins to read a part of a file; how many bytes are asked for may be less than was wanted.
    pub(crate) fn read(
        &self,
        tree: Tree,
        file: ask::FileId,
        (offset, len): (u64, u32),
        urgency: Urgency,
    ) -> Result<Option<(u32, Pending)>> {
        let charge = u16::try_from(len.div_ceil(limits::CREDIT)).unwrap_or(u16::MAX);
        let asking = Asking { charge, ..self.asking(Some(tree), Command::Read) };
        let paid = |charge: u16| len.min(u32::from(charge) * limits::CREDIT);
        let body = |charge: u16| ask::read(file, offset, paid(charge));
        let sent = self.connection.send_sized(&asking, urgency, &body)?;
        Ok(sent.map(|(charge, pending)| (paid(charge), pending)))
    }

    /// A share, opened when it is not.
    pub(crate) fn tree(&self, share: &str) -> Result<Tree> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = trees.get(share) {
            return Ok(*tree);
        }
        let path = format!(r"\\{}\{share}", self.endpoint.in_paths());
        let reply = self.ask(None, Command::TreeConnect, &ask::tree_connect(&path))?;
        if reply.response.status != Status::SUCCESS {
            let status = reply.response.status;
            return Err(Error::Status { action: "Opening the share", path, status });
        }
        let said = replies::tree_connect(reply.message()).map_err(|reason| self.wrong(Command::TreeConnect, reason))?;
        if !said.is_disk {
            return Err(Error::Input { what: "share", found: share.to_owned(), expected: "one that holds files" });
        }
        if said.encrypts && self.chosen.cipher.is_none() {
            return Err(no_encryption(&self.endpoint, self.chosen.dialect, format!("the share {share} demands")));
        }
        let guard = if said.encrypts || self.is_sealed { Guard::Sealed } else { Guard::Signed };
        let tree = Tree { id: reply.response.tree, guard };
        if trees.is_empty() {
            self.validate(tree)?;
        }
        trees.insert(share.to_owned(), tree);
        Ok(tree)
    }

    /// Asks, in a message that is proved, whether the server said what came in the first one (3.2.5.5, 3.2.5.14.12). SMB 3.1.1
    /// has it in its keys; servers older than SMB 3 do not know the question.
    fn validate(&self, tree: Tree) -> Result<()> {
        if self.chosen.dialect == Dialect::Smb311 {
            return Ok(());
        }
        let body = ask::ioctl(ask::VALIDATE, NO_FILE, &negotiate::validation(&self.guid));
        let reply = self.ask(Some(tree), Command::Ioctl, &body)?;
        let status = reply.response.status;
        let is_unknown = matches!(
            status,
            Status::INVALID_DEVICE_REQUEST | Status::NOT_SUPPORTED | Status::INVALID_PARAMETER | Status::FILE_CLOSED
        );
        if is_unknown && self.chosen.dialect < Dialect::Smb300 {
            return Ok(());
        }
        let said = replies::ioctl(reply.message()).ok().filter(|_| status == Status::SUCCESS);
        if said.is_some_and(|said| self.chosen.is_confirmed_by(said) == Ok(true)) {
            return Ok(());
        }
        let reason = "it does not confirm which version of the protocol it chose".to_owned();
        Err(Error::NotBelieved { endpoint: self.endpoint.to_string(), action: "the first message".to_owned(), reason })
    }

    /// The error for an answer that is not as it should be.
    pub(crate) fn wrong(&self, command: Command, reason: Malformed) -> Error {
        wrong(&self.endpoint, command, reason)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !self.is_ended()
            && let Ok(pending) = self.connection.send(&self.asking(None, Command::Logoff), &ask::nothing())
        {
            let _ = pending.wait_for(GOODBYE);
        }
    }
}

fn wrong(endpoint: &Endpoint, command: Command, reason: Malformed) -> Error {
    Error::Answer { endpoint: endpoint.to_string(), action: command.word().to_owned(), reason }
}

fn no_encryption(endpoint: &Endpoint, dialect: Dialect, wanted: String) -> Error {
    Error::NoEncryption { endpoint: endpoint.to_string(), dialect: dialect.to_string(), wanted }
}

fn fill(bytes: &mut [u8], endpoint: &Endpoint) -> Result<()> {
    let failed = |error: getrandom::Error| std::io::Error::other(format!("no random numbers can be had: {error}"));
    getrandom::fill(bytes).map_err(|error| Error::Connect { endpoint: endpoint.to_string(), source: failed(error) })
}

impl Opening<'_> {
    fn negotiate(&mut self, guid: &[u8; 16]) -> Result<Chosen> {
        let mut random = [0; 32];
        fill(&mut random, self.endpoint)?;
        let asking = Asking { command: Command::Negotiate, tree: 0, session: 0, guard: Guard::None, charge: 1 };
        let (request, pending) = self.connection.send_first(&asking, &negotiate::request(guid, &random))?;
        let no_dialect = |reason| Error::NoDialect { endpoint: self.endpoint.to_string(), reason };
        let reply = pending.wait()?;
        if reply.response.status != Status::SUCCESS {
            return Err(no_dialect(reply.response.status.to_string()));
        }
        self.preauth.add(&request);
        self.preauth.add(reply.message());
        let chosen = Chosen::read(reply.message());
        chosen.map_err(|reason| wrong(self.endpoint, Command::Negotiate, reason))
    }

    /// The rounds of the authentication; the number of the session, and whether everything is to be sealed.
    fn authenticate(&mut self, chosen: &Chosen) -> Result<(u64, bool)> {
        let service = (Service::Cifs, self.endpoint.host());
        let mut negotiation = Negotiation::new(self.login, service, None).map_err(|reason| self.failed(reason))?;
        let mut token = negotiation.step(&[]).map_err(|reason| self.failed(reason))?;
        let mut session = 0;
        for _ in 0..limits::ROUNDS {
            if token.len() > limits::TOKEN - 1024 {
                return Err(self.failed(format!("the token has {} bytes", token.len())));
            }
            let asking = Asking { command: Command::SessionSetup, tree: 0, session, guard: Guard::None, charge: 1 };
            let body = ask::session_setup(SECURITY_MODE.to_le_bytes()[0], &token);
            let (request, pending) = self.connection.send_first(&asking, &body)?;
            let reply = pending.wait()?;
            self.preauth.add(&request);
            session = reply.response.session;
            match reply.response.status {
                Status::SUCCESS => return self.finish(&mut negotiation, chosen, reply),
                Status::MORE_PROCESSING => {
                    self.preauth.add(reply.message());
                    let said = self.setup(&reply)?;
                    token = negotiation.step(&said.token).map_err(|reason| self.failed(reason))?;
                }
                status => return Err(self.refused(status)),
            }
        }
        Err(self.failed(format!("it has more than {} rounds", limits::ROUNDS)))
    }

    fn setup(&self, reply: &Reply) -> Result<replies::Setup> {
        let said = replies::session_setup(reply.message());
        said.map_err(|reason| wrong(self.endpoint, Command::SessionSetup, reason))
    }

    /// The server proves itself: by its last token where there is one, and by the signature of its answer.
    fn finish(&self, negotiation: &mut Negotiation, chosen: &Chosen, mut reply: Reply) -> Result<(u64, bool)> {
        let said = self.setup(&reply)?;
        if said.is_guest || said.is_anonymous {
            let (endpoint, user) = (self.endpoint.to_string(), self.login.credentials.user.clone());
            return Err(Error::Guest { endpoint, user, found: if said.is_guest { "a guest" } else { "nobody" } });
        }
        if !said.token.is_empty() && !negotiation.is_done() {
            negotiation.step(&said.token).map_err(|reason| self.failed(reason))?;
        }
        if matches!(self.login.mechanism, Mechanism::Kerberos(_)) && !negotiation.is_done() {
            return Err(self.failed("the server did not prove itself".to_owned()));
        }
        let key = negotiation.session_key().map_err(|reason| self.failed(reason))?;
        let keys = Keys::new(&key, chosen.dialect, chosen.cipher, &self.preauth);
        let keys = keys.ok_or_else(|| self.failed(format!("its key has {} bytes", key.len())))?;
        let signer = Signer::new(chosen.signing, &keys.signing);
        if !reply.is_signed_by(&signer) {
            let reason = "the server did not sign that it lets the user in".to_owned();
            let (endpoint, action) = (self.endpoint.to_string(), Command::SessionSetup.word().to_owned());
            return Err(Error::NotBelieved { endpoint, action, reason });
        }
        let wants = self.options.encryption == Encryption::Always;
        let is_fast = chosen.cipher.is_some_and(Cipher::is_fast) && self.options.encryption == Encryption::WhereFast;
        let is_sealed = said.encrypts || wants || is_fast;
        if is_sealed && keys.sealing.is_none() {
            let wanted = if wants { "was asked for here" } else { "the server itself demands" };
            return Err(no_encryption(self.endpoint, chosen.dialect, wanted.to_owned()));
        }
        let Response { session, .. } = reply.response;
        let sealing = chosen.cipher.zip(keys.sealing.as_ref());
        let sealing = sealing.map(|(cipher, (out, into))| Sealing::new(cipher, (out, into)));
        self.connection.protect(Protection { session, signer, sealing });
        Ok((session, is_sealed))
    }

    fn failed(&self, reason: String) -> Error {
        let (endpoint, user) = (self.endpoint.to_string(), self.login.credentials.user.clone());
        Error::Authentication { endpoint, user, reason }
    }

    fn refused(&self, status: Status) -> Error {
        if !status.is_refusal() && status != Status::ACCESS_DENIED {
            return self.failed(status.to_string());
        }
        let (endpoint, user) = (self.endpoint.to_string(), self.login.credentials.user.clone());
        Error::Refused { endpoint, user, mechanism: self.login.mechanism.to_string(), status }
    }
}
