//! Calls of the script to its host (MS-PSRP 2.2.3.17, 2.2.2.27). There is none here, so that a call that waits for an answer
//! gets an error at once, and the script does not wait for ever.

use crate::clixml::{Base, Object, Value};

/// Methods of a host that give something back, with their numbers (MS-PSRP 2.2.3.17); all others are only told.
const ANSWERED: [(i64, &str); 27] = [
    (1, "GetName"),
    (2, "GetVersion"),
    (3, "GetInstanceId"),
    (4, "GetCurrentCulture"),
    (5, "GetCurrentUICulture"),
    (11, "ReadLine"),
    (12, "ReadLineAsSecureString"),
    (23, "Prompt"),
    (24, "PromptForCredential1"),
    (25, "PromptForCredential2"),
    (26, "PromptForChoice"),
    (27, "GetForegroundColor"),
    (29, "GetBackgroundColor"),
    (31, "GetCursorPosition"),
    (33, "GetWindowPosition"),
    (35, "GetCursorSize"),
    (37, "GetBufferSize"),
    (39, "GetWindowSize"),
    (41, "GetWindowTitle"),
    (43, "GetMaxWindowSize"),
    (44, "GetMaxPhysicalWindowSize"),
    (45, "GetKeyAvailable"),
    (46, "ReadKey"),
    (50, "GetBufferContents"),
    (54, "GetIsRunspacePushed"),
    (55, "GetRunspace"),
    (56, "PromptForChoiceMultipleSelection"),
];

/// The number of the method that a call means.
pub(super) fn method(call: &Value) -> i64 {
    call.get("mi").and_then(Value::as_integer).unwrap_or_default()
}

/// The data of the answer to a call, if it waits for one.
pub(super) fn answer(call: &Value) -> Option<Value> {
    let number = method(call);
    let (_, name) = ANSWERED.iter().find(|(known, _)| *known == number)?;
    let text =
        format!("The script called {name} of its host, but nobody sits in front of it: it must not ask for anything.");
    let call_id = call.get("ci").cloned().unwrap_or(Value::I64(0));
    let number = i32::try_from(number).unwrap_or_default();
    let method = enumeration("System.Management.Automation.Remoting.RemoteHostMethodId", name, number);
    Some(Object::with(vec![("ci", call_id), ("mi", method), ("me", error(&text))]).into())
}

/// A value of an enumeration (MS-PSRP 2.2.5.2.7).
pub(super) fn enumeration(name: &str, text: &str, number: i32) -> Value {
    let types = [name, "System.Enum", "System.ValueType", "System.Object"].map(str::to_owned).to_vec();
    Object { types, text: Some(text.to_owned()), base: Base::Value(Value::I32(number)), ..Object::default() }.into()
}

/// An error record (MS-PSRP 2.2.3.15).
fn error(text: &str) -> Value {
    let exception = Object {
        types: ["System.NotSupportedException", "System.Exception", "System.Object"].map(str::to_owned).to_vec(),
        text: Some(text.to_owned()),
        adapted: vec![("Message".to_owned(), Value::Text(text.to_owned()))],
        ..Object::default()
    };
    let mut record = Object::with(vec![
        ("Exception", exception.into()),
        ("TargetObject", Value::Null),
        ("FullyQualifiedErrorId", Value::Text("NoHost".to_owned())),
        ("InvocationInfo", Value::Null),
        // NotImplemented.
        ("ErrorCategory_Category", Value::I32(19)),
        ("ErrorCategory_Activity", Value::Text(String::new())),
        ("ErrorCategory_Reason", Value::Text("NotSupportedException".to_owned())),
        ("ErrorCategory_TargetName", Value::Text(String::new())),
        ("ErrorCategory_TargetType", Value::Text(String::new())),
        ("ErrorCategory_Message", Value::Text("NotImplemented: (:) [], NotSupportedException".to_owned())),
        ("SerializeExtendedInfo", Value::Bool(false)),
    ]);
    record.types = ["System.Management.Automation.ErrorRecord", "System.Object"].map(str::to_owned).to_vec();
    record.text = Some(text.to_owned());
    record.into()
}

/// That there is no host (MS-PSRP 2.2.3.14).
pub(super) fn none() -> Value {
    let truth = Value::Bool(true);
    let names = ["_isHostNull", "_isHostUINull", "_isHostRawUINull", "_useRunspaceHost"];
    Object::with(names.map(|name| (name, truth.clone())).to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_and_a_statement_is_not() {
        let call = |number| Object::with(vec![("ci", Value::I64(3)), ("mi", Value::I32(number))]).into();
        let answer_to_read = answer(&call(11)).unwrap();
        assert_eq!(answer_to_read.get("ci"), Some(&Value::I64(3)));
        assert_eq!(answer_to_read.get("mi").and_then(Value::as_integer), Some(11));
        assert!(answer_to_read.get("me").unwrap().to_string().contains("ReadLine"));
        // WriteLine2 and a number that is none.
        assert!(answer(&call(16)).is_none() && answer(&Value::Null).is_none());
    }
}
