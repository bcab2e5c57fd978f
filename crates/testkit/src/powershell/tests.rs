use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// A computer with nothing in it.
struct Nothing;

impl Computer for Nothing {
    fn signature(&self, _: &str) -> Option<Rc<Signature>> {
        None
    }

    fn words(&self, _: &str) -> Option<&'static [(&'static str, i64)]> {
        None
    }

    fn fits(&self, _: &str, _: &str) -> bool {
        false
    }

    fn asks(&self, _: &Call) -> bool {
        false
    }

    fn run(&mut self, call: &Call) -> Run<Vec<Value>> {
        fault(call.name.clone())
    }

    fn call_static(&mut self, kind: &str, method: &str, _: &[Value]) -> Run<Value> {
        fault(format!("[{kind}]::{method}"))
    }

    fn static_member(&mut self, kind: &str, member: &str) -> Run<Value> {
        fault(format!("[{kind}]::{member}"))
    }

    fn call_method(&mut self, _: &Rc<RefCell<Object>>, method: &str, _: &[Value]) -> Run<Value> {
        fault(method)
    }

    fn construct(&mut self, kind: &str, _: &[Value]) -> Run<Value> {
        fault(kind)
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn script(&mut self, path: &str) -> Run<Rc<str>> {
        thrown(path)
    }
}

fn run(text: &str) -> Result<String, Stop> {
    let (result, _) = Shell::new(&mut Nothing, &Cache::default()).run_text(text);
    result
        .map(|items| items.iter().map(|item| item.text().unwrap_or_else(|_| item.kind())).collect::<Vec<_>>().join("|"))
}

#[test]
fn values_are_those_of_powershell() {
    let cases = [
        ("1 + 2 * 3", "7"),
        ("'a' + 1", "a1"),
        ("@(1, 2) + 3", "1|2|3"),
        ("@().Count; @('a').Count; @($null).Count", "0|1|1"),
        ("'ABC' -eq 'abc'; 'ABC' -ceq 'abc'", "True|False"),
        ("'5' -eq 5; 5 -eq '5'; 5 -eq 'x'", "True|True|False"),
        ("$null -eq ''; $null -ne 1", "False|True"),
        ("@('a', 'B') -contains 'b'; @('a') -notcontains $false", "True|True"),
        ("'{0}-{1:N0}-{2:x4}' -f 'a', 1234567, 1031", "a-1,234,567-0407"),
        ("'00155D' -replace '(..)(?=.)', '$1-'", "00-15-5D"),
        ("@('a', 'b') -join ','", "a,b"),
        ("[int]'12' + 1; [long]3000000000 + 1; [string]$true", "13|3000000001|True"),
        ("10 / 4; 10 / 5", "2.5|2"),
        ("if (@()) { 'yes' } else { 'no' }", "no"),
        ("$h = @{ a = 1; 'B' = 2 }; $h['A']; $h.b; $h.ContainsKey('c')", "1|2|False"),
        ("$x = 1; $x++; $x += 2; $x", "4"),
        ("foreach ($n in 1, 2, 3) { if ($n -eq 2) { continue }; $n }", "1|3"),
        ("for ($i = 0; $i -lt 3; $i++) { $i }", "0|1|2"),
        ("switch ('b') {\n'a' {\n1\n}\n'B' {\n2\n}\ndefault {\n3\n}\n}", "2"),
        ("try { throw 'x' } catch { 'caught ' + $_ } finally { 'end' }", "caught x|end"),
        ("@(3, 4, 5) | Where-Object { $_ -gt 3 } | ForEach-Object { $_ * 2 } | Select-Object -First 1", "8"),
        ("$a = 'n'; \"$a `$a `\"$($a + 1)`\" ${a}x\"", "n $a \"n1\" nx"),
        ("'it''s'; 'a’’b'", "it's|a’b"),
        ("'a\\b\\'.TrimEnd('\\'); 'abc'.Substring(1); 'x'.Length", "a\\b|bc|1"),
        ("[System.IO.Path]::Combine('C:\\a', 'b'); [System.IO.Path]::GetPathRoot('C:\\a\\b')", "C:\\a\\b|C:\\"),
        ("(ConvertFrom-Json -InputObject '{\"a\":[1,{\"b\":null}]}').a[0]", "1"),
        ("ConvertTo-Json -InputObject @{ a = @(1, 'x') } -Compress", "{\"a\":[1,\"x\"]}"),
    ];
    for (text, wanted) in cases {
        assert_eq!(run(text).as_deref(), Ok(wanted), "{text}");
    }
}

