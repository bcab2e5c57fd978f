use super::*;

const PORT: &str = r#"\\HOST\root\virtualization:Msvm_SwitchPort.CreationClassName="Msvm_SwitchPort",Name="6A45335D-4C3A-44B7-B61F-C9808BBDF8ED",SystemName="C\\\"x=,.:y""#;

#[test]
fn a_path_is_taken_apart() {
    let path: Reference = PORT.parse().unwrap();
    assert_eq!((path.namespace.as_str(), path.class.as_str()), (r"root\virtualization", "Msvm_SwitchPort"));
    assert_eq!(path.key("name"), Some("6A45335D-4C3A-44B7-B61F-C9808BBDF8ED"));
    assert_eq!(path.key("SystemName"), Some("C\\\"x=,.:y"));
    assert_eq!(path.to_string(), PORT.split_once("HOST\\").unwrap().1, "written as it was, without the host");
    let relative: Reference = r#"Win32_X.Index=5,B="""#.parse().unwrap();
    assert_eq!((relative.namespace.as_str(), relative.keys.len()), ("", 2));
    assert_eq!((relative.key("Index"), relative.key("B")), (Some("5"), Some("")));
    let only: Reference = "__SystemSecurity=@".parse().unwrap();
    assert_eq!((only.class.as_str(), only.keys.len()), ("__SystemSecurity", 0));
    assert_eq!(only.to_string(), "__SystemSecurity=@");
    let unnamed: Reference = r#"root\cimv2:Win32_Y="a:b""#.parse().unwrap();
    assert_eq!((unnamed.namespace.as_str(), unnamed.key("")), (r"root\cimv2", Some("a:b")));
    assert_eq!(unnamed.to_string(), r#"root\cimv2:Win32_Y="a:b""#);
}

#[test]
fn what_is_no_path_is_refused() {
    for (text, reason) in [
        ("", "names no class"),
        (".A=1", "names no class"),
        (r"C:\a\b.vhd", "names no class"),
        ("X.A", "has no value"),
        ("X.A=", "has no value"),
        (r#"X.A="b"#, "does not end"),
        (r#"X.A="b\"#, "does not end"),
        (r#"X.A="b"c"#, "follows"),
        (r#"X.A="b","#, "has no value"),
    ] {
        let error = text.parse::<Reference>().unwrap_err();
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
    assert!("X".repeat(70_000).parse::<Reference>().unwrap_err().reason.contains("long"));
}

const XML: &str = r#"<?xml version="1.0"?><CIM><Anything><INSTANCE CLASSNAME="Msvm_X">
  <QUALIFIER NAME="dynamic"/>
  <PROPERTY NAME="Name" TYPE="string"><VALUE>Ü &amp; 1</VALUE></PROPERTY>
  <PROPERTY NAME="None" TYPE="string"></PROPERTY><PROPERTY NAME="Empty" TYPE="string"><VALUE></VALUE></PROPERTY>
  <PROPERTY NAME="On" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>
  <PROPERTY.ARRAY NAME="Bytes" TYPE="uint8"><VALUE.ARRAY><VALUE>1</VALUE><VALUE>255</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>
  <PROPERTY.ARRAY NAME="Holes" TYPE="string"><VALUE.ARRAY><VALUE>a</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY>
  <PROPERTY.REFERENCE NAME="Antecedent"><VALUE.REFERENCE><INSTANCEPATH><NAMESPACEPATH><HOST>H</HOST><LOCALNAMESPACEPATH>
    <NAMESPACE NAME="root"/><NAMESPACE NAME="virtualization"/></LOCALNAMESPACEPATH></NAMESPACEPATH>
    <INSTANCENAME CLASSNAME="Msvm_SwitchPort"><KEYBINDING NAME="Name"><KEYVALUE VALUETYPE="string">P</KEYVALUE></KEYBINDING>
    </INSTANCENAME></INSTANCEPATH></VALUE.REFERENCE></PROPERTY.REFERENCE>
  <PROPERTY.REFERENCE NAME="Dependent"><VALUE.REFERENCE>Msvm_Y.A="1"</VALUE.REFERENCE></PROPERTY.REFERENCE>
  <PROPERTY.OBJECT NAME="Inner"><VALUE.OBJECT><INSTANCE CLASSNAME="Inside"><PROPERTY NAME="A"><VALUE>7</VALUE></PROPERTY>
  </INSTANCE></VALUE.OBJECT></PROPERTY.OBJECT>
  <Strange/>
</INSTANCE><INSTANCE CLASSNAME="Second"/></Anything></CIM>"#;

#[test]
fn objects_are_read_whatever_is_around_them() {
    let Objects { objects, unknown } = read(XML.as_bytes(), "x.xml").unwrap();
    let [object, second] = &objects[..] else { panic!("two objects, not {}", objects.len()) };
    assert!(object.is("msvm_x") && second.is("Second") && second.properties.is_empty());
    assert_eq!((object.text("name"), object.get("None")), (Some("Ü & 1"), Some(&Value::Null)));
    assert_eq!((object.text("Empty"), object.text("Missing"), object.flag("On")), (Some(""), None, Some(true)));
    assert_eq!((object.bytes("Bytes"), object.number("Bytes")), (Some(vec![1, 255]), Some(1)));
    assert_eq!((object.texts("Holes"), object.bytes("Holes")), (vec!["a"], None));
    let port = object.reference("Antecedent").unwrap();
    assert_eq!((port.namespace.as_str(), port.key("Name")), (r"root\virtualization", Some("P")));
    assert_eq!(object.reference("Dependent").unwrap().key("A"), Some("1"));
    let Some(Value::Object(inner)) = object.get("Inner") else { panic!("an object inside") };
    assert_eq!(inner.number("A"), Some(7));
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].contains("element 'Strange' in 'INSTANCE'") && unknown[0].contains("Line 15"), "{unknown:?}");
}

#[test]
fn bytes_that_are_no_objects_give_an_error_or_nothing() {
    assert!(read(b"<a", "x.xml").is_err());
    assert_eq!(read(b"<a/>", "x.xml").unwrap(), Objects::default());
    let deep = "<a>".repeat(100) + &"</a>".repeat(100);
    assert!(read(deep.as_bytes(), "x.xml").is_err(), "recursion is bounded");
}
