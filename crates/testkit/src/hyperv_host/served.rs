//! A host that runs in a thread of its own and answers scripts that come over a connection on loopback, also while one of its
//! tasks is at work. It takes the place of PowerShell behind a server of Windows Remote Management.
//!
//! One line of JSON is asked, `{"script": TEXT, "arguments": [{"name": NAME, "text"|"hex"|"number"|"truth": VALUE}]}`, and one
//! answered: `{"output": [TEXT], "warnings": [TEXT], "error": TEXT or null}`. For a program in the place of `powershell.exe` it is
//! `{"command": BASE64, "input": TEXT}`, and `{"console": [TEXT], "error": TEXT or null}`.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Host, Mirror};
use crate::powershell::{Stop, Value};

/// What the host's thread is asked.
enum Request {
    /// A script with its arguments.
    Script(Json, Sender<Json>),
    /// A look at the host, or a change by hand.
    Look(Box<dyn FnOnce(&mut Host) + Send>),
}

/// A host that is served.
pub struct Served {
    port: u16,
    requests: Sender<Request>,
}

impl Served {
    /// Starts it. Each change of the host by one of its tasks takes the time of `pause`.
    pub fn start(make: impl FnOnce() -> Host + Send + 'static, pause: Duration) -> std::io::Result<Served> {
        Served::start_with(make, pause, None)
    }

    /// Starts one that has the files of a folder of this computer.
    pub fn start_with(
        make: impl FnOnce() -> Host + Send + 'static,
        pause: Duration,
        mirror: Option<Mirror>,
    ) -> std::io::Result<Served> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (requests, waiting) = channel();
        thread::spawn(move || live(make(), waiting, pause, mirror));
        let asked = requests.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let asked = asked.clone();
                thread::spawn(move || answer(&connection, &asked));
            }
        });
        Ok(Served { port, requests })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Looks at the host or changes it by hand; `None` when its thread ended.
    pub fn look<T: Send + 'static>(&self, look: impl FnOnce(&mut Host) -> T + Send + 'static) -> Option<T> {
        let (seen, waiting) = channel();
        let ask = move |host: &mut Host| {
            // Whoever asked may have gone.
            let _ = seen.send(look(host));
        };
        self.requests.send(Request::Look(Box::new(ask))).ok()?;
        waiting.recv().ok()
    }
}

/// The life of the host: it answers, and runs its tasks while it goes on answering.
fn live(mut host: Host, requests: Receiver<Request>, pause: Duration, mirror: Option<Mirror>) {
    let (requests, mirror) = (Rc::new(requests), Rc::new(RefCell::new(mirror)));
    let meanwhile = |pause: Duration| {
        let (waiting, mirror) = (requests.clone(), mirror.clone());
        Box::new(move |host: &mut Host| {
            thread::sleep(pause);
            while let Ok(request) = waiting.try_recv() {
                serve(host, request, &mirror);
            }
        })
    };
    while let Ok(request) = requests.recv() {
        if mirror.borrow().is_none() {
            // Several can talk to a host at once, and look at it while a script runs.
            host.meanwhile = Some(meanwhile(Duration::ZERO));
        }
        serve(&mut host, request, &mirror);
        host.meanwhile = Some(meanwhile(pause));
        while let Some(result) = host.run_task() {
            if let Err(error) = result {
                eprintln!("a task of the host failed: {error}");
            }
        }
        host.meanwhile = None;
    }
}

fn serve(host: &mut Host, request: Request, mirror: &RefCell<Option<Mirror>>) {
    match request {
        Request::Script(json, answer) => {
            let said = match (json["command"].as_str(), json["input"].as_str()) {
                (Some(command), Some(input)) => console(host, (command, input), mirror),
                _ => run(host, &json),
            };
            // Whoever asked may have gone.
            let _ = answer.send(said);
        }
        Request::Look(look) => look(host),
    }
}

fn console(host: &mut Host, (command, input): (&str, &str), mirror: &RefCell<Option<Mirror>>) -> Json {
    let brought = mirror.borrow_mut().as_mut().map_or(Ok(()), |mirror| mirror.bring(&mut host.files));
    let said = brought.map_err(|error| error.to_string()).and_then(|()| host.run_powershell(command, input));
    match said {
        Ok(lines) => json!({"console": lines, "error": null}),
        Err(error) => json!({"console": [], "error": error}),
    }
}

fn run(host: &mut Host, request: &Json) -> Json {
    let text = request["script"].as_str().unwrap_or_default();
    let arguments: Option<Vec<(String, Value)>> =
        request["arguments"].as_array().into_iter().flatten().map(argument).collect();
    let Some(arguments) = arguments else { return json!({"output": [], "warnings": [], "error": "wrong arguments"}) };
    let (result, warnings) = host.run_script(text, arguments);
    let (output, error) = match result {
        Ok(values) => (values, None),
        Err(Stop::Throw(message)) => (Vec::new(), Some(message)),
        Err(other) => (Vec::new(), Some(format!("{other:?}"))),
    };
    let text = |value: &Value| value.text().unwrap_or_else(|_| value.kind());
    json!({"output": output.iter().map(text).collect::<Vec<_>>(), "warnings": warnings, "error": error})
}

/// An argument of a script out of the line that asks for it.
pub(crate) fn argument(json: &Json) -> Option<(String, Value)> {
    let name = json["name"].as_str()?.to_owned();
    let value = match (&json["text"], &json["hex"], &json["number"], &json["truth"]) {
        (Json::String(text), ..) => Value::from(text),
        (_, Json::String(digits), ..) => Value::bytes(&bytes(digits)?),
        (_, _, Json::Number(number), _) => Value::number(number.as_i64()?),
        (.., Json::Bool(truth)) => Value::Bool(*truth),
        _ => return None,
    };
    Some((name, value))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Answers one connection until it ends.
fn answer(connection: &TcpStream, requests: &Sender<Request>) {
    let mut writer = connection;
    for line in BufReader::new(connection).lines() {
        let Some(request) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { return };
        let (sender, waiting) = channel();
        if requests.send(Request::Script(request, sender)).is_err() {
            return;
        }
        let Ok(answer) = waiting.recv() else { return };
        // At once: a piece of it would wait until the one before is acknowledged.
        if writer.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}
