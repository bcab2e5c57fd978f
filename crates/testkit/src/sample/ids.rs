//! Fixed ids and names of the sample host.

/// Computer name after the log of SYSTEM was replayed.
pub const COMPUTER_NAME: &str = "HV-OLD-01";
/// Computer name in the stale primary file of SYSTEM.
pub const STALE_COMPUTER_NAME: &str = "HV-ALT-01";

/// The machine that boots.
pub const BOOT: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40001", "Bootfähig");
/// File server with fixed VHD, SCSI disk, two kinds of adapters; its configuration lies on D:.
pub const FILES: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40002", "Datei & \"Druck\" Server");
/// Three checkpoints in two branches.
pub const TREE: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40003", "Baum 日本語");
/// ISO, floppy image, pass-through disk.
pub const MEDIA: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40004", "Peter's ISO + Diskette");
/// In saved state.
pub const SAVED: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40005", "Gespeichert");
/// Four virtual processors.
pub const PROCESSORS: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40006", "Viele Prozessoren");
/// 64 GiB of memory.
pub const MEMORY: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40007", "Großer Speicher");
/// The only machine of the clean variant.
pub const CLEAN: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40008", "Einfach");
/// File name (without `.xml`) and machine name of the second configuration that carries the id of [`PROCESSORS`].
pub const TWIN: (&str, &str) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40099", "Zwilling");

/// First checkpoint of [`TREE`].
pub const CHECKPOINT_A: (&str, &str) = ("7A000001-1111-4222-8333-44445555000A", "A – Grundinstallation");
/// Checkpoint below A, end of a branch.
pub const CHECKPOINT_B: (&str, &str) = ("7A000001-1111-4222-8333-44445555000B", "B – Test \"alt\"");
/// Checkpoint below A, before the current state.
pub const CHECKPOINT_C: (&str, &str) = ("7A000001-1111-4222-8333-44445555000C", "C – 更新 <neu>");

/// External network with an adapter of the management operating system.
pub const EXTERN_1: (&str, &str) = ("5D1F0A31-0001-4E6B-9A10-0F1E2D3C4B01", "Extern \"Büro\" & DMZ");
/// External network without one.
pub const EXTERN_2: (&str, &str) = ("5D1F0A31-0002-4E6B-9A10-0F1E2D3C4B02", "Extern 東京");
/// Internal network.
pub const INTERN: (&str, &str) = ("5D1F0A31-0003-4E6B-9A10-0F1E2D3C4B03", "Intern – Verwaltung");
/// Private network.
pub const PRIVATE: (&str, &str) = ("5D1F0A31-0004-4E6B-9A10-0F1E2D3C4B04", "Privat 'Labor'");

/// Physical adapter for management.
pub const NIC_MANAGEMENT: &str = "{A0000001-90AB-4CDE-8F01-234567890001}";
/// Physical adapter of [`EXTERN_1`].
pub const NIC_UPLINK_1: &str = "{A0000002-90AB-4CDE-8F01-234567890002}";
/// Physical adapter of [`EXTERN_2`].
pub const NIC_UPLINK_2: &str = "{A0000003-90AB-4CDE-8F01-234567890003}";
/// The management operating system's adapter on [`EXTERN_1`].
pub const NIC_HOST_EXTERN: &str = "{A0000004-90AB-4CDE-8F01-234567890004}";
/// The management operating system's adapter on [`INTERN`].
pub const NIC_HOST_INTERN: &str = "{A0000005-90AB-4CDE-8F01-234567890005}";

/// Domain group that was given rights to launch DCOM servers remotely.
pub const DCOM_GROUP_SID: &str = "S-1-5-21-1004336348-1177238915-682003330-1143";
/// Domain account that was added to the Administrator role of the authorization store.
pub const STORE_MEMBER_SID: &str = "S-1-5-21-1004336348-1177238915-682003330-1118";
/// Id of the firewall rule that an administrator made.
pub const USER_RULE: &str = "{6C1E7A52-3B0D-4D6E-9D55-0C0FFEE02179}";
/// Default folder of configurations.
pub const HYPER_V_ROOT: &str = r"C:\ProgramData\Microsoft\Windows\Hyper-V";
/// Default folder of disks.
pub const DISK_ROOT: &str = r"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks";
