//! Reading, changing and writing small documents; the real sample is in `tests/config_vmxml.rs`.

use super::*;

const SMALL: &str = "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\r\n<configuration>\r\n  \
    <properties>\r\n    <creation_time type=\"bytes\">j3iz2977zwE=\r\n</creation_time>\r\n    \
    <name type=\"string\">A &amp; B</name>\r\n    <version type=\"integer\">768</version>\r\n  </properties>\r\n  \
    <settings>\r\n    <on type=\"bool\">True</on>\r\n  </settings>\r\n</configuration>";

fn utf16(text: &str, to: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16()).flat_map(to).collect()
}

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes(), "vm.xml").unwrap()
}

#[test]
fn every_encoding_survives_unchanged() {
    let lf = SMALL.replace("\r\n", "\n") + "\n";
    for text in [SMALL, &lf] {
        let forms = [
            utf16(text, u16::to_le_bytes, true),
            utf16(text, u16::to_le_bytes, false),
            utf16(text, u16::to_be_bytes, true),
            utf16(text, u16::to_be_bytes, false),
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
        ];
        for bytes in forms {
            let document = Document::parse(&bytes, "vm.xml").unwrap();
            assert_eq!(document.str("/configuration/properties/name").unwrap(), Some("A & B"));
            assert_eq!(document.to_bytes(), bytes);
        }
    }
}

#[test]
fn values_are_typed_and_placed() {
    let document = parse(SMALL);
    assert_eq!(document.i64("/configuration/properties/version").unwrap(), Some(768));
    assert_eq!(document.bool("/configuration/settings/on").unwrap(), Some(true));
    let time = document.bytes("/configuration/properties/creation_time").unwrap().unwrap();
    assert_eq!(u64::from_le_bytes(time.try_into().unwrap()), 0x01CF_FBDE_DBB3_788F);
    assert_eq!(document.i64("/configuration/properties/absent").unwrap(), None);
    assert_eq!(document.place("/configuration/properties/version"), "/configuration/properties/version (line 7)");
    let error = document.bool("/configuration/properties/name").unwrap_err().to_string();
    assert_eq!(
        error,
        "'vm.xml', /configuration/properties/name (line 6): expected True or False (type bool), found string 'A & B'."
    );
    assert!(matches!(document.str("/configuration/properties"), Err(VmXmlError::Value { .. })));
}

#[test]
fn changed_text_is_escaped_and_the_rest_stays() {
    let mut document = parse(SMALL);
    document.set_text("/configuration/properties/name", "C < \"D\"\n>").unwrap();
    let expected = SMALL.replace("A &amp; B", "C &lt; \"D\"\r\n&gt;");
    assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), expected);
    let again = Document::parse(&document.to_bytes(), "vm.xml").unwrap();
    assert_eq!(again.str("/configuration/properties/name").unwrap(), Some("C < \"D\"\n>"));
}

#[test]
fn setting_the_same_text_changes_no_byte() {
    let odd = "<configuration><a type='string'>x&#x41;</a></configuration>";
    let mut document = parse(odd);
    document.set_text("/configuration/a", "xA").unwrap();
    assert_eq!(document.to_bytes(), odd.as_bytes());
}

#[test]
fn built_document_is_spelt_like_the_read_one() {
    let properties = Node::container("properties")
        .unwrap()
        .with(Node::integer("version", 768).unwrap())
        .with(Node::string("name", "A & B").unwrap())
        .with(Node::bytes("creation_time", &0x01CF_FBDE_DBB3_788F_u64.to_le_bytes()).unwrap());
    let settings = Node::container("settings").unwrap().with(Node::bool("on", true).unwrap());
    let root = Node::container("configuration").unwrap().with(settings).with(properties);
    assert_eq!(Document::new("new.xml", root).to_bytes(), utf16(SMALL, u16::to_le_bytes, true));
}

