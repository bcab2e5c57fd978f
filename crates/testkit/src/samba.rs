//! A server of shares for tests: Samba on loopback with a port, users and folders of its own, started here and ended by its
//! process.

use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user, as a login names it.
pub const USER: &str = "Administrator";
/// The password of that user.
pub const PASSWORD: &str = "Passw0rd!";
/// Where Debian has the server.
const SERVER: &str = "/usr/sbin/smbd";

/// Opens files and shares them with nobody, as a running Windows does with its hives and a running machine with its disks.
const HOLD: &str = r"
import sys, uuid
from smbprotocol.connection import Connection
from smbprotocol.open import (CreateDisposition, CreateOptions, FileAttributes, FilePipePrinterAccessMask,
                              ImpersonationLevel, Open)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect
user, password, port, share, *paths = sys.argv[1:]
connection = Connection(uuid.uuid4(), '127.0.0.1', int(port))
connection.connect()
session = Session(connection, user, password, require_encryption=False)
session.connect()
tree = TreeConnect(session, '\\\\127.0.0.1\\' + share)
tree.connect()
for path in paths:
    Open(tree, path).create(ImpersonationLevel.Impersonation, FilePipePrinterAccessMask.FILE_READ_DATA,
                            FileAttributes.FILE_ATTRIBUTE_NORMAL, 0, CreateDisposition.FILE_OPEN,
                            CreateOptions.FILE_NON_DIRECTORY_FILE)
print('held', flush=True)
sys.stdin.read()
";

/// Files that another client keeps for itself until this goes.
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A share: its name, its folder, and lines of its own in the configuration.
pub type ShareOf<'a> = (&'a str, &'a Path, &'a str);

/// A server that runs until this goes.
pub struct Samba {
    server: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
}

impl Samba {
    /// What is missing for it.
    pub fn missing() -> Option<String> {
        let programs = [SERVER, "/usr/bin/smbpasswd", "/usr/bin/smbclient"];
        if let Some(program) = programs.into_iter().find(|program| !Path::new(program).exists()) {
            return Some(format!("{program} is not installed (apt-get install samba samba-vfs-modules smbclient)"));
        }
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        (!is_root).then(|| "a server of shares wants the rights of root".to_owned())
    }

