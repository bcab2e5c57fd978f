//! A Kerberos realm for tests: MIT's key distribution centre on loopback, with one user and one service.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Name of the realm.
pub const REALM: &str = "EXAMPLE.TEST";
/// The user, as a login names it.
pub const USER: &str = r"EXAMPLE.TEST\Administrator";
/// The services, which run on this computer.
const SERVICES: [&str; 2] = ["HTTP/localhost", "cifs/localhost"];
const PROGRAMS: [&str; 3] = ["krb5kdc", "kdb5_util", "kadmin.local"];
/// Where Debian keeps the Python modules that speak to MIT's library.
const MODULES: &str = "/usr/lib/python3/dist-packages";

/// A realm whose centre runs until this goes.
pub struct Realm {
    folder: PathBuf,
    centre: Child,
    port: u16,
}

impl Realm {
    /// What is missing for its centre.
    pub fn missing_centre() -> Option<String> {
        let missing = PROGRAMS.into_iter().find(|program| !tool(program).exists());
        missing.map(|program| format!("{program} is not installed (apt-get install krb5-kdc krb5-admin-server)"))
    }

    /// What is missing for it: the centre's programs, or the module with which a service run by `python` opens tickets.
    pub fn missing(python: &Path) -> Option<String> {
        if let Some(missing) = Realm::missing_centre() {
            return Some(missing);
        }
        let mut import = Command::new(python);
        import.args(["-c", "import gssapi"]).env("PYTHONPATH", MODULES).stderr(Stdio::null());
        let there = import.status().is_ok_and(|status| status.success());
        (!there).then(|| "gssapi for Python is missing (apt-get install python3-gssapi)".to_owned())
    }

    /// Makes it in an empty folder and starts its centre.
    pub fn start(folder: &Path, password: &str) -> io::Result<Realm> {
        let port = crate::port::free()?;
        configure(folder, port)?;
        run(folder, "kdb5_util", &["create", "-r", REALM, "-s", "-P", "of the database"])?;
        let keytab = folder.join("keytab").display().to_string();
        let mut lines = vec![format!("addprinc +requires_preauth -pw {password} Administrator")];
        for service in SERVICES {
            // Samba that is no member of a domain takes no ticket with a PAC.
            lines.push(format!("addprinc -randkey +no_auth_data_required {service}"));
            lines.push(format!("ktadd -k \"{keytab}\" {service}"));
        }
        for line in lines {
            run(folder, "kadmin.local", &["-r", REALM, "-q", &line])?;
        }
        let centre = command(folder, "krb5kdc").args(["-n", "-r", REALM]).spawn()?;
        let realm = Realm { folder: folder.to_owned(), centre, port };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other("the key distribution centre does not listen"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(realm)
    }

    /// Address and port of the centre.
    pub fn centre(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The environment of a service of the realm.
    pub fn variables(&self) -> [(&'static str, PathBuf); 3] {
        let file = |name| self.folder.join(name);
        [("KRB5_CONFIG", file("krb5.conf")), ("KRB5_KTNAME", file("keytab")), ("PYTHONPATH", MODULES.into())]
    }

    /// How many tickets for the services the centre gave.
    pub fn tickets(&self) -> io::Result<usize> {
        let log = std::fs::read_to_string(self.folder.join("kdc.log"))?;
        let is_for_one = |line: &str| SERVICES.iter().any(|service| line.contains(&format!("for {service}@{REALM}")));
        let is_ticket = |line: &&str| line.contains("TGS_REQ") && line.contains("ISSUE") && is_for_one(line);
        Ok(log.lines().filter(is_ticket).count())
    }

    /// Lets tickets for the services last for so many seconds from now on, and clocks differ by three at most, which services
    /// grant on top.
    pub fn limit_tickets(&self, seconds: u32) -> io::Result<()> {
        let config = self.folder.join("krb5.conf");
        let text = std::fs::read_to_string(&config)?;
        std::fs::write(&config, text.replacen("[libdefaults]\n", "[libdefaults]\nclockskew = 3\n", 1))?;
        for service in SERVICES {
            let line = format!("modprinc -maxlife \"{seconds} seconds\" {service}");
            run(&self.folder, "kadmin.local", &["-r", REALM, "-q", &line])?;
        }
        Ok(())
    }

    /// Ends the centre.
    pub fn stop(&mut self) -> io::Result<()> {
        self.centre.kill()?;
        self.centre.wait().map(drop)
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stop();
    }
}

fn tool(name: &str) -> PathBuf {
    Path::new("/usr/sbin").join(name)
}

fn command(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(tool(name));
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(folder: &Path, name: &str, args: &[&str]) -> io::Result<()> {
    let output = command(folder, name).args(args).stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn configure(folder: &Path, port: u16) -> io::Result<()> {
    let at = |name: &str| folder.join(name).display().to_string();
    let client = format!(
        "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
         dns_canonicalize_hostname = false\nrdns = false\n\
         [realms]\n{REALM} = {{\n kdc = 127.0.0.1:{port}\n}}\n"
    );
    let centre = format!(
        "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n{REALM} = {{\n database_name = {}\n key_stash_file = {}\n acl_file = {}\n \
         supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal\n}}\n\
         [logging]\nkdc = FILE:{}\n",
        at("principal"),
        at("stash"),
        at("acl"),
        at("kdc.log")
    );
    std::fs::write(folder.join("krb5.conf"), client)?;
    std::fs::write(folder.join("kdc.conf"), centre)
}