#[test]
fn long_bytes_wrap_at_64_characters() {
    let root = Node::container("c").unwrap().with(Node::bytes("data", &[7; 49]).unwrap());
    let bytes = Document::new("new.xml", root).to_bytes();
    let text = encoding::decode(&bytes, "new.xml").unwrap().1;
    let lines: Vec<_> = text.split("\r\n").skip(2).collect();
    assert_eq!(lines[0].len(), "  <data type=\"bytes\">".len() + 64);
    assert_eq!((lines[1].len(), lines[2]), (4, "</data>"));
    let back = Document::parse(&bytes, "new.xml").unwrap();
    assert_eq!(back.bytes("/c/data").unwrap().unwrap(), vec![7; 49]);
    assert_eq!(back.to_bytes(), bytes);
}

#[test]
fn insert_and_remove_keep_the_order_and_the_rest() {
    let mut document = parse(SMALL);
    document.insert("/configuration/properties", Node::string("notes", "n").unwrap()).unwrap();
    let names: Vec<_> = document.children("/configuration/properties").iter().map(Node::name).collect();
    assert_eq!(names, ["creation_time", "name", "notes", "version"]);
    assert!(
        String::from_utf8(document.to_bytes()).unwrap().contains("</name>\r\n    <notes type=\"string\">n</notes>\r\n")
    );
    assert_eq!(document.remove("/configuration/properties/notes").unwrap().value().unwrap().as_str(), "n");
    assert_eq!(document.to_bytes(), SMALL.as_bytes());
    assert!(document.remove("/configuration").is_none());
    assert!(matches!(
        document.insert("/configuration/properties/name", Node::container("x").unwrap()),
        Err(VmXmlError::Shape { .. })
    ));
    assert!(matches!(document.set_text("/configuration/nothing", ""), Err(VmXmlError::Missing { .. })));
    assert!(matches!(document.set_text("/configuration/settings", ""), Err(VmXmlError::Shape { .. })));
}

#[test]
fn odd_markup_is_kept_and_remarked() {
    let odd = "<!-- by hand -->\n<configuration   a='1'>\n\t<!-- c --><x type=\"wide\">1</x><y/><z type=\"string\" />\
        <m type='string'>t<n/></m><![CDATA[loose]]>\n\t<p>plain<!-- in --></p>\n</configuration>\n<!-- end -->\n";
    let mut document = parse(odd);
    assert_eq!(document.to_bytes(), odd.as_bytes());
    assert_eq!(document.i64("/configuration/x").unwrap(), Some(1));
    assert_eq!(document.root().attributes(), [Attribute { name: "a".into(), value: "1".into() }]);
    assert_eq!(document.get("/configuration/p").unwrap().value().unwrap().kind, ValueKind::Other(String::new()));
    assert_eq!(document.remarks().len(), 5, "{:?}", document.remarks());
    document.set_text("/configuration/z", "new").unwrap();
    document.get_mut("/configuration/y").unwrap().insert(Node::integer("k", 1).unwrap());
    let text = String::from_utf8(document.to_bytes()).unwrap();
    assert!(text.contains("<z type=\"string\">new</z>"), "{text}");
    assert!(text.contains("<y>\n    <k type=\"integer\">1</k>\n  </y>"), "{text}");
}

/// Namespaces that an element declares are none of its attributes, and were lost when its tag was spelt anew.
#[test]
fn self_closed_elements_keep_their_start_tag_when_they_are_filled() {
    let odd = "<c xmlns:n='u' n:a='1' ><n:x n:b=\"2\" xmlns:m=\"v\" m:d='3'\ttype=\"string\" /><n:y xmlns:k='w'/></c>";
    let mut document = parse(odd);
    document.get_mut("/c/n:x").unwrap().insert(Node::integer("k", 1).unwrap());
    assert_eq!(document.to_bytes(), odd.as_bytes(), "a leaf takes no child");
    document.set_text("/c/n:x", "new").unwrap();
    document.get_mut("/c/n:y").unwrap().insert(Node::integer("k", 1).unwrap());
    let expected = odd
        .replace("\"string\" />", "\"string\">new</n:x>")
        .replace("<n:y xmlns:k='w'/>", "<n:y xmlns:k='w'>\n    <k type=\"integer\">1</k>\n  </n:y>");
    let written = String::from_utf8(document.to_bytes()).unwrap();
    assert_eq!(written.replace("\r\n", "\n"), expected);
    assert_eq!(parse(&written).root(), document.root());
    let mut root = parse("<n:c xmlns:n='u' n:z='/>'/>");
    root.root_mut().insert(Node::integer("k", 1).unwrap());
    assert_eq!(parse(&String::from_utf8(root.to_bytes()).unwrap()).root(), root.root());
}