    /// Starts it with its own data in an empty folder; `global` are more lines of the configuration.
    pub fn start(folder: &Path, global: &str, shares: &[ShareOf<'_>]) -> io::Result<Samba> {
        Samba::start_with(folder, global, shares, &[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with(
        folder: &Path,
        global: &str,
        shares: &[ShareOf<'_>],
        variables: &[(&str, &Path)],
    ) -> io::Result<Samba> {
        let folder = folder.canonicalize()?;
        let port = crate::port::free()?;
        for name in ["priv", "lock", "state", "cache", "run", "log"] {
            fs::create_dir_all(folder.join(name))?;
        }
        fs::write(folder.join("users.map"), "root = Administrator LAB\\Administrator\n")?;
        fs::write(folder.join("smb.conf"), configuration(&folder, port, global, shares))?;
        let mut add = Command::new("/usr/bin/smbpasswd");
        add.arg("-c")
            .arg(folder.join("smb.conf"))
            .args(["-s", "-a", "root"])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut add = add.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        add.stdin.take().expect("it is piped").write_all(format!("{PASSWORD}\n{PASSWORD}\n").as_bytes())?;
        if !add.wait()?.success() {
            return Err(io::Error::other("smbpasswd did not add the user"));
        }
        let server = serve(&folder, variables)?;
        let samba = Samba { server, port, folder };
        samba.wait()?;
        if let Some((share, ..)) = shares.first() {
            samba.warm(share)?;
        }
        Ok(samba)
    }

    fn wait(&self) -> io::Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other("the server of shares does not listen"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its first connections may come before all of it is there (it then has "no memory" for a share). Some servers here speak only
    /// what smbclient does not, so that this gives up soon.
    fn warm(&self, share: &str) -> io::Result<()> {
        for _ in 0..4 {
            if self.smbclient(share, &["-c", "exit"])?.status.success() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What `smbclient` says of a share, run as the user with this command.
    pub fn smbclient(&self, share: &str, args: &[&str]) -> io::Result<std::process::Output> {
        let mut command = Command::new("/usr/bin/smbclient");
        command.arg("-s").arg(self.folder.join("smb.conf")).args(["-p", &self.port.to_string()]);
        command.args(["-U", &format!("{USER}%{PASSWORD}"), &format!("//127.0.0.1/{share}")]).args(args);
        command.stdin(Stdio::null()).output()
    }

    /// Lets another client, run by this Python, open files of a share for itself alone; why it does not, when it does not.
    pub fn hold(&self, python: &Path, share: &str, paths: &[&str]) -> io::Result<Held> {
        let mut command = Command::new(python);
        command.args(["-c", HOLD, USER, PASSWORD, &self.port.to_string(), share]).args(paths);
        let mut held = Held(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let mut line = String::new();
        io::BufReader::new(held.0.stdout.take().expect("it is piped")).read_line(&mut line)?;
        if line.trim() == "held" {
            return Ok(held);
        }
        let mut reason = String::new();
        held.0.stderr.take().expect("it is piped").read_to_string(&mut reason)?;
        Err(io::Error::other(reason))
    }

    /// Ends it.
    pub fn stop(&mut self) -> io::Result<()> {
        self.server.kill()?;
        self.server.wait().map(drop)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stop();
    }
}

fn serve(folder: &Path, variables: &[(&str, &Path)]) -> io::Result<Child> {
    let mut server = Command::new(SERVER);
    server.args(["-F", "--no-process-group", "-s"]).arg(folder.join("smb.conf"));
    server.arg("-l").arg(folder.join("log")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    server.envs(variables.iter().copied()).spawn()
}

fn configuration(folder: &Path, port: u16, global: &str, shares: &[ShareOf<'_>]) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut text = format!(
        "[global]\nworkgroup = LAB\nnetbios name = HVSRC\nserver role = standalone server\n\
         bind interfaces only = yes\ninterfaces = 127.0.0.1/8\nsmb ports = {port}\ndisable netbios = yes\n\
         private dir = {}\nlock directory = {}\nstate directory = {}\ncache directory = {}\npid directory = {}\n\
         ncalrpc dir = {}\nlog file = {}\nlog level = 1\npassdb backend = tdbsam:{}\nusername map = {}\n\
         map to guest = never\nserver min protocol = SMB2_02\nload printers = no\nprintcap name = /dev/null\n\
         vfs objects = streams_xattr\nfollow symlinks = yes\nwide links = no\nread only = yes\n{global}\n",
        at("priv"),
        at("lock"),
        at("state"),
        at("cache"),
        at("run"),
        at("run/ncalrpc"),
        at("log/log"),
        at("priv/passdb.tdb"),
        at("users.map")
    );
    for (name, path, more) in shares {
        text.push_str(&format!("[{name}]\npath = {}\nbrowseable = no\n{more}\n", path.display()));
    }
    text
}

/// Puts copies where links of Windows lead to files of the same host, whose drives are folders below one: Samba shows no such
/// links.
pub fn files_for_links(host: &Path) -> io::Result<()> {
    for drive in fs::read_dir(host)? {
        let drive = drive?.path();
        if drive.is_dir() {
            fill(host, &drive)?;
        }
    }
    Ok(())
}

fn fill(host: &Path, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fill(host, &entry.path())?;
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path())?.to_string_lossy().replace(":\\", "/").replace('\\', "/");
            let bytes = fs::read(host.join(&target));
            fs::remove_file(entry.path())?;
            if let Ok(bytes) = bytes {
                fs::write(entry.path(), bytes)?;
            }
        }
    }
    Ok(())
}
