//! The text after the scheme. Of `folder:` it is a path and a drive map, percent-decoded. `%` that is not followed by two hex digits stands
//! for itself, so that most paths need no encoding; `?` and `&` inside a path are written `%3F` and `%26`.

use std::collections::BTreeMap;
use std::time::Duration;

use hvm_smb::{Encryption, Snapshot};
use hvm_winrm::{Address, PARAMETERS, host_and_port};

use crate::error::SourceError;

/// What a `folder:` URI says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderUri {
    /// The folder; empty when only drives are named.
    pub(crate) path: String,
    /// Drive letter in upper case and its folder as written.
    pub(crate) drives: BTreeMap<char, String>,
}

/// Reads the text after the scheme; `uri` is the whole for messages.
pub(crate) fn parse_folder(uri: &str, rest: &str) -> Result<FolderUri, SourceError> {
    let bad = |reason: String| SourceError::BadUri { uri: uri.to_owned(), reason };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, query),
        None => (rest, ""),
    };
    let mut drives = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| bad(format!("'{part}' is not of the form 'c=/path'")))?;
        let letter = single_letter(key)
            .ok_or_else(|| bad(format!("'{key}' is not a drive letter; drives are mapped as 'c=/path'")))?;
        let folder = decode(value).ok_or_else(|| bad(format!("'{value}' is not valid UTF-8 after decoding")))?;
        if folder.is_empty() {
            return Err(bad(format!("drive {letter}: is mapped to an empty path")));
        }
        if drives.insert(letter, folder).is_some() {
            return Err(bad(format!("drive {letter}: is mapped twice")));
        }
    }
    let path = decode(path).ok_or_else(|| bad(format!("'{path}' is not valid UTF-8 after decoding")))?;
    if path.is_empty() && drives.is_empty() {
        return Err(bad("it names no folder; an example is 'folder:/mnt?c=/mnt/c&d=/mnt/d'".to_owned()));
    }
    Ok(FolderUri { path, drives })
}

/// Reads a path that nothing follows.
pub(crate) fn parse_path(uri: &str, rest: &str) -> Result<String, SourceError> {
    let bad = |reason: String| SourceError::BadUri { uri: uri.to_owned(), reason };
    if let Some((_, query)) = rest.split_once('?') {
        return Err(bad(format!("it takes no parameters such as '{query}'; a '?' in a path is written '%3F'")));
    }
    let path = decode(rest).ok_or_else(|| bad(format!("'{rest}' is not valid UTF-8 after decoding")))?;
    if path.is_empty() { Err(bad("it names no folder".to_owned())) } else { Ok(path) }
}

/// What an `image:` URI says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageUri {
    /// Devices and images, in the order in which the drive map counts them.
    pub(crate) paths: Vec<String>,
    /// Drive letter in upper case, number of the disk from 1 and number of the partition.
    pub(crate) drives: BTreeMap<char, (usize, u32)>,
}

/// Reads the text after `image:`: paths with commas between them (`%2C` inside of one), and a drive map such as
/// `?c=1:2&d=2:1`.
pub(crate) fn parse_image(uri: &str, rest: &str) -> Result<ImageUri, SourceError> {
    let bad = |reason: String| SourceError::BadUri { uri: uri.to_owned(), reason };
    let (list, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = |text: &str| decode(text).ok_or_else(|| bad(format!("'{text}' is not valid UTF-8 after decoding")));
    let paths: Vec<String> = list.split(',').filter(|text| !text.is_empty()).map(path).collect::<Result<_, _>>()?;
    if paths.is_empty() {
        return Err(bad("it names no disk; an example is 'image:/dev/sdb,/srv/data.vhd'".to_owned()));
    }
    let mut drives = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let wrong = || bad(format!("'{part}' is not of the form 'c=DISK:PARTITION', such as 'c=1:2'"));
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        let (letter, (disk, partition)) = single_letter(key).zip(value.split_once(':')).ok_or_else(wrong)?;
        let (disk, partition) = disk.parse().ok().zip(partition.parse().ok()).ok_or_else(wrong)?;
        if drives.insert(letter, (disk, partition)).is_some() {
            return Err(bad(format!("drive {letter}: is mapped twice")));
        }
    }
    Ok(ImageUri { paths, drives })
}

