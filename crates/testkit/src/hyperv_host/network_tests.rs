//! What the functions of CDXML modules do that scripts are wrong about most: preferences, questions, patterns, nothing found.

use super::*;
use crate::powershell::End;

fn host() -> Host {
    let mut host = Host::new(Release::Server2012, &["Ethernet", "Ethernet 2", "Ethernet [2]"]);
    for interface in &mut host.state.interfaces {
        interface.properties.insert("*RssOrVmqPreference".to_owned(), "0".to_owned());
    }
    host
}

/// Runs a script, as a file and therefore below the session.
fn script(host: &mut Host, text: &str) -> Outcome {
    host.files.create_folder(r"D:\x");
    host.files.write(r"D:\x\s.ps1", format!("$ErrorActionPreference = 'Stop'\n{text}").into_bytes()).unwrap();
    host.run(r"D:\x\s.ps1", &[])
}

fn text(lines: &str) -> Result<Vec<Value>, Stop> {
    host().run_text(lines)
}

#[test]
fn an_error_of_a_function_does_not_end_a_script_that_does_not_say_so_with_the_call() {
    let call = "Get-NetIPAddress -InterfaceIndex 99";
    let outcome = script(&mut host(), &format!("try {{ {call} }} catch {{ 'caught' }}\n'on'"));
    assert_eq!((outcome.end, outcome.output), (End::Code(0), vec!["on".to_owned()]));
    assert!(outcome.errors.len() == 1 && outcome.errors[0].contains("MSFT_NetIPAddress"), "{:?}", outcome.errors);
    let outcome = script(&mut host(), &format!("try {{ {call} -ErrorAction Stop }} catch {{ 'caught' }}"));
    assert_eq!((outcome.output, outcome.errors), (vec!["caught".to_owned()], Vec::new()));
    let outcome = script(&mut host(), &format!("{call} -ErrorAction Stop"));
    assert!(matches!(outcome.end, End::Error(_)), "{:?}", outcome.end);
    let outcome = script(&mut host(), &format!("{call} -ErrorAction SilentlyContinue\n'on'"));
    assert_eq!((outcome.output, outcome.errors), (vec!["on".to_owned()], Vec::new()));
    // The commands of Hyper-V are none, and heed the script.
    let outcome = script(&mut host(), "try { Get-VM -Name 'x' } catch { 'caught' }");
    assert_eq!(outcome.output, ["caught"]);
    // Who hears of it hears of it, by a redirection too.
    assert!(matches!(text(call), Err(Stop::Throw(_))));
    let mut host = host();
    host.files.create_folder(r"D:\x");
    host.files.write(r"D:\x\t.ps1", call.as_bytes().to_vec()).unwrap();
    let outcome = script(
        &mut host,
        r"& 'D:\x\t.ps1' 2>&1 3>&1 | ForEach-Object { [string]$_.CategoryInfo.Category
        $_ -is [System.Management.Automation.ErrorRecord] }",
    );
    assert_eq!((outcome.output, outcome.errors), (vec!["ObjectNotFound".to_owned(), "True".to_owned()], Vec::new()));
}

#[test]
fn functions_ask_and_change_whatever_the_script_prefers() {
    let set = "Set-DnsClient -InterfaceIndex 2 -ConnectionSpecificSuffix 'x.example' -ErrorAction Stop";
    let suffix = |host: &Host| host.state.interfaces[0].suffix.clone();
    let mut asked = host();
    let outcome = script(&mut asked, &format!("$ConfirmPreference = 'None'\n{set}"));
    assert!(matches!(&outcome.end, End::Error(message) if message.contains("asks")), "{:?}", outcome.end);
    assert_eq!(suffix(&asked), "");
    let outcome = script(&mut asked, &format!("$WhatIfPreference = $true\n{set} -Confirm:$false"));
    assert_eq!((outcome.end, suffix(&asked)), (End::Code(0), "x.example".to_owned()));
    let mut told = host();
    let outcome = script(&mut told, &format!("{set} -WhatIf"));
    assert_eq!((outcome.what_if.len(), suffix(&told)), (1, String::new()));
}