/// Lines that make `$list` of a descriptor with two entries; what .NET writes is `written`, the same with the list at the end.
fn with_descriptor(lines: &str) -> String {
    let entry = |mask, account| crate::security::Ace { flags: 0, mask, sid: crate::security::sid(account) };
    let bytes = crate::security::descriptor(&[entry(0x1f, "S-1-5-32-544"), entry(0x0b, "S-1-1-0")]);
    let texts: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    format!(
        "$bytes = [byte[]]@({})\n$parts = @($bytes, 0)\n\
         $sd = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts\n\
         $acl = $sd.DiscretionaryAcl\n\
         $sid = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'S-1-1-0'\n\
         $none = [System.Security.AccessControl.AceFlags]::None\n\
         $deny = [System.Security.AccessControl.AceQualifier]::AccessDenied\n{lines}",
        texts.join(", ")
    )
}

#[test]
fn descriptors_are_read_changed_and_written() {
    let write = "$form = New-Object -TypeName 'byte[]' -ArgumentList $sd.BinaryLength\n$sd.GetBinaryForm($form, 0)\n";
    let add = "$more = @($none, $deny, 4, $sid, $false, $null)\n\
               $ace = New-Object -TypeName System.Security.AccessControl.CommonAce -ArgumentList $more\n\
               $acl.InsertAce(0, $ace)\n";
    let owner = "01-02-00-00-00-00-00-05-20-00-00-00-20-02-00-00";
    let everyone = "01-01-00-00-00-00-00-01-00-00-00-00";
    let head = "01-00-04-80-14-00-00-00-24-00-00-00-00-00-00-00-34-00-00-00";
    let first = format!("00-00-18-00-1F-00-00-00-{owner}");
    let unchanged =
        format!("{head}-{owner}-{owner}-02-00-34-00-02-00-00-00-{first}-00-00-14-00-0B-00-00-00-{everyone}");
    let changed = format!(
        "{head}-{owner}-{owner}-02-00-48-00-03-00-00-00-01-00-14-00-04-00-00-00-{everyone}-{first}-\
         00-00-14-00-1F-00-00-80-{everyone}"
    );
    let text = "[System.BitConverter]::ToString($form)";
    let widen = "foreach ($one in $acl) {\nif ($one.SecurityIdentifier -eq $sid) {\n$one.AccessMask = $one.AccessMask -bor -2147483628\n}\n}\n";
    let cases = [
        (
            "$acl.Count; $sd.Owner.Value; $sd.Group.Value; $sd.BinaryLength".to_owned(),
            "2|S-1-5-32-544|S-1-5-32-544|104",
        ),
        ("$acl[1].AccessMask; [string]$acl[1].AceType; [string]$acl[1].AceFlags".to_owned(), "11|AccessAllowed|None"),
        ("$acl[0].AceQualifier -eq $deny; $acl[1].SecurityIdentifier -eq $sid".to_owned(), "False|True"),
        (format!("{write}{text}"), unchanged.as_str()),
        (format!("{widen}{add}{write}{text}"), changed.as_str()),
        ("$other = $sd.DiscretionaryAcl[0]\n$other.AccessMask = 3\n$acl[0].AccessMask".to_owned(), "3"),
        ("$copy = [byte[]]@($bytes)\n$copy.Length; $bytes.Length; 'a{0:x}' -f (0 - 1)".to_owned(), "104|104|affffffff"),
    ];
    for (lines, wanted) in cases {
        assert_eq!(run(&with_descriptor(&lines)).as_deref(), Ok(wanted), "{lines}");
    }
}

#[test]
fn what_dotnet_refuses_of_a_descriptor_is_an_error_and_the_rest_a_fault() {
    let construct = "New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts";
    let errors = [
        "New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'S-1-x'".to_owned(),
        "New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'Administrators'".to_owned(),
        "$acl[0].AceQualifier = $deny".to_owned(),
        "$acl[0].Nothing".to_owned(),
        "$acl.InsertAce(3, $acl[0])".to_owned(),
        "$acl[0].AccessMask = 4294967296".to_owned(),
        "$small = New-Object -TypeName 'byte[]' -ArgumentList 103\n$sd.GetBinaryForm($small, 0)".to_owned(),
        format!("$parts = @([byte[]]@(1, 0, 4), 0)\n{construct}"),
        "[byte[]]@(256)".to_owned(),
    ];
    for lines in errors {
        let result = run(&with_descriptor(&lines));
        assert!(matches!(result, Err(Stop::Throw(_))), "{lines}: {result:?}");
    }
    let faults = [
        // Objects are copied into an array of bytes, and the copy is filled.
        "$sd.GetBinaryForm(@(0, 0), 0)",
        "$parts = @(@(1, 0, 4), 0)\nNew-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts",
        "$acl.InsertAce(0, $sd)",
        "$acl.Purge($sid)",
        "$acl[0].SecurityIdentifier = $sid",
        "$sd.DiscretionaryAcl = $null",
        "[System.Security.AccessControl.AceFlags]::Nothing",
        "$more = @($none, $deny, 4, $sid, $true, $null)\nNew-Object -TypeName System.Security.AccessControl.CommonAce -ArgumentList $more",
        "$sid.Translate([System.Security.Principal.NTAccount])",
    ];
    for lines in faults {
        let result = run(&with_descriptor(lines));
        assert!(matches!(result, Err(Stop::Fault(_))), "{lines}: {result:?}");
    }
}