/// What a `winrm:` URI says.
#[derive(Debug)]
pub(crate) struct WinrmUri {
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// TCP port, where the URI says one.
    pub(crate) port: Option<u16>,
    /// What the files are read through.
    pub(crate) files: Files,
    /// The parameters.
    pub(crate) address: Address,
}

/// What the files of a host that runs are read through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// Its administrative shares at this port where they are those of its own drives, else PowerShell.
    Best(Option<u16>),
    /// Shares.
    Shares(Shares),
    /// PowerShell.
    Remoting,
}

/// Shares of a host that is reached in another way too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// TCP port, where it is said.
    pub(crate) port: Option<u16>,
    /// As of `smb:`.
    pub(crate) drives: BTreeMap<char, (String, String)>,
}

/// Ports of Windows Remote Management; behind another one is perhaps not the computer that has the shares of that name.
const WINRM_PORTS: [u16; 4] = [5985, 5986, 80, 443];

/// Largest file of certificates, bytes.
const MAX_AUTHORITIES: u64 = 4 << 20;

/// Reads the text after `winrm:`, which is `//HOST[:PORT]?user=USER` with other parameters. The messages do not repeat the URI
/// where somebody may have written a password into it.
pub(crate) fn parse_winrm(rest: &str) -> Result<WinrmUri, SourceError> {
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let shown = || format!("winrm:{authority}");
    if authority.contains('@') {
        let reason = "the user is wanted as 'user=' and the password in no URI at all".to_owned();
        return Err(SourceError::BadUri { uri: "winrm://(not shown)".to_owned(), reason });
    }
    let bad = |reason: String| SourceError::BadUri { uri: shown(), reason };
    let name = authority.strip_prefix("//").map(|name| name.strip_suffix('/').unwrap_or(name));
    let (host, port) = name.filter(|name| !name.contains('/')).and_then(host_and_port).ok_or_else(|| {
        bad("winrm://HOST[:PORT]?user=USER is wanted, such as 'winrm://hv1?user=HV1%5CAdministrator'".to_owned())
    })?;
    let (mut address, mut files) = (Address::default(), None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if key == "files" {
            files = Some(files_of(value).map_err(bad)?);
            continue;
        }
        let value = decode(value).ok_or_else(|| bad(format!("the value of '{key}' is not valid UTF-8")))?;
        match key {
            "user" => address.user = Some(value),
            "transport" => address.transport = Some(value),
            "ca" => address.authorities = Some(authorities(&value).map_err(bad)?),
            "pin" => address.pin = Some(value),
            "kerberos" => address.kerberos = Some(value),
            _ => {
                let all = PARAMETERS.join(", ");
                return Err(bad(format!("it has no parameter '{key}'; there are: {all}, files")));
            }
        }
    }
    let files = files.unwrap_or_else(|| usual_files(port, &address));
    Ok(WinrmUri { host, port, files, address })
}

/// Where a certificate proves the host, NTLM shows the proof of the password to nobody else unasked: whoever answers in the place
/// of the shares proves nothing before. Kerberos does, and where there is no certificate that is as it is for all else.
fn usual_files(port: Option<u16>, address: &Address) -> Files {
    let is_usual = port.is_none_or(|port| WINRM_PORTS.contains(&port));
    let is_proved = address.kerberos.is_some() || address.transport.as_deref() == Some("http");
    if is_usual && is_proved { Files::Best(None) } else { Files::Remoting }
}

/// `smb`, `smb:PORT`, and a map of drives as of `smb:` behind it, such as `smb/C=SHARE,D=SHARE`; `auto` or `auto:PORT`; `winrm`.
fn files_of(value: &str) -> Result<Files, String> {
    let wrong = || {
        format!("'files={value}' is neither 'auto' nor 'winrm' nor 'smb', such as 'smb:4450' or 'smb/C=SHARE,D=SHARE'")
    };
    let (way, map) = value.split_once('/').unwrap_or((value, ""));
    let (way, port) = match way.split_once(':') {
        None => (way, None),
        Some((way, port)) => (way, Some(port.parse().map_err(|_| wrong())?)),
    };
    match (way, port, map) {
        ("auto", port, "") => Ok(Files::Best(port)),
        ("winrm", None, "") => Ok(Files::Remoting),
        ("smb", port, map) => Ok(Files::Shares(Shares { port, drives: shares(map)? })),
        _ => Err(wrong()),
    }
}

