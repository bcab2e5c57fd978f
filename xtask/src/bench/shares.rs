//! How fast a file of a share is read: the client of this program and smbclient in turns, from the same Samba on loopback, with
//! each message signed or sealed in each. It is a section of docs/performance.md; `cargo xtask bench --only smb` prints it alone.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hvm_testkit::samba::{PASSWORD, Samba, USER};

use super::{at, spread};
use crate::run::cargo;

/// Bytes of the file.
const SIZE: u64 = 1 << 30;
/// Our wall time through theirs, at most: 0.9 of their rate.
const MOST: f64 = 1.0 / 0.9;

/// What both sides speak: its name, lines for the server, and how messages are protected, for ours and for theirs.
const WAYS: [(&str, &str, &str, &str); 5] = [
    ("SMB 2.0.2, signed", "server max protocol = SMB2_02", "signed", "sign"),
    ("SMB 2.1, signed", "server max protocol = SMB2_10", "signed", "sign"),
    ("SMB 3.0, signed", "server max protocol = SMB3_00", "signed", "sign"),
    ("SMB 3.1.1, signed", "", "signed", "sign"),
    ("SMB 3.1.1, sealed", "", "sealed", "encrypt"),
];

/// Measures; the section of the page.
pub fn section(rounds: usize) -> Result<String, String> {
    if let Some(missing) = Samba::missing() {
        return Err(missing);
    }
    cargo(&["build", "--release", "--quiet", "--package", "hvm-smb", "--example", "rate"])?;
    let ours = crate::target().join("release").join("examples").join("rate");
    let memory = Path::new("/dev/shm");
    let memory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = memory.join(format!("hvmigrate-shares-{}", std::process::id()));
    let result = all(&folder, &ours, rounds);
    std::fs::remove_dir_all(&folder).map_err(at(&folder))?;
    result
}

fn all(folder: &Path, ours: &Path, rounds: usize) -> Result<String, String> {
    let share = folder.join("share");
    std::fs::create_dir_all(&share).map_err(at(&share))?;
    let random = std::fs::File::open("/dev/urandom").map_err(at(Path::new("/dev/urandom")))?;
    let path = share.join("file");
    let mut file = std::fs::File::create(&path).map_err(at(&path))?;
    std::io::copy(&mut random.take(SIZE), &mut file).map_err(at(&path))?;
    let mut text = format!(
        "\n## A file of a share\n\n`cargo xtask bench --only smb`: a file of {} GiB of random bytes is read from Samba on loopback by the client of\n\
         `smb://` (`crates/smb/examples/rate.rs`) and by smbclient, in {rounds} pairs. Figures are medians.\n\n\
         | how | ours MB/s | smbclient MB/s | ours / smbclient | goal |\n| --- | --- | --- | --- | --- |\n",
        SIZE >> 30
    );
    for (number, (name, global, protected, theirs)) in WAYS.iter().enumerate() {
        let own = folder.join(number.to_string());
        std::fs::create_dir(&own).map_err(at(&own))?;
        let samba = Samba::start(&own, global, &[("files", &share, "")]).map_err(at(&own))?;
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            pairs.push((read(ours, &samba, protected)?, get(&samba, theirs)?));
        }
        let rate = |of: fn(&(f64, f64)) -> f64| SIZE as f64 / 1e6 / spread(pairs.iter().map(of)).median;
        let ratio = spread(pairs.iter().map(|(ours, theirs)| ours / theirs)).median;
        let met = if ratio <= MOST { "met" } else { "**not met**" };
        let (ours, theirs) = (rate(|pair| pair.0), rate(|pair| pair.1));
        let _ = writeln!(text, "| {name} | {ours:.0} | {theirs:.0} | {:.2} | 0.90: {met} |", 1.0 / ratio);
    }
    Ok(text)
}

/// Seconds in which ours reads the file.
fn read(program: &Path, samba: &Samba, protected: &str) -> Result<f64, String> {
    let begin = Instant::now();
    let mut command = Command::new(program);
    command.args(["127.0.0.1", &samba.port.to_string(), USER, "files", "file", protected]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(at(program))?;
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(format!("{PASSWORD}\n").as_bytes()).map_err(at(program))?;
    drop(input);
    let status = child.wait().map_err(at(program))?;
    if status.success() { Ok(begin.elapsed().as_secs_f64()) } else { Err(format!("rate ended with {status}")) }
}

/// Seconds in which smbclient does.
fn get(samba: &Samba, protected: &str) -> Result<f64, String> {
    let begin = Instant::now();
    let protection = format!("--client-protection={protected}");
    let output =
        samba.smbclient("files", &[&protection, "-c", "get file /dev/null"]).map_err(at(Path::new("smbclient")))?;
    let seconds = begin.elapsed().as_secs_f64();
    if output.status.success() { Ok(seconds) } else { Err(format!("smbclient ended with {}", output.status)) }
}