#[test]
fn damaged_descriptors_are_refused_wherever_they_are_cut_or_changed() {
    let entry = crate::security::Ace { flags: 0, mask: 0x1f, sid: crate::security::sid("S-1-1-0") };
    let bytes = crate::security::descriptor(&[entry]);
    let class = "security.accesscontrol.rawsecuritydescriptor";
    let read = |bytes: &[u8]| security::construct(class, &[Value::bytes(bytes), Value::Int(0)]);
    let written = |value: &Value| {
        let Value::Object(object) = value else { panic!("{value:?}") };
        let length = security::computed(&object.borrow(), "binarylength").unwrap().unwrap().integer().unwrap();
        let form = Value::bytes(&vec![0; usize::try_from(length).unwrap()]);
        security::method(object, "getbinaryform", &[form.clone(), Value::Int(0)]).unwrap().unwrap();
        form.as_bytes().unwrap()
    };
    assert!(matches!(read(&bytes), Some(Ok(_))));
    for length in 0..bytes.len() {
        assert!(matches!(read(&bytes[..length]), Some(Err(Stop::Throw(_)))), "{length}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Some(Ok(value)) = read(&changed) {
                let once = written(&value);
                let again = read(&once).unwrap().unwrap();
                assert_eq!(written(&again), once, "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn functions_bind_as_they_say() {
    let function = "function Get-It {\n    [CmdletBinding()]\n    param(\n        [Parameter(Mandatory = $true)][string]$Name,\n        [ValidateSet('a', 'b')][string]$Mode = 'a',\n        [switch]$On,\n        [int]$Count = 3,\n        [AllowNull()]$Any\n    )\n    '{0} {1} {2} {3}' -f $Name, $Mode, $On, $Count\n}\n";
    assert_eq!(run(&format!("{function}Get-It -name 'x' -Mode B -On")).as_deref(), Ok("x B True 3"));
    for wrong in [
        "Get-It",
        "Get-It -Name ''",
        "Get-It -Name $null",
        "Get-It -Name 'x' -Mode 'c'",
        "Get-It -Name 'x' -Nam 'y'",
        "Get-It -Name 'x' -Count 'many'",
        "Get-It -Name 'x' -On 'yes'",
        "Get-It -Name 'x' -WhatIf",
    ] {
        assert!(matches!(run(&format!("{function}{wrong}")), Err(Stop::Throw(_))), "{wrong}");
    }
    assert!(matches!(run(&format!("{function}Get-It 'x'")), Err(Stop::Fault(_))));
}

#[test]
fn should_process_is_asked() {
    let function = "function Set-It {\n    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]\n    param()\n    $PSCmdlet.ShouldProcess('it', 'set')\n}\n";
    assert_eq!(run(&format!("{function}Set-It -WhatIf")).as_deref(), Ok("False"));
    assert_eq!(run(&format!("{function}Set-It -Confirm:$false")).as_deref(), Ok("True"));
    assert!(matches!(run(&format!("{function}Set-It")), Err(Stop::Throw(_))));
}

#[test]
fn strict_mode_holds() {
    for text in [
        "$nothing",
        "$x = 1; $x.Count",
        "@(1)[1]",
        "$null.Trim()",
        "(ConvertFrom-Json -InputObject '{}').a",
        "'a'.Substring(2)",
    ] {
        assert!(matches!(run(text), Err(Stop::Throw(_))), "{text}: {:?}", run(text));
    }
}

#[test]
fn what_is_not_known_is_a_fault_with_its_line() {
    let unknown = [
        "1\nGet-Nothing",
        "1\nwhile ($true) { }",
        "1\ndo { 1 } until ($true)",
        "1\n'a' -shl 1",
        "1\n1..3",
        "1\n'abc'.PadLeft(5)",
        "1\n'{0:yyyy}' -f 1",
        "1\n@(1) -eq 1",
        "1\n[System.Guid]::NewGuid()",
        "1\n'a' | Sort-Object",
        "1\n'a“b' ; \"a“b\"",
        "1\n2147483647 + 1",
        "1\nWrite-Output -InputObject 1 > x",
        "1\ntrap { 1 }",
        "1\nclass A { }",
    ];
    for text in unknown {
        match run(text) {
            Err(Stop::Fault(message)) => {
                assert!(message.contains("line 2") || message.contains("end"), "{text}: {message}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}
