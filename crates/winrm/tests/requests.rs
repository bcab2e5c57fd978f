//! Our requests beside those of pywinrm and pypsrp for the same jobs, as the server saw them after opening the seal: action,
//! resource, options, selectors and the elements of the body. Where they differ on purpose, the list below says why.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod support;

use std::collections::BTreeMap;

use hvm_winrm::psrp::Script;
use hvm_winrm::{Flow, Query, ShellOptions};
use roxmltree::{Document, Node};
use support::{Peer, Way};

/// A request without what is new each time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    action: String,
    resource: String,
    options: BTreeMap<String, String>,
    selectors: Vec<String>,
    body: Vec<String>,
    header: Vec<String>,
}

fn shape(xml: &str) -> Shape {
    let document = Document::parse(xml).unwrap();
    let root = document.root_element();
    let find = |name: &str| root.descendants().find(|node| node.tag_name().name() == name).unwrap();
    let text = |name: &str| find(name).text().unwrap_or_default().to_owned();
    let all = |name: &'static str| root.descendants().filter(move |node| node.tag_name().name() == name);
    let value = |node: Node<'_, '_>| {
        let name = node.attribute("Name").unwrap_or_default().to_owned();
        // Truth values are written in any case of letters.
        (name, node.text().unwrap_or_default().to_uppercase())
    };
    let mut header: Vec<String> = find("Header").children().filter(Node::is_element).map(place).collect();
    header.sort();
    header.dedup();
    Shape {
        action: text("Action"),
        resource: text("ResourceURI"),
        options: all("Option").map(value).collect(),
        selectors: all("Selector").map(|node| node.attribute("Name").unwrap_or_default().to_owned()).collect(),
        body: find("Body").descendants().skip(1).filter(Node::is_element).map(describe).collect(),
        header,
    }
}

fn place(node: Node<'_, '_>) -> String {
    format!("{{{}}}{}", node.tag_name().namespace().unwrap_or_default(), node.tag_name().name())
}

/// An element with its attributes, and with its text where that is no identifier and no payload.
fn describe(node: Node<'_, '_>) -> String {
    let mut names: Vec<String> = node.attributes().map(|attribute| attribute.name().to_owned()).collect();
    names.sort();
    let fixed = ["DesiredStream", "InputStreams", "OutputStreams", "Filter", "MaxElements", "Command", "Code"];
    let text = node.text().filter(|_| fixed.contains(&node.tag_name().name())).unwrap_or_default();
    // pypsrp writes the code of Terminate with a capital.
    format!("{} {} {}", place(node), names.join(","), text.to_lowercase()).trim().to_owned()
}

/// The requests of a client in the record, each shape once and in its first place.
fn shapes(record: &[(String, String)], client: &str) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (_, xml) in record.iter().filter(|(name, _)| name.to_lowercase().contains(client)) {
        let shape = shape(xml);
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    shapes
}

fn our_jobs(peer: &Peer) {
    let mut client = peer.client(None);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    shell.run("ipconfig", &["/all"], &mut |_, _| Flow::GoOn).unwrap();
    shell.close().unwrap();
    let mut pool = client.open_pool().unwrap();
    pool.run(&Script::new("echo Get-VM"), &mut |_| Flow::GoOn).unwrap();
    pool.close().unwrap();
    let query = Query { batch: 10, ..Query::new("root/virtualization/v2", "SELECT * FROM Msvm_ComputerSystem") };
    client.query_all(&query).unwrap();
}

/// Makes a request of another client look as ours where the difference is meant.
fn allowed(mut shape: Shape) -> Shape {
    let is_cmd = shape.resource.ends_with("/shell/cmd");
    match shape.action.rsplit('/').next().unwrap_or_default() {
        // UTF-8 and not code page 437 or the server's own; the profile is loaded, as pywinrm says aloud.
        "Create" if is_cmd => {
            shape.options.insert("WINRS_CODEPAGE".to_owned(), "65001".to_owned());
            shape.options.insert("WINRS_NOPROFILE".to_owned(), "FALSE".to_owned());
        }
        // pypsrp says nothing about the console, and puts the whole line into the command.
        "Command" if is_cmd => {
            shape.options.insert("WINRS_CONSOLEMODE_STDIN".to_owned(), "TRUE".to_owned());
            for line in &mut shape.body {
                *line = line.replace("ipconfig /all", "ipconfig");
            }
            let arguments = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}Arguments".to_owned();
            if !shape.body.contains(&arguments) {
                shape.body.push(arguments);
            }
        }
        // pypsrp says for commands of PowerShell too that cmd.exe is not left out, which means nothing there.
        "Command" => shape.options.clear(),
        // pypsrp ends a command that has ended with the keyboard's signal, pywinrm and we with Terminate.
        "Signal" => {
            for line in &mut shape.body {
                *line = line.replace("/signal/ctrl_c", "/signal/terminate");
            }
        }
        // pywinrm does not ask for answers before the time is over.
        "Receive" => {
            shape.options.insert("WSMAN_CMDSHELL_OPTION_KEEPALIVE".to_owned(), "TRUE".to_owned());
        }
        _ => {}
    }
    // pywinrm's `To` and its missing session are the only differences of the header.
    shape.header.retain(|name| !name.ends_with("}SessionId") && !name.ends_with("}OptionSet"));
    // The name of a pool is for people only.
    shape.body.iter_mut().for_each(|line| *line = line.replace("Shell Name,ShellId", "Shell ShellId"));
    shape
}

#[test]
fn our_requests_are_those_of_pywinrm_and_pypsrp() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    our_jobs(&peer);
    let python = support::python().unwrap();
    let done = std::process::Command::new(python)
        .arg(support::script("clients.py"))
        .arg(peer.port.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let record = peer.record();
    let ours: Vec<Shape> = shapes(&record, "hvmigrate").into_iter().map(allowed).collect();
    let theirs: Vec<Shape> = ["winrm client", "psrp client"]
        .iter()
        .flat_map(|client| shapes(&record, client))
        .filter(|s| !ours.contains(s))
        .collect();
    let theirs: Vec<Shape> = theirs.into_iter().map(allowed).collect();
    let unlike: Vec<&Shape> = theirs.iter().filter(|shape| !ours.contains(shape)).collect();
    assert!(unlike.is_empty(), "nothing of ours is like {unlike:#?}\nours: {ours:#?}");
    let seen = theirs.len();
    assert!(seen >= 8 && ours.len() >= 10, "{seen} requests of theirs, {} of ours", ours.len());
    println!("{seen} kinds of requests of pywinrm and pypsrp are like ours");
}
