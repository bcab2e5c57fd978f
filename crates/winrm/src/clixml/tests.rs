//! Round trips, texts as PowerShell writes them, and bytes from nowhere.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// What `'ü', 1 | Out-String` and a process look like, in the form of MS-PSRP 2.2.5.2's examples.
const SAMPLE: &str = "<Obj RefId=\"0\"><TN RefId=\"0\"><T>Deserialized.System.Diagnostics.Process</T><T>System.Object</T></TN>\
    <ToString>_xD83D__xDE00_ ü</ToString><Props><I32 N=\"Id\">4</I32><S N=\"Name\">a_x000A_b_x005F_x</S>\
    <Obj N=\"Kind\" RefId=\"1\"><TN RefId=\"1\"><T>System.Enum</T></TN><ToString>On</ToString><I32>7</I32></Obj>\
    <Obj N=\"Other\" RefId=\"2\"><TNRef RefId=\"1\"/><LST><Ref RefId=\"1\"/><Nil/><B>true</B></LST></Obj></Props>\
    <MS><Obj N=\"D\" RefId=\"3\"><DCT><En><S N=\"Key\">k</S><BA N=\"Value\">AQI=</BA></En></DCT></Obj><Q N=\"New\">x</Q></MS></Obj>";

#[test]
fn an_object_is_read_whole() {
    let value = read(SAMPLE).unwrap();
    assert_eq!(value.to_string(), "\u{1F600} ü");
    assert_eq!(value.get("id").and_then(Value::as_integer), Some(4));
    assert_eq!(value.get("Name").and_then(Value::as_text), Some("a\nb_x"));
    assert_eq!(value.get("Kind").and_then(Value::as_integer), Some(7));
    let other = value.get("Other").unwrap();
    assert_eq!(other.as_list().map(<[_]>::len), Some(3));
    assert_eq!(other.as_list().and_then(|list| list[0].as_integer()), Some(7));
    let Some(Value::Object(kind)) = value.get("Other") else { panic!("an object") };
    assert_eq!(kind.types, ["System.Enum"]);
    let Some(Value::Object(dictionary)) = value.get("D") else { panic!("an object") };
    assert_eq!(dictionary.base, Base::Dictionary(vec![(Value::Text("k".to_owned()), Value::Bytes(vec![1, 2]))]));
    assert_eq!(value.get("New"), Some(&Value::Unknown { element: "Q".to_owned(), text: "x".to_owned() }));
}

#[test]
fn references_share_and_do_not_multiply() {
    let mut text = "<Obj RefId=\"0\"><LST><S>x</S></LST></Obj>".to_owned();
    for id in 1..2_000 {
        let before = id - 1;
        text.push_str(&format!(
            "<Obj RefId=\"{id}\"><LST><Ref RefId=\"{before}\"/><Ref RefId=\"{before}\"/></LST></Obj>"
        ));
    }
    let value = read(&format!("<Obj RefId=\"x\"><LST>{text}</LST></Obj>")).unwrap();
    assert_eq!(value.as_list().map(<[_]>::len), Some(2_000));
    // Written out it would be endless, so it is refused.
    assert!(matches!(write(&value), Err(crate::Error::Oversized { .. })));
    assert_eq!(read("<Obj RefId=\"0\"><LST><Ref RefId=\"0\"/></LST></Obj>").unwrap().as_list().unwrap().len(), 1);
}

#[test]
fn depth_is_bounded() {
    let deep = |count: usize| format!("{}<Nil/>{}", "<Obj><LST>".repeat(count), "</LST></Obj>".repeat(count));
    assert!(read(&deep(60)).is_ok());
    assert!(read(&deep(10_000)).unwrap_err().contains("deeper"));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<String>().prop_map(Value::Text),
        any::<u16>().prop_map(Value::Char),
        any::<u8>().prop_map(Value::U8),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<i32>().prop_map(Value::I32),
        proptest::num::f64::NORMAL.prop_map(Value::F64),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        any::<String>().prop_map(Value::Script),
        any::<String>().prop_map(Value::Xml),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let pairs = proptest::collection::vec((any::<String>(), inner.clone()), 0..4);
        let base = prop_oneof![
            Just(Base::None),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| Base::List(ListKind::List, values)),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| Base::List(ListKind::Queue, values)),
            proptest::collection::vec((inner.clone(), inner), 0..3).prop_map(Base::Dictionary),
        ];
        (proptest::collection::vec(any::<String>(), 0..3), any::<Option<String>>(), base, pairs.clone(), pairs)
            .prop_map(|(types, text, base, adapted, extended)| {
                Value::Object(Arc::new(Object { types, text, base, adapted, extended }))
            })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in values()) {
        prop_assert_eq!(read(&write(&value).unwrap()), Ok(value));
    }

    #[test]
    fn a_changed_text_is_read_or_refused(at in 0usize..1000, byte in any::<u8>()) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        let end = bytes.len();
        bytes[at % end] = byte;
        let _ = read(&String::from_utf8_lossy(&bytes)).map(|value| value.to_string());
    }
}