#[test]
fn repeated_siblings_and_device_sections_are_found() {
    let document =
        parse("<c><_aB-1_><i type=\"string\">1</i><i type=\"string\">2</i></_aB-1_><Name type=\"string\"/></c>");
    assert_eq!(document.str("/c/_AB-1_/i[2]").unwrap(), Some("2"));
    assert_eq!(document.str("/c/_AB-1_/i").unwrap(), Some("1"));
    assert_eq!(document.get("/c/name"), None);
    assert_eq!(document.get("/c/_AB-1_/i[3]"), None);
    let paths: Vec<_> = document.leaves().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["/c/_aB-1_/i[1]", "/c/_aB-1_/i[2]", "/c/Name"]);
    for path in paths {
        assert!(document.get(&path).is_some());
    }
}

#[test]
fn bounds_are_kept() {
    let deep = "<a>".repeat(MAX_DEPTH + 1) + &"</a>".repeat(MAX_DEPTH + 1);
    assert!(matches!(Document::parse(deep.as_bytes(), "x"), Err(VmXmlError::TooDeep { .. })));
    let deepest = "<a>".repeat(MAX_DEPTH) + &"</a>".repeat(MAX_DEPTH);
    assert_eq!(Document::parse(deepest.as_bytes(), "x").unwrap().to_bytes(), deepest.as_bytes());
    let attributes: String = (0..=MAX_ATTRIBUTES).map(|i| format!(" a{i}=''")).collect();
    let wide = format!("<a{attributes}/>");
    assert!(matches!(Document::parse(wide.as_bytes(), "x"), Err(VmXmlError::TooManyAttributes { .. })));
    let long = format!("<{}/>", "n".repeat(MAX_NAME + 1));
    assert!(matches!(Document::parse(long.as_bytes(), "x"), Err(VmXmlError::NameTooLong { .. })));
    let spaces = format!("<a>{}</a>", "<b xmlns:n='u'/>".repeat(MAX_NAMESPACES + 1));
    assert!(matches!(Document::parse(spaces.as_bytes(), "x"), Err(VmXmlError::TooManyNamespaces { .. })));
    assert!(matches!(Document::parse(&vec![b' '; MAX_FILE + 1], "x"), Err(VmXmlError::TooLarge { .. })));
    let dtd = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    assert!(matches!(Document::parse(dtd.as_bytes(), "x"), Err(VmXmlError::Markup { .. })));
}

#[test]
fn wrong_text_names_the_byte() {
    let Err(VmXmlError::NotText { offset, .. }) = Document::parse(b"<a>\xFF</a>", "x") else { panic!() };
    assert_eq!(offset, 3);
    let Err(VmXmlError::NotText { offset, .. }) = Document::parse(b"\xFF\xFE<\0a\0\x00\xD8>\0", "x") else { panic!() };
    assert_eq!(offset, 6);
    let Err(VmXmlError::NotText { offset, .. }) = Document::parse(b"\xFF\xFE<\0a", "x") else { panic!() };
    assert_eq!(offset, 4);
}

#[test]
fn builders_refuse_what_xml_cannot_say() {
    assert!(matches!(Node::container("a b"), Err(VmXmlError::Name { .. })));
    assert!(matches!(Node::container(""), Err(VmXmlError::Name { .. })));
    assert!(matches!(Node::container("1"), Err(VmXmlError::Name { .. })));
    assert!(matches!(Node::string("a", "\u{1}"), Err(VmXmlError::Character { code: 1, .. })));
    let root = Node::container("c").unwrap().with(Node::string("a", "x\ry").unwrap());
    let back = Document::parse(&Document::new("n", root).to_bytes(), "n").unwrap();
    assert_eq!(back.str("/c/a").unwrap(), Some("x\ry"));
}
