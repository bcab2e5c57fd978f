//! report.html is one well-formed file that loads nothing and runs nothing, whatever machines are called.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ANSWERS, Scene};
use hvm_testkit::sample::{Variant, ids};

/// The names of tags in order, closing ones with their slash; panics on a tag that is not closed.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap();
        tags.push(tag.split_whitespace().next().unwrap());
    }
    tags
}

fn check_nesting(html: &str) {
    let mut open = Vec::new();
    for tag in tags(html).into_iter().filter(|tag| !["!DOCTYPE", "meta", "br"].contains(tag)) {
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None => open.push(tag),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

const TO: &str = "kit:to?os=2012&processors=2&memory=32GiB&free=500GiB&language=0407";
/// Leaves machines blocked without [`ANSWERS`].
const PLAN: [&str; 7] = ["plan", "--from", "folder:source", "--work", "work", "--to", TO];

#[test]
fn it_is_self_contained_at_every_stage() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    let answered = [&PLAN[..], &ANSWERS].concat();
    let commands: [(i32, &[&str]); 5] = [
        (3, &PLAN),
        (0, &answered),
        (0, &["migrate", "--work", "work", "--confirm", "all"]),
        (0, &["verify", "--work", "work"]),
        (0, &["finish", "--work", "work", "--confirm", "all"]),
    ];
    for (code, args) in commands {
        scene.expect(code, args);
        scene.expect(0, &["report", "--work", "work", "--output", "reports"]);
        let html = std::fs::read_to_string(scene.dir.join("reports/report.html")).unwrap();
        check_nesting(&html);
        for outside in ["<script", "http:", "https:", "src=", "url(", "@import", "<link", "<img", "<iframe"] {
            assert!(!html.contains(outside), "{outside} after {args:?}");
        }
        assert!(html.contains("Datei &amp; &quot;Druck&quot; Server"));
        assert!(html.contains("C – 更新 &lt;neu&gt;") && !html.contains(ids::CHECKPOINT_C.1));
    }
    let json = std::fs::read_to_string(scene.dir.join("reports/report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verification"]["differences"].as_array().unwrap().len(), 0);
    // The plan is for 2012; each of the five later releases takes no authorization store.
    let others = json["other_releases"].as_array().unwrap();
    assert_eq!(others.len(), 5);
    for other in others {
        let lost = other["lost"].as_array().unwrap();
        assert!(lost.iter().any(|lost| lost["setting"]["item"] == "authorization-store"), "{other}");
    }
    let html = std::fs::read_to_string(scene.dir.join("reports/report.html")).unwrap();
    assert!(html.contains("<h2>Guests</h2>") && html.contains("No operating system was found on its disks."));
    assert!(html.contains("Made anew around its disks, with a new id. No documentation says that Windows Server 2012"));
    assert!(html.contains("On other releases") && html.contains("does not honour authorization stores"));
    let count = |pointer: &str| json.pointer(pointer).and_then(|found| found.as_array()).map_or(0, Vec::len);
    for (promised, least) in [
        ("/inventory/machines", 5),
        ("/inventory/guests", 5),
        ("/inventory/adapters", 1),
        ("/inventory/host/settings/authorization/assignments", 1),
        ("/plan/estimate/machines", 5),
        ("/not_carried", 1),
    ] {
        assert!(count(promised) >= least, "{promised} has {} entries", count(promised));
    }
}

/// What the report promises a person who has to answer for the outage: how long each machine is off, before and after.
#[test]
fn it_tells_times_and_addresses() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    let said = scene.expect(0, &[&PLAN[..], &ANSWERS].concat()).stdout;
    let estimate = said.split("ESTIMATE\n").nth(1).unwrap();
    let report = |scene: &Scene| -> (serde_json::Value, String) {
        scene.expect(0, &["report", "--work", "work", "--output", "reports"]);
        let read = |name: &str| std::fs::read_to_string(scene.dir.join("reports").join(name)).unwrap();
        (serde_json::from_str(&read("report.json")).unwrap(), read("report.html"))
    };
    let (json, html) = report(&scene);
    let number = |value: &serde_json::Value, name: &str| value[name].as_f64().unwrap();
    let whole = &json["plan"]["estimate"];
    assert!(number(whole, "read_rate") > 0.0 && number(whole, "write_rate") > 0.0, "{whole}");
    let machines = whole["machines"].as_array().unwrap();
    assert_eq!(machines.len(), json["plan"]["role"]["machines"].as_array().unwrap().len());
    for machine in machines {
        let name = machine["name"].as_str().unwrap();
        let line = estimate.lines().find(|line| line.ends_with(&format!(" off  {name}"))).unwrap();
        assert!(line.contains(" to copy "), "{line}");
        // All machines are off from the beginning to the end.
        assert!(number(machine, "downtime_seconds") >= number(machine, "seconds"), "{machine}");
        assert_eq!(number(machine, "downtime_seconds"), number(whole, "seconds"), "{machine}");
    }
    assert_eq!(machines.iter().map(|machine| number(machine, "bytes")).sum::<f64>(), number(whole, "bytes"));
    assert!(estimate.contains(" in total\n") && html.contains("Off for,<br>estimated"), "{estimate}");
    let adapters = json["inventory"]["adapters"].as_array().unwrap();
    let ip = |id: &str| {
        let id = id.trim_matches(['{', '}']);
        let ip = adapters.iter().find(|adapter| adapter["id"] == id).map(|adapter| &adapter["ip"]).unwrap();
        [&ip["addresses"], &ip["gateways"], &ip["dns_servers"]].map(ToString::to_string).join(" ")
    };
    assert_eq!(ip(ids::NIC_MANAGEMENT), r#"["10.20.0.11/16"] [] ["10.20.0.2"]"#);

    scene.expect(0, &["migrate", "--work", "work", "--confirm", "all"]);
    let (json, html) = report(&scene);
    assert!(html.contains(">Estimated</th>") && html.contains(">Actual</th>"));
    let steps = json["steps"].as_array().unwrap().iter();
    let copies: Vec<_> = steps.filter(|step| step["id"].as_str().unwrap().starts_with("copy-disk.")).collect();
    assert!(copies.len() >= 5, "{copies:?}");
    assert!(copies.iter().all(|step| number(step, "seconds") > 0.0), "{copies:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    let mut child = scene
        .command(&["rules", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
