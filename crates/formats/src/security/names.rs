//! SIDs that mean the same everywhere: [MS-DTYP] 2.4.2.4, and their letters in SDDL, [MS-DTYP] 2.5.1.1.

use super::Sid;

/// One well-known SID.
pub(super) struct Known {
    authority: u64,
    sub_authorities: &'static [u32],
    /// SDDL letters; empty when there are none.
    pub(super) alias: &'static str,
    pub(super) name: &'static str,
}

const fn known(authority: u64, sub_authorities: &'static [u32], alias: &'static str, name: &'static str) -> Known {
    Known { authority, sub_authorities, alias, name }
}

static KNOWN: &[Known] = &[
    known(0, &[0], "", "Nobody"),
    known(1, &[0], "WD", "Everyone"),
    known(2, &[0], "", "Local"),
    known(2, &[1], "", "Console Logon"),
    known(3, &[0], "CO", "Creator Owner"),
    known(3, &[1], "CG", "Creator Group"),
    known(3, &[4], "OW", "Owner Rights"),
    known(5, &[1], "", "Dialup"),
    known(5, &[2], "NU", "Network"),
    known(5, &[3], "", "Batch"),
    known(5, &[4], "IU", "Interactive"),
    known(5, &[6], "SU", "Service"),
    known(5, &[7], "AN", "Anonymous Logon"),
    known(5, &[9], "ED", "Enterprise Domain Controllers"),
    known(5, &[10], "PS", "Self"),
    known(5, &[11], "AU", "Authenticated Users"),
    known(5, &[12], "RC", "Restricted Code"),
    known(5, &[18], "SY", "Local System"),
    known(5, &[19], "LS", "Local Service"),
    known(5, &[20], "NS", "Network Service"),
    known(5, &[32, 544], "BA", "BUILTIN\\Administrators"),
    known(5, &[32, 545], "BU", "BUILTIN\\Users"),
    known(5, &[32, 546], "BG", "BUILTIN\\Guests"),
    known(5, &[32, 547], "PU", "BUILTIN\\Power Users"),
    known(5, &[32, 548], "AO", "BUILTIN\\Account Operators"),
    known(5, &[32, 549], "SO", "BUILTIN\\Server Operators"),
    known(5, &[32, 550], "PO", "BUILTIN\\Print Operators"),
    known(5, &[32, 551], "BO", "BUILTIN\\Backup Operators"),
    known(5, &[32, 552], "RE", "BUILTIN\\Replicator"),
    known(5, &[32, 554], "RU", "BUILTIN\\Pre-Windows 2000 Compatible Access"),
    known(5, &[32, 555], "RD", "BUILTIN\\Remote Desktop Users"),
    known(5, &[32, 556], "NO", "BUILTIN\\Network Configuration Operators"),
    known(5, &[32, 558], "MU", "BUILTIN\\Performance Monitor Users"),
    known(5, &[32, 559], "LU", "BUILTIN\\Performance Log Users"),
    known(5, &[32, 562], "", "BUILTIN\\Distributed COM Users"),
    known(5, &[32, 568], "IS", "BUILTIN\\IIS_IUSRS"),
    known(5, &[32, 569], "CY", "BUILTIN\\Cryptographic Operators"),
    known(5, &[32, 573], "ER", "BUILTIN\\Event Log Readers"),
    known(5, &[32, 574], "CD", "BUILTIN\\Certificate Service DCOM Access"),
    known(5, &[32, 575], "RA", "BUILTIN\\RDS Remote Access Servers"),
    known(5, &[32, 576], "ES", "BUILTIN\\RDS Endpoint Servers"),
    known(5, &[32, 577], "MS", "BUILTIN\\RDS Management Servers"),
    known(5, &[32, 578], "HA", "BUILTIN\\Hyper-V Administrators"),
    known(5, &[32, 579], "AA", "BUILTIN\\Access Control Assistance Operators"),
    known(5, &[32, 580], "RM", "BUILTIN\\Remote Management Users"),
    known(5, &[33], "WR", "Write Restricted"),
    known(5, &[83, 0], "", "NT VIRTUAL MACHINE\\Virtual Machines"),
    known(15, &[2, 1], "AC", "ALL APPLICATION PACKAGES"),
    known(16, &[4096], "LW", "Low Mandatory Level"),
    known(16, &[8192], "ME", "Medium Mandatory Level"),
    known(16, &[12288], "HI", "High Mandatory Level"),
    known(16, &[16384], "SI", "System Mandatory Level"),
];

pub(super) fn find(sid: &Sid) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.authority == sid.authority() && k.sub_authorities == sid.sub_authorities())
}
