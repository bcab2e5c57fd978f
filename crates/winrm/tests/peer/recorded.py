"""A host whose answers were recorded: objects of WMI as a collection has them (CIM-XML, DSP0201) and a registry as JSON. They are
given as WS-Management sends them (DSP0227). The folder may change while it is served.

    DIR/wmi/NAMESPACE/CLASS.xml, DIR/registry.json, DIR/denied with a key that nobody may read in each line,
    DIR/no-references when queries for references are refused
"""

import json
import os
import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
LOCAL_MACHINE = "2147483650"
# As the host has them.
VARIABLES = {"systemdrive": "C:", "systemroot": "C:\\Windows", "programfiles": "C:\\Program Files"}


class Refused(Exception):
    """A fault with the number that WMI gives."""

    def __init__(self, number, text):
        super().__init__(text)
        self.number, self.text = number, text


class Recorded:
    """The host."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "registry.json"), encoding="utf-8") as file:
            self.hives = json.load(file)

    # Objects

    def namespaces(self):
        return os.listdir(os.path.join(self.folder, "wmi"))

    def objects(self, namespace, class_):
        folder = os.path.join(self.folder, "wmi", namespace.replace("/", ".").lower())
        if not os.path.isdir(folder):
            raise Refused(0x8004100E, "Invalid namespace")
        if class_ == "__NAMESPACE":
            return []
        path = os.path.join(folder, class_ + ".xml")
        if not os.path.exists(path):
            raise Refused(0x80041010, "Invalid class")
        with open(path, "rb") as file:
            return list(ET.fromstring(file.read().decode("utf-16")).iter("INSTANCE"))

    def below(self, namespace):
        start = namespace.replace("/", ".").lower() + "."
        names = [name[len(start) :] for name in self.namespaces() if name.startswith(start)]
        return [
            ET.fromstring(f'<INSTANCE CLASSNAME="__NAMESPACE"><PROPERTY NAME="Name"><VALUE>{name}</VALUE></PROPERTY></INSTANCE>')
            for name in names
            if "." not in name
        ]

    def query(self, namespace, text):
        """The objects that a query finds, as XML."""
        if found := re.fullmatch(r"SELECT \* FROM (\w+)(?: WHERE (.+))?", text):
            class_, where = found.groups()
            objects = self.below(namespace) if class_ == "__NAMESPACE" else self.objects(namespace, class_)
            for condition in (where or "").split(" AND ") if where else []:
                name, value = condition.split("=", 1)
                objects = [one for one in objects if property_of(one, name).lower() == value.strip("'").lower()]
        elif found := re.fullmatch(r"REFERENCES OF \{(.+)\} WHERE ResultClass=(\w+)", text):
            path, class_ = found.groups()
            if os.path.exists(os.path.join(self.folder, "no-references")):
                raise Refused(0x80041017, "Invalid query")
            objects = [one for one in self.objects(namespace, class_) if leads_to(one, *path_of(path))]
        elif found := re.fullmatch(r"ASSOCIATORS OF \{(.+)\} WHERE AssocClass=Win32_GroupUser Role=GroupComponent", text):
            class_, keys = path_of(found.group(1))
            groups = [one for one in self.objects(namespace, class_) if all(property_of(one, k) == v for k, v in keys.items())]
            objects = self.objects(namespace, "members-" + property_of(groups[0], "SID"))
        else:
            raise Refused(0x80041017, "Invalid query")
        return [written(namespace, one) for one in objects]

    # Methods

    def invoke(self, namespace, class_, method, arguments):
        """The outputs of a method, as XML without the element around them."""
        if class_ == "StdRegProv":
            return self.registry(method, arguments)
        if (class_, method) == ("__SystemSecurity", "GetSD"):
            (security,) = self.objects(namespace, "security")
            return leaf("ReturnValue", 0) + "".join(leaf("SD", v.text) for v in security.iter("VALUE"))
        output = {"GetVirtualHardDiskInfo": "Info", "GetVirtualHardDiskSettingData": "SettingData"}.get(method)
        if class_ == "Msvm_ImageManagementService" and output:
            for one in self.objects(namespace, "disks"):
                if property_of(one, "Path").lower() == arguments["Path"].lower():
                    return leaf("ReturnValue", 0) + leaf(output, ET.tostring(one, encoding="unicode"))
            return leaf("ReturnValue", 32773)
        raise Refused(0x80041055, "Invalid method")

    def registry(self, method, arguments):
        if arguments["hDefKey"] != LOCAL_MACHINE:
            return leaf("ReturnValue", 2)
        path = arguments["sSubKeyName"]
        if any(path.lower().startswith(key.lower()) for key in self.denied()):
            return leaf("ReturnValue", 5)
        key = self.key(path)
        if key is None:
            return leaf("ReturnValue", 2)
        if method == "EnumKey":
            # In the order of Windows.
            names = sorted(key["keys"], key=str.upper)
            return leaf("ReturnValue", 0) + array("sNames", names)
        if method == "EnumValues":
            names, kinds = [name for name, _, _ in key["values"]], [kind for _, kind, _ in key["values"]]
            return leaf("ReturnValue", 0) + array("sNames", names) + array("Types", kinds)
        wanted = arguments["sValueName"].lower()
        for name, kind, digits in key["values"]:
            if name.lower() == wanted:
                return value_of(method, kind, bytes.fromhex(digits))
        return leaf("ReturnValue", 2)

    def denied(self):
        path = os.path.join(self.folder, "denied")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return file.read().split("\n")

    def key(self, path):
        hive, *names = path.split("\\")
        key = self.hives.get(hive.upper())
        for name in names:
            if key is None:
                return None
            # The name of the set that the host runs with.
            name = "ControlSet001" if name.lower() == "currentcontrolset" else name
            key = next((key["keys"][known] for known in key["keys"] if known.lower() == name.lower()), None)
        return key


def value_of(method, kind, data):
    text = lambda: data.decode("utf-16-le").split("\0")[0]
    done = leaf("ReturnValue", 0)
    if (method, kind) == ("GetStringValue", 1):
        return done + leaf("sValue", text())
    if (method, kind) == ("GetExpandedStringValue", 2):
        replace = lambda found: VARIABLES.get(found.group(1).lower(), found.group(0))
        return done + leaf("sValue", re.sub("%([^%]+)%", replace, text()))
    if (method, kind) == ("GetMultiStringValue", 7):
        return done + array("sValue", data.decode("utf-16-le").rstrip("\0").split("\0"))
    if (method, kind) in (("GetDWORDValue", 4), ("GetQWORDValue", 11)):
        return done + leaf("uValue", int.from_bytes(data, "little"))
    if (method, kind) == ("GetBinaryValue", 3):
        return done + array("uValue", list(data))
    # The type is another one.
    return leaf("ReturnValue", 2147749893)


def leaf(name, value):
    return f"<p:{name}>{escape(str(value))}</p:{name}>"


def array(name, values):
    return "".join(leaf(name, value) for value in values) or f'<p:{name} xsi:nil="true"/>'


def property_of(instance, name):
    for one in instance:
        if one.get("NAME", "").lower() == name.lower():
            return one.findtext("VALUE") or ""
    return ""


def path_of(text):
    """Class and keys of `Class.Key="value",…`."""
    class_, keys = text.split(".", 1)
    pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', keys)
    return class_, {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}


def leads_to(association, class_, keys):
    for reference in association.iter("PROPERTY.REFERENCE"):
        name = next(reference.iter("INSTANCENAME"))
        own = {key.get("NAME"): key.findtext("KEYVALUE") for key in name}
        if name.get("CLASSNAME") == class_ and all(keys.get(key, value) == value for key, value in own.items()):
            return True
    return False


def written(namespace, instance):
    class_ = instance.get("CLASSNAME")
    properties = []
    for one in instance:
        name = one.get("NAME")
        if one.tag == "PROPERTY.ARRAY":
            properties.append(array(name, [value.text or "" for value in one.iter("VALUE")]))
        elif one.tag == "PROPERTY.REFERENCE":
            properties.append(f"<p:{name}>{reference(next(one.iter('VALUE.REFERENCE')))}</p:{name}>")
        elif (value := one.find("VALUE")) is not None:
            # Truth values are those of XML Schema.
            text = value.text or ""
            properties.append(leaf(name, text.lower() if one.get("TYPE") == "boolean" else text))
        else:
            properties.append(f'<p:{name} xsi:nil="true"/>')
    uri = f"{WMI}{namespace}/{class_}"
    return f'<p:{class_} xmlns:p={quoteattr(uri)} xsi:type="p:{class_}_Type">{"".join(properties)}</p:{class_}>'


def reference(value):
    namespace = "/".join(one.get("NAME") for one in value.iter("NAMESPACE"))
    name = next(value.iter("INSTANCENAME"))
    selectors = f'<w:Selector Name="__cimnamespace">{namespace}</w:Selector>'
    for key in name:
        selectors += f"<w:Selector Name={quoteattr(key.get('NAME'))}>{escape(key.findtext('KEYVALUE'))}</w:Selector>"
    uri = escape(f"{WMI}{namespace}/{name.get('CLASSNAME')}")
    return (
        "<a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{uri}</w:ResourceURI><w:SelectorSet>{selectors}</w:SelectorSet></a:ReferenceParameters>"
    )
