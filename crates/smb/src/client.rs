//! The client: one server, one user, and a session that is made anew when it is needed.

use std::sync::{Arc, Mutex, PoisonError};

use hvm_login::Login;

use crate::endpoint::{Endpoint, Options};
use crate::error::{Error, Result};
use crate::live::Live;
use crate::mending::Mending;
use crate::share::Share;
use crate::wire::header::Command;
use crate::wire::negotiate::Dialect;

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    server: Arc<Server>,
}

/// A server and the session with it.
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
    login: Login,
    live: Mutex<Option<Arc<Live>>>,
}

impl Client {
    /// Connects and proves who asks, once: a server that is away or refuses is known then.
    ///
    /// # Errors
    /// When the server cannot be reached, does not let in, or cannot do what is wanted.
    pub fn connect(endpoint: Endpoint, login: Login, options: Options) -> Result<Client> {
        let live = Live::open(&endpoint, &login, &options).map_err(|error| match error {
            // A server that speaks only SMB 1 closes the connection, or says nothing that can be understood.
            Error::Dropped { endpoint, action, reason } if action == Command::Negotiate.word() => {
                Error::NoDialect { endpoint, reason }
            }
            other => other,
        })?;
        let live = Mutex::new(Some(Arc::new(live)));
        Ok(Client { server: Arc::new(Server { endpoint, options, login, live }) })
    }

    /// The server.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.server.endpoint
    }

    /// The version of the protocol that is spoken.
    ///
    /// # Errors
    /// When the server is away.
    pub fn dialect(&self) -> Result<Dialect> {
        self.server.again(|live| Ok(live.dialect()))
    }

    /// Opens a share.
    ///
    /// # Errors
    /// When there is no such share, or the user may not open it.
    pub fn share(&self, name: &str) -> Result<Share> {
        Share::open(Arc::clone(&self.server), name)
    }
}

impl Server {
    /// The session, made anew when it has ended.
    pub(crate) fn live(&self) -> Result<Arc<Live>> {
        let mut known = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = known.as_ref().filter(|live| !live.is_ended()) {
            return Ok(Arc::clone(live));
        }
        *known = None;
        let live = Arc::new(Live::open(&self.endpoint, &self.login, &self.options)?);
        *known = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Asks no more on a session that has ended, or that the server forgot.
    pub(crate) fn forget(&self, live: &Arc<Live>) {
        let mut known = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, live)) {
            *known = None;
        }
    }

    /// Asks something that may be asked twice.
    pub(crate) fn again<T>(&self, mut ask: impl FnMut(&Arc<Live>) -> Result<T>) -> Result<T> {
        let mut mending = Mending::new(self.options.patience);
        loop {
            let went = self.live().and_then(|live| {
                let went = ask(&live);
                if went.as_ref().is_err_and(Error::is_lost) {
                    self.forget(&live);
                }
                went
            });
            match went {
                Ok(answer) => return Ok(answer),
                Err(error) => mending.wait(error)?,
            }
        }
    }
}