#[test]
fn names_and_keywords_are_patterns() {
    let count = |call: &str| text(&format!("@({call} -ErrorAction Stop).Count")).unwrap();
    assert_eq!(count("Get-NetAdapter -Name 'Ethernet*'"), [Value::Int(3)]);
    assert_eq!(count("Get-NetAdapter -Name 'ethernet ?'"), [Value::Int(1)]);
    assert_eq!(
        text("(Get-NetAdapter -Name 'Ethernet [2]' -ErrorAction Stop).Name"),
        Ok(vec![Value::from("Ethernet 2")])
    );
    assert_eq!(
        text("(Get-NetAdapter -Name 'Ethernet `[[1-3]`]' -ErrorAction Stop).Name"),
        Ok(vec![Value::from("Ethernet [2]")])
    );
    let mut host = host();
    let set =
        "Set-NetAdapterAdvancedProperty -Name 'Ethernet' -RegistryKeyword '*RSS' -RegistryValue '7' -Confirm:$false";
    host.run_text(set).unwrap();
    let of = |keyword: &str| host.state.interfaces[0].properties[keyword].clone();
    assert_eq!([of("*RSS"), of("EnableRSS"), of("*VMQ")], ["7", "7", "1"]);
    // Hidden ones are shown when they are asked for.
    let hidden = "Get-NetAdapterAdvancedProperty -Name 'Ethernet' -RegistryKeyword '*RssOrVmqPreference'";
    assert!(text(hidden).is_err());
    assert_eq!(count(&format!("{hidden} -AllProperties")), [Value::Int(1)]);
}

#[test]
fn nothing_found_is_an_error_where_something_was_asked_for() {
    for call in [
        "Get-NetAdapter -Name 'x'",
        "Get-NetIPAddress -InterfaceIndex 99",
        "Get-NetRoute -DestinationPrefix '203.0.113.0/24'",
        "Get-NetFirewallRule -Name 'x'",
        "Get-ScheduledTask -TaskName 'x'",
        "Get-NetAdapterAdvancedProperty -Name 'x'",
        "Set-NetAdapterAdvancedProperty -Name 'Ethernet' -RegistryKeyword 'x' -RegistryValue '1' -Confirm:$false",
    ] {
        assert!(matches!(text(call), Err(Stop::Throw(_))), "{call}");
    }
    for call in ["Get-NetIPAddress", "Get-NetRoute", "Get-ScheduledTask", "Get-NetAdapter"] {
        assert!(text(&format!("{call} | Where-Object {{ $_.InterfaceIndex -eq 99 }}")).is_ok(), "{call}");
    }
}

#[test]
fn an_adapter_is_there_before_its_ip_interfaces() {
    let mut host = host();
    host.run_text("[void](New-VMSwitch -Name 'lan' -SwitchType Internal -Notes 'n')").unwrap();
    let index = host.state.interfaces[3].index;
    let seen = |host: &mut Host, call: &str| {
        let lines =
            format!("@({call} -ErrorAction Stop | Where-Object {{ $_.InterfaceIndex -eq {index} }}).Count -gt 0");
        host.run_text(&lines).unwrap() == [Value::Bool(true)]
    };
    assert!(!seen(&mut host, "Get-NetAdapter"));
    for _ in 0..2 {
        host.run_text("Start-Sleep -Seconds 1").unwrap();
    }
    assert!(seen(&mut host, "Get-NetAdapter") && !seen(&mut host, "Get-NetIPInterface"));
    let set = format!("Set-NetIPInterface -InterfaceIndex {index} -AddressFamily IPv4 -Dhcp Disabled -Confirm:$false");
    let result = host.run_text(&set);
    assert!(matches!(&result, Err(Stop::Throw(message)) if message.contains("Element not found")), "{result:?}");
    for _ in 0..3 {
        host.run_text("Start-Sleep -Seconds 1").unwrap();
    }
    assert!(seen(&mut host, "Get-NetIPInterface"));
    host.run_text(&set).unwrap();
}
