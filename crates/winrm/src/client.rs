//! The client: one service, one login, and a connection that is made anew when it is needed. A request whose answer did not
//! come is never repeated here: only the caller knows whether doing it twice is doing it once.

use hvm_login::Login;

use crate::connection::{Answer, Asking, Connection};
use crate::endpoint::Endpoint;
use crate::error::{Error, Progress, Result};
use crate::guid::Guid;
use crate::options::Options;
use crate::soap::envelope::{self, Request};
use crate::soap::fault::Fault;
use crate::soap::names;
use crate::soap::reply::Reply;
use crate::soap::xml;

/// A client of one host.
pub struct Client {
    endpoint: Endpoint,
    login: Login,
    options: Options,
    session: Guid,
    connection: Option<Connection>,
}

/// What a service says about itself (DSP0226 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `ProductVendor`, such as `Microsoft Corporation`.
    pub vendor: String,
    /// `ProductVersion`, such as `OS: 6.1.7601 SP: 1.0 Stack: 2.0`; zeros before a login.
    pub version: String,
    /// `ProtocolVersion`.
    pub protocol: String,
}

impl Client {
    /// A client that has not talked to anybody yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, login: Login, options: Options) -> Self {
        Self { endpoint, login, options, session: Guid::random(), connection: None }
    }

    /// Where it talks to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Forgets the connection; the next request makes a new one. Shells on the server stay.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Asks the service what it is. The request is authenticated like every other one.
    ///
    /// # Errors
    /// When there is no connection, no login or no usable answer.
    pub fn identify(&mut self) -> Result<Identity> {
        let answer = self.post("Identify", &envelope::identify())?;
        let reply = self.read(&answer, "Identify", None)?;
        let node = reply.body().children().find(|node| node.tag_name().name() == "IdentifyResponse");
        let node = node.ok_or_else(|| self.unusable("Identify", "it does not say what it is".to_owned()))?;
        let value = |name: &str| {
            let found = node.children().find(|child| child.tag_name().name() == name);
            found.map(xml::text).unwrap_or_default()
        };
        let (vendor, version) = (value("ProductVendor"), value("ProductVersion"));
        Ok(Identity { vendor, version, protocol: value("ProtocolVersion") })
    }

    /// Sends a request and reads its answer.
    pub(crate) fn call<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(&Reply<'_>) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let message = Guid::random();
        let text = envelope::write(request, &self.endpoint.to_string(), message, self.session, &self.options);
        let action = request.action.rsplit('/').next().unwrap_or_default();
        let answer = self.post(action, &text)?;
        let reply = self.read(&answer, action, Some(message))?;
        read(&reply).map_err(|reason| self.unusable(action, reason))
    }

    fn post(&mut self, action: &str, text: &str) -> Result<Answer> {
        let asking = Asking { action, time: self.options.operation + self.options.patience };
        // A server may forget a login with the connection still open; it then has not looked at the request.
        for _ in 0..2 {
            if !self.connection.as_mut().is_some_and(Connection::is_usable) {
                self.connection = None;
                let made = Connection::open(&self.endpoint, &self.login, &self.options);
                self.connection = Some(made.map_err(|error| error.knowing(Progress::NotSent))?);
            }
            let connection = self.connection.as_mut().expect("it was just made");
            match connection.ask(text, asking) {
                Ok(answer) if answer.status == 401 => self.connection = None,
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    self.connection = None;
                    return Err(error);
                }
            }
        }
        let mechanism = self.login.mechanism.to_string();
        Err(Error::Refused {
            endpoint: self.endpoint.to_string(),
            user: self.login.credentials.user.clone(),
            mechanism,
        })
    }

    fn read<'a>(&self, answer: &'a Answer, action: &str, asked: Option<Guid>) -> Result<Reply<'a>> {
        let status = answer.status;
        let reply = match Reply::read(&answer.text, asked) {
            Ok(reply) => reply,
            Err(_) if status != 200 => return Err(self.unusable(action, format!("it has HTTP status {status}"))),
            Err(reason) => return Err(self.unusable(action, reason)),
        };
        if let Some(fault) = reply.fault() {
            let fault = Fault { endpoint: self.endpoint.to_string(), action: action.to_owned(), ..fault };
            return Err(Error::Fault(Box::new(fault)));
        }
        if status == 200 { Ok(reply) } else { Err(self.unusable(action, format!("it has HTTP status {status}"))) }
    }

    pub(crate) fn unusable(&self, action: &str, reason: String) -> Error {
        Error::Answer { endpoint: self.endpoint.to_string(), action: action.to_owned(), reason }
    }
}

/// The address of an action of WS-Transfer.
pub(crate) fn transfer(verb: &str) -> String {
    format!("{}/{verb}", names::TRANSFER)
}

/// The address of an action of shells.
pub(crate) fn shell_action(verb: &str) -> String {
    format!("{}/{verb}", names::SHELL)
}
