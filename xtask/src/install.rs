//! The peers that tests compare with: installed with apt where that is possible, else said to be missing.

use crate::run::{Task, cargo, is_there, output, run};

/// A peer: a program that shows that it is there, and the packages that bring it.
struct Peer {
    program: &'static str,
    packages: &'static [&'static str],
    used_for: &'static str,
}

const fn peer(program: &'static str, packages: &'static [&'static str], used_for: &'static str) -> Peer {
    Peer { program, packages, used_for }
}

/// In this order: with `qemu-utils` from a backport installed before, `qemu-system-x86` removes it, and a call for both
/// is a conflict; so the system comes first and the tools in a call of their own.
const PEERS: &[Peer] = &[
    peer("qemu-system-x86_64", &["qemu-system-x86"], "booting the migrated machine"),
    peer("qemu-img", &["qemu-utils"], "comparing disks"),
    peer("nasm", &["nasm"], "building the boot sector again"),
    peer("virsh", &["libvirt-clients", "libvirt-daemon-system"], "defining machines under libvirt"),
    peer("virt-xml-validate", &["libvirt-clients", "libxml2-utils"], "validating libvirt XML"),
    peer("xmllint", &["libxml2-utils"], "validating XML"),
    peer("hivexget", &["libhivex-bin", "libwin-hivex-perl", "python3-hivex"], "reading registry hives"),
    peer("reglookup", &["reglookup"], "reading registry hives"),
    peer("vhdiinfo", &["libvhdi-utils"], "reading VHD chains"),
    peer("xz", &["xz-utils"], "unpacking samples"),
    peer("bzip2", &["bzip2"], "unpacking samples"),
    peer("mkntfs", &["ntfs-3g"], "making and reading NTFS volumes"),
    peer("mkfs.ext4", &["e2fsprogs"], "making and reading ext volumes"),
    peer("mkfs.xfs", &["xfsprogs"], "making volumes that share extents"),
    peer("mkfs.btrfs", &["btrfs-progs"], "making volumes that share extents"),
    peer("mkfs.vfat", &["dosfstools"], "making FAT volumes"),
    peer("mdir", &["mtools"], "reading FAT volumes"),
    peer("sgdisk", &["gdisk"], "writing partition tables"),
    peer("sfdisk", &["fdisk"], "writing partition tables"),
    peer("time", &["time"], "measuring"),
    peer("nbdcopy", &["libnbd-bin"], "measuring"),
    peer("rsync", &["rsync"], "measuring"),
    peer("restic", &["restic"], "measuring"),
    peer("perf", &["linux-perf"], "where the time of a measured run goes"),
    peer("strace", &["strace"], "faults of the kernel"),
    peer("/usr/sbin/krb5kdc", &["krb5-kdc", "krb5-admin-server"], "logging in by Kerberos"),
    peer("/usr/lib/python3/dist-packages/gssapi/__init__.py", &["python3-gssapi"], "logging in by Kerberos"),
    peer("keyctl", &["keyutils"], "keeping a password in the kernel's keyring"),
    peer("/usr/sbin/smbd", &["samba", "samba-vfs-modules"], "serving shares"),
    peer("smbclient", &["smbclient"], "reading shares"),
    peer("nbdinfo", &["libnbd-bin"], "reading exports over NBD"),
    peer("curl", &["curl"], "fetching over HTTPS"),
    peer("openssl", &["openssl"], "fetching over HTTPS"),
    peer(
        "x86_64-w64-mingw32-gcc",
        &["gcc-mingw-w64-x86-64-win32", "g++-mingw-w64-x86-64-win32"],
        "building hvmigrate.exe",
    ),
    peer("/usr/lib/rustlib/src/rust/library/std/src/lib.rs", &["rustc-web", "rust-web-src"], "building hvmigrate.exe"),
    peer("wine", &["wine", "wine64"], "running hvmigrate.exe"),
];

/// Installs what is missing and says what is skipped because it is not there.
pub fn peers(task: &mut Task) -> Result<(), String> {
    let may = is_there("apt-get") && output("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    if may && PEERS.iter().any(|peer| !is_there(peer.program)) {
        println!("updating the list of packages");
        if let Err(error) = apt(&["update", "-q"]) {
            println!("{error}");
        }
        // Asked one by one, because installing one peer can remove another that was there before.
        for peer in PEERS {
            install(peer);
        }
    }
    for peer in PEERS.iter().filter(|peer| !is_there(peer.program)) {
        let why = if may { "could not be installed" } else { "is not installed, and this is not root with apt" };
        task.skip(format!("{}: {} {why}", peer.used_for, peer.program));
    }
    if let Err(error) = python_peers() {
        task.skip(format!("comparing with peers in Python: they could not be installed ({error})"));
    }
    if !is_there("cargo-deny") {
        // It is built faster so, and runs for seconds.
        println!("installing cargo-deny (some minutes, once)");
        if let Err(error) = cargo(&["install", "cargo-deny", "--locked", "--quiet", "--debug"]) {
            println!("{error}");
        }
    }
    Ok(())
}

/// Packages of PyPI in an environment of their own, `peers` in the target folder: dissect.hypervisor reads VHD, VHDX and
/// qcow2; pyspnego and psrpcore make a server of Windows Remote Management, pypsrp and pywinrm are clients of one; smbprotocol is another
/// client of shares. They are
/// run as outside programs and never become a part of this one (dissect.hypervisor is under the AGPL).
fn python_peers() -> Result<(), String> {
    let folder = crate::target().join("peers");
    let python = folder.join("bin").join("python").display().to_string();
    let packages = [
        "dissect.hypervisor==3.21",
        "backports.zstd",
        "pyspnego==0.12.4",
        "psrpcore==0.3.1",
        "pypsrp==0.9.1",
        "pywinrm==0.5.0",
        "smbprotocol==1.17.0",
    ];
    let imports = "import dissect.hypervisor.disk.vhdx, backports.zstd, spnego, psrpcore, pypsrp, winrm, smbprotocol";
    if output(&python, &["-c", imports]).is_ok() {
        return Ok(());
    }
    println!("installing {} into {}", packages.join(", "), folder.display());
    let folder = folder.display().to_string();
    let make = || run("python3", &["-m", "venv", &folder]);
    // Debian's Python comes without the module.
    let brought = || apt(&["install", "-y", "-q", "--no-install-recommends", "python3", "python3-venv"]);
    make().or_else(|_| brought().and_then(|()| make()))?;
    let mut args = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    args.extend(packages);
    run(&python, &args)
}

fn install(peer: &Peer) {
    if is_there(peer.program) {
        return;
    }
    println!("installing {}", peer.packages.join(" "));
    let mut args = vec!["install", "-y", "-q", "--no-install-recommends"];
    args.extend(peer.packages);
    if let Err(error) = apt(&args) {
        println!("{error}");
    }
}

fn apt(args: &[&str]) -> Result<(), String> {
    let mut all = vec!["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=900"];
    all.extend(args);
    run("env", &all)
}

/// Licences, bans and sources of the dependencies; the advisories need a database from the network and are not asked.
pub fn deny(task: &mut Task) -> Result<(), String> {
    if !is_there("cargo-deny") {
        task.skip("licences, bans and sources of dependencies: cargo-deny is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    // It looks at the dependencies of every platform; the build fetched only those of this one.
    cargo(&["fetch", "--locked"])?;
    cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"])
}
