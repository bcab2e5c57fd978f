//! What a live destination does without a host.

use super::*;

fn opened(uri: &str) -> Result<LiveHost, String> {
    let access = Access { folder: None, password: None };
    LiveHost::open(Uri::parse(uri).unwrap().unwrap(), &access).map_err(|error| error.to_string())
}

#[test]
fn mistakes_in_the_uri_are_told_before_anybody_is_asked() {
    assert!(opened("winrm://hv2/D:/Kit").unwrap_err().contains("user=HV2"));
    for uri in ["winrm://hv2/D:/Kit?user=a&password=geheim", "winrm://a:geheim@hv2/D:/Kit?user=a"] {
        let told = opened(uri).unwrap_err();
        assert!(told.contains("password") && !told.contains("geheim"), "{told}");
    }
    assert!(opened("winrm://hv2/D:/Kit?user=a&limit=fast").unwrap_err().contains("50MiB"));
    assert!(opened("winrm://hv2/D:/Kit?user=a&language=german").unwrap_err().contains("0409"));
    assert!(opened("winrm://h v/D:/Kit?user=a").unwrap_err().contains("host"));
    assert!(opened("winrm://hv2/Kit?user=a").unwrap_err().contains("D:/Kit"));
}

#[test]
fn without_a_password_and_without_a_plan_it_says_so() {
    let host = opened("winrm://hv2/D:/Kit?user=HV2%5CAdmin").unwrap();
    assert!(host.capabilities().unwrap_err().to_string().contains(r"password of HV2\Admin on hv2"));
    assert!(host.observe().unwrap_err().to_string().contains("Make a plan first"));
    let told = format!("{host:?}");
    assert!(told.contains("hv2"));
    // A release that is named is known.
    let host = opened("winrm://hv2/D:/Kit?user=a&os=2019").unwrap();
    assert!(host.kit().is_ok());
}

#[test]
fn folders_are_removed_from_the_inside_out() {
    let files = ["role.json", "disks/b/x.vhd", "disks/a/checkpoints/y.vhd", "steps/1.ps1"].map(str::to_owned);
    let wanted = [r"disks\a\checkpoints", r"disks\b", r"disks\a", "steps", "disks"];
    assert_eq!(folders_of(&files), wanted);
}