/// What an `smb:` URI says.
#[derive(Debug)]
pub(crate) struct SmbUri {
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// TCP port, where the URI says one.
    pub(crate) port: Option<u16>,
    /// Drive letter in upper case, share, and a folder of it with `\` between its names. None: the administrative shares.
    pub(crate) drives: BTreeMap<char, (String, String)>,
    /// Whether messages are encrypted.
    pub(crate) encryption: Encryption,
    /// The shadow copy that is read in the place of the volumes.
    pub(crate) shadow: Option<Shadow>,
    /// How long the host may be away, once it was reached; `None` as usual.
    pub(crate) patience: Option<Duration>,
    /// Who asks.
    pub(crate) address: Address,
}

/// Which shadow copy of a volume is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shadow {
    /// The newest.
    Latest,
    /// The one with this name.
    Named(Snapshot),
}

/// Names of the parameters of `smb:`.
const SMB_PARAMETERS: [&str; 5] = ["user", "kerberos", "encrypt", "snapshot", "patience"];

/// Longest time that a host may be away, seconds.
const MAX_PATIENCE: u64 = 86_400;

/// Reads the text after `smb:`, which is `//[USER@]HOST[:PORT]/` with nothing, one share, or a map of drives such as
/// `C=SHARE,D=SHARE/FOLDER` behind it. The messages do not repeat the URI where somebody may have written a password into it.
pub(crate) fn parse_smb(rest: &str) -> Result<SmbUri, SourceError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let form = "smb://[USER@]HOST[:PORT]/ is wanted, such as 'smb://HV1%5CAdministrator@hv1/', with a share or with drives such \
                as 'C=SHARE,D=SHARE/FOLDER' behind it";
    let Some(name) = place.strip_prefix("//") else {
        return Err(SourceError::BadUri { uri: "smb:(not shown)".to_owned(), reason: form.to_owned() });
    };
    let (authority, path) = name.split_once('/').unwrap_or((name, ""));
    let (user, server) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| user.contains(':')) {
        let reason = "the password is wanted in no URI; it is asked for".to_owned();
        return Err(SourceError::BadUri { uri: "smb://(not shown)".to_owned(), reason });
    }
    let bad = |reason: String| SourceError::BadUri { uri: format!("smb:{place}"), reason };
    let (host, port) = host_and_port(server).ok_or_else(|| bad(form.to_owned()))?;
    let text = |text: &str| decode(text).ok_or_else(|| bad(format!("'{text}' is not valid UTF-8 after decoding")));
    let mut address = Address { user: user.map(text).transpose()?, ..Address::default() };
    let (mut encryption, mut shadow, mut patience) = (Encryption::default(), None, None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "user" if address.user.is_none() => address.user = Some(text(value)?),
            "user" => return Err(bad("it names the user twice".to_owned())),
            "kerberos" => address.kerberos = Some(text(value)?),
            "encrypt" => {
                encryption = match value {
                    "always" => Encryption::Always,
                    "demanded" => Encryption::WhereDemanded,
                    _ => return Err(bad(format!("'encrypt={value}' is neither 'always' nor 'demanded'"))),
                }
            }
            "snapshot" => shadow = Some(named_shadow(&text(value)?).map_err(bad)?),
            "patience" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds <= MAX_PATIENCE);
                let wrong = || bad(format!("'patience={value}' is no number of seconds up to {MAX_PATIENCE}"));
                patience = Some(Duration::from_secs(seconds.ok_or_else(wrong)?));
            }
            _ => return Err(bad(format!("it has no parameter '{key}'; there are: {}", SMB_PARAMETERS.join(", ")))),
        }
    }
    let drives = shares(path).map_err(bad)?;
    Ok(SmbUri { host, port, drives, encryption, shadow, patience, address })
}

fn named_shadow(value: &str) -> Result<Shadow, String> {
    if value == "latest" {
        return Ok(Shadow::Latest);
    }
    let wrong = || format!("'snapshot={value}' is neither 'latest' nor a name such as '@GMT-2026.11.30-09.00.00'");
    Snapshot::parse(value).map(Shadow::Named).ok_or_else(wrong)
}

