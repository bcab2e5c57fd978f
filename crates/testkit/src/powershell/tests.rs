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
