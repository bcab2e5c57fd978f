"""The same jobs as in requests.rs, done by pywinrm and pypsrp: clients.py PORT. Their requests are in the server's record."""

import sys
import xml.etree.ElementTree as ET

import winrm
from pypsrp.client import Client
from pypsrp.wsman import WSMan

USER, PASSWORD = "HVSRC\\Administrator", "Passw0rd!"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
NAMESPACE = "root/virtualization/v2"
RESOURCE = f"http://schemas.microsoft.com/wbem/wsman/1/wmi/{NAMESPACE}/*"


def query(port):
    wsman = WSMan("127.0.0.1", port=port, ssl=False, username=USER, password=PASSWORD, auth="negotiate", encryption="always")
    enumerate_ = ET.Element(f"{{{ENUMERATION}}}Enumerate")
    ET.SubElement(enumerate_, f"{{{WSMAN}}}OptimizeEnumeration")
    ET.SubElement(enumerate_, f"{{{WSMAN}}}MaxElements").text = "10"
    dialect = {"Dialect": "http://schemas.microsoft.com/wbem/wsman/1/WQL"}
    ET.SubElement(enumerate_, f"{{{WSMAN}}}Filter", dialect).text = "SELECT * FROM Msvm_ComputerSystem"
    answer = wsman.invoke(ENUMERATION + "/Enumerate", RESOURCE, enumerate_)
    while (context := answer.find(f".//{{{ENUMERATION}}}EnumerationContext")) is not None:
        pull = ET.Element(f"{{{ENUMERATION}}}Pull")
        ET.SubElement(pull, f"{{{ENUMERATION}}}EnumerationContext").text = context.text
        ET.SubElement(pull, f"{{{ENUMERATION}}}MaxElements").text = "10"
        answer = wsman.invoke(ENUMERATION + "/Pull", RESOURCE, pull)


def main():
    port = int(sys.argv[1])
    address = f"http://127.0.0.1:{port}/wsman"
    session = winrm.Session(address, auth=(USER, PASSWORD), transport="ntlm", message_encryption="always")
    assert session.run_cmd("ipconfig", ["/all"]).std_out == b"ipconfig /all\r\n"
    client = Client("127.0.0.1", port=port, ssl=False, username=USER, password=PASSWORD, auth="negotiate", encryption="always")
    with client:
        assert client.execute_cmd("ipconfig /all")[2] == 0
        client.execute_ps("echo Get-VM")
    query(port)


if __name__ == "__main__":
    main()