fn shares(path: &str) -> Result<BTreeMap<char, (String, String)>, String> {
    let mut drives = BTreeMap::new();
    let place = |text: &str| {
        let (share, folder) = text.split_once('/').unwrap_or((text, ""));
        let (share, folder) = decode(share).zip(decode(folder)).ok_or(format!("'{text}' is not valid UTF-8"))?;
        let folder = folder.replace('/', "\\").trim_matches('\\').to_owned();
        if share.is_empty() { Err(format!("'{text}' names no share")) } else { Ok((share, folder)) }
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    for part in path.split(',').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            // One share alone is that of the system volume.
            None if !path.contains(',') => drop(drives.insert('C', place(part)?)),
            None => return Err(format!("'{part}' is not of the form 'C=SHARE'")),
            Some((key, value)) => {
                let letter = single_letter(key).ok_or_else(|| format!("'{key}' is not a drive letter"))?;
                if drives.insert(letter, place(value)?).is_some() {
                    return Err(format!("drive {letter}: is mapped twice"));
                }
            }
        }
    }
    Ok(drives)
}

fn authorities(path: &str) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| format!("the certificates in '{path}' cannot be read: {error}");
    let len = std::fs::metadata(path).map_err(wrong)?.len();
    if len > MAX_AUTHORITIES {
        return Err(format!("'{path}' has {len} bytes; certificates have at most {MAX_AUTHORITIES}"));
    }
    std::fs::read(path).map_err(wrong)
}

fn single_letter(key: &str) -> Option<char> {
    let mut chars = key.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
        _ => None,
    }
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|pair| Some((hex(*pair.first()?)?, hex(*pair.get(1)?)?)));
        match (byte, digits) {
            (b'%', Some((high, low))) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<FolderUri, SourceError> {
        parse_folder(&format!("folder:{rest}"), rest)
    }

    #[test]
    fn paths_and_drives_are_decoded() {
        let uri = parse("/mnt/my host%3F?c=/mnt/a%26b&D=/x y/%C3%A4").unwrap();
        assert_eq!(uri.path, "/mnt/my host?");
        assert_eq!(uri.drives.get(&'C').unwrap(), "/mnt/a&b");
        assert_eq!(uri.drives.get(&'D').unwrap(), "/x y/ä");
        assert_eq!(parse("100% sure").unwrap().path, "100% sure");
    }

    #[test]
    fn disks_and_their_volumes_are_named() {
        let parse = |rest: &str| parse_image(&format!("image:{rest}"), rest);
        let uri = parse("/dev/sdb,/srv/a%2Cb c.vhd?c=1:2&D=2:0").unwrap();
        assert_eq!(uri.paths, ["/dev/sdb", "/srv/a,b c.vhd"]);
        assert_eq!(uri.drives, BTreeMap::from([('C', (1, 2)), ('D', (2, 0))]));
        for (rest, part) in [
            ("", "names no disk"),
            (",", "names no disk"),
            ("/x?c=1", "'c=1' is not of the form"),
            ("/x?cd=1:1", "is not of the form"),
            ("/x?c=a:1", "is not of the form"),
            ("/x?c=1:1&C=1:2", "mapped twice"),
            ("/x%FF", "UTF-8"),
        ] {
            let text = parse(rest).unwrap_err().to_string();
            assert!(text.contains(part), "{rest}: {text}");
        }
    }

    #[test]
    fn files_of_a_host_that_runs_come_from_its_shares_or_through_powershell() {
        let files = |value: &str| parse_winrm(&format!("//hv1?user=u&files={value}")).map(|uri| uri.files);
        let usual = |host: &str, more: &str| parse_winrm(&format!("//{host}?user=u{more}")).unwrap().files;
        let best = || Files::Best(None);
        assert_eq!((usual("hv1", "&transport=http"), usual("hv1:5986", "&kerberos=system")), (best(), best()));
        assert_eq!(usual("hv1", ""), Files::Remoting, "a certificate proves the host, and nothing proves its shares");
        // What is behind a port that is forwarded has perhaps not the shares of that name.
        assert_eq!(usual("hv1:15985", "&transport=http"), Files::Remoting);
        assert_eq!(files("winrm").unwrap(), Files::Remoting);
        assert_eq!((files("auto").unwrap(), files("auto:4450").unwrap()), (Files::Best(None), Files::Best(Some(4450))));
        assert_eq!(files("smb").unwrap(), Files::Shares(Shares { port: None, drives: BTreeMap::new() }));
        let named =
            BTreeMap::from([('C', ("one".to_owned(), String::new())), ('D', ("two".to_owned(), "x".to_owned()))]);
        let shares = Shares { port: Some(4450), drives: named };
        assert_eq!(files("smb:4450/C=one,D=two/x").unwrap(), Files::Shares(shares));
        for wrong in ["", "ftp", "smb:", "smb:x", "smb4450", "smb/xy=1", "auto/C=x", "winrm:5985"] {
            assert!(files(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_that_runs_is_named_without_a_password() {
        let uri = parse_winrm("//hv1.example.org:5985/?user=HV1%5CAdministrator&transport=http").unwrap();
        assert_eq!((uri.host.as_str(), uri.port), ("hv1.example.org", Some(5985)));
        assert_eq!(uri.address.user().unwrap(), r"HV1\Administrator");
        assert_eq!(uri.address.transport.as_deref(), Some("http"));
        for (rest, part) in [
            ("hv1", "winrm://HOST"),
            ("//", "winrm://HOST"),
            ("//hv1/D:/x?user=a", "winrm://HOST"),
            ("//hv1:0", "winrm://HOST"),
            ("//admin:geheim@hv1", "the password in no URI"),
            ("//hv1?password=geheim", "no parameter 'password'"),
            ("//hv1?ca=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ] {
            let text = parse_winrm(rest).unwrap_err().to_string();
            assert!(text.contains(part) && !text.contains("geheim"), "{rest}: {text}");
        }
    }

    #[test]
    fn shares_stand_for_drives() {
        let uri = parse_smb("//HV1%5CAdministrator@hv1:4450/?encrypt=always").unwrap();
        assert_eq!((uri.host.as_str(), uri.port, uri.encryption), ("hv1", Some(4450), Encryption::Always));
        assert_eq!(uri.address.user().unwrap(), r"HV1\Administrator");
        assert!(uri.drives.is_empty() && uri.shadow.is_none());
        assert_eq!(parse_smb("//a@hv1/?snapshot=latest").unwrap().shadow, Some(Shadow::Latest));
        let uri = parse_smb("//nas/C=system,d=backup/hv1%2C%20alt/d/?user=a%40b.org").unwrap();
        assert_eq!(uri.drives[&'C'], ("system".to_owned(), String::new()));
        assert_eq!(uri.drives[&'D'], ("backup".to_owned(), r"hv1, alt\d".to_owned()));
        assert_eq!(uri.address.user().unwrap(), "a@b.org");
        let uri = parse_smb("//a@b.org@[2001:db8::1]/C$").unwrap();
        assert_eq!((uri.host.as_str(), uri.drives[&'C'].0.as_str()), ("2001:db8::1", "C$"));
        for (rest, part) in [
            ("hv1/", "smb://[USER@]HOST"),
            ("//", "smb://[USER@]HOST"),
            ("//admin:geheim@hv1/", "the password is wanted in no URI"),
            ("//a@hv1?user=b", "the user twice"),
            ("//a@hv1/?encrypt=no", "neither 'always' nor 'demanded'"),
            ("//a@hv1/?snapshot=yesterday", "neither 'latest' nor a name"),
            ("//a@hv1/?patience=-1", "no number of seconds"),
            ("//a@hv1/?pin=1", "no parameter 'pin'"),
            ("//a@hv1/C=x,c=y", "mapped twice"),
            ("//a@hv1/C=x,y", "'y' is not of the form"),
            ("//a@hv1/CD=x", "'CD' is not a drive letter"),
            ("//a@hv1/C=/x", "names no share"),
        ] {
            let text = parse_smb(rest).unwrap_err().to_string();
            assert!(text.contains(part) && !text.contains("geheim"), "{rest}: {text}");
        }
    }

    #[test]
    fn wrong_maps_are_refused_with_the_part_that_is_wrong() {
        for (rest, part) in [
            ("", "names no folder"),
            ("/m?cd=/x", "'cd' is not a drive letter"),
            ("/m?c", "'c' is not of the form"),
            ("/m?c=/x&C=/y", "mapped twice"),
            ("/m?c=", "empty path"),
            ("%FF", "UTF-8"),
        ] {
            let text = parse(rest).unwrap_err().to_string();
            assert!(text.contains(part), "{rest}: {text}");
        }
    }
}
