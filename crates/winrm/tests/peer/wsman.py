"""WS-Management as a Windows host answers it, as far as the tests go: Identify, queries, one instance, methods, shells."""

import base64
import uuid
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import powershell
import recorded

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
NS = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL, "x": TRANSFER, "n": ENUMERATION}

SHELLS = {}
# A host whose answers were recorded, when there is one.
HOST = None
ENUMERATIONS = {}


class Drop(Exception):
    """The connection is to be dropped without an answer."""


class Fault(Exception):
    """A fault with its subcode, its number and its text."""

    def __init__(self, subcode, number, text):
        super().__init__(text)
        self.subcode, self.number, self.text = subcode, number, text


TIMED_OUT = Fault("w:TimedOut", 2150858793, "The service cannot complete the operation within the time specified.")


def envelope(action, body, relates):
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
    return (
        f'<s:Envelope {names} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xml:lang="en-US"><s:Header>'
        f"<a:Action>{action}</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To><a:RelatesTo>{relates}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def handle(text):
    """Answers one request: the HTTP status and the text."""
    root = ET.fromstring(text)
    body = root.find("s:Body", NS)
    if len(body) and body[0].tag == f"{{{IDENTITY}}}Identify":
        return 200, identify()
    request = Request(root, body)
    try:
        return 200, envelope(request.action + "Response", answer(request), request.message)
    except Fault as fault:
        detail = (
            f'<f:WSManFault xmlns:f="{FAULT}" Code="{fault.number}" Machine="hvsrc">'
            f"<f:Message>{escape(fault.text)}</f:Message></f:WSManFault>"
        )
        body = (
            f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode>"
            f'</s:Code><s:Reason><s:Text xml:lang="en-US">{escape(fault.text)}</s:Text></s:Reason>'
            f"<s:Detail>{detail}</s:Detail></s:Fault>"
        )
        return 500, envelope(WSMAN + "/fault", body, request.message)


class Request:
    """The parts of a request that matter here."""

    def __init__(self, root, body):
        header = root.find("s:Header", NS)
        self.action = header.findtext("a:Action", namespaces=NS)
        self.message = header.findtext("a:MessageID", namespaces=NS)
        self.uri = header.findtext("w:ResourceURI", default="", namespaces=NS)
        self.selectors = {e.get("Name"): e.text for e in header.findall("w:SelectorSet/w:Selector", NS)}
        self.verb = self.action.rsplit("/", 1)[1]
        self.body = body


def identify():
    return (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Header/><s:Body><i:IdentifyResponse xmlns:i="{IDENTITY}">'
        f"<i:ProtocolVersion>{WSMAN}</i:ProtocolVersion><i:ProductVendor>Microsoft Corporation</i:ProductVendor>"
        "<i:ProductVersion>OS: 6.1.7601 SP: 1.0 Stack: 2.0</i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()


def answer(request):
    if request.uri.startswith(WMI):
        return wmi(request)
    if request.verb == "Create":
        return create(request)
    shell = SHELLS.get((request.selectors.get("ShellId") or "").upper())
    if shell is None:
        raise Fault("w:InvalidSelectors", 2150858843, "The shell was not found on the server.")
    if request.verb == "Delete":
        del SHELLS[shell.id.upper()]
        return ""
    return getattr(shell, request.verb.lower())(request.body)


# Shells


def create(request):
    shell_id = request.body[0].get("ShellId") or str(uuid.uuid4()).upper()
    if request.uri.startswith("http://schemas.microsoft.com/powershell/"):
        first = request.body[0].findtext("{http://schemas.microsoft.com/powershell}creationXml")
        shell = PowerShellShell(shell_id, base64.b64decode(first))
    else:
        shell = CommandShell(shell_id)
    SHELLS[shell_id.upper()] = shell
    return (
        f"<x:ResourceCreated><a:Address>http://hvsrc/wsman</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{request.uri}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>'
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{request.uri}</rsp:ResourceUri></rsp:Shell>"
    )


def stream(name, command, data):
    attribute = f' CommandId="{command}"' if command else ""
    return f'<rsp:Stream Name="{name}"{attribute}>{base64.b64encode(data).decode()}</rsp:Stream>'


def received(content, command, code=None):
    if not command:
        return f"<rsp:ReceiveResponse>{content}</rsp:ReceiveResponse>"
    state = "Running" if code is None else "Done"
    inside = "" if code is None else f"<rsp:ExitCode>{code}</rsp:ExitCode>"
    return (
        f'<rsp:ReceiveResponse>{content}<rsp:CommandState CommandId="{command}" State="{SHELL}/CommandState/{state}">'
        f"{inside}</rsp:CommandState></rsp:ReceiveResponse>"
    )


class Command:
    """A command of cmd.exe: what is left of its output, and how it ends."""

    def __init__(self, line, arguments):
        self.line, self.arguments = line, arguments
        self.out, self.err, self.code = b"", b"", 0
        self.waits = {"wait": 2, "forever": 10**9, "cat": 10**9}.get(line, 0)
        self.drops = {"drop": 1, "vanish": 10**9}.get(line, 0)
        if line == "big":
            self.out = b"0123456789abcde\n" * (int(arguments[0]) // 16)
        elif line == "fail":
            self.err, self.code = "Fehler: ü\r\n".encode(), 3
        elif line not in ("forever", "cat"):
            self.out = (" ".join([line, *arguments]) + "\r\n").encode()


class CommandShell:
    """A shell of cmd.exe."""

    def __init__(self, shell_id):
        self.id, self.commands = shell_id, {}

    def command(self, body):
        line = body[0].findtext("rsp:Command", namespaces=NS)
        arguments = [element.text or "" for element in body[0].findall("rsp:Arguments", NS)]
        command = str(uuid.uuid4()).upper()
        self.commands[command] = Command(line, arguments)
        if line == "expire":
            del SHELLS[self.id.upper()]
        return f"<rsp:CommandResponse><rsp:CommandId>{command}</rsp:CommandId></rsp:CommandResponse>"

    def receive(self, body):
        name = body.find(".//rsp:DesiredStream", NS).get("CommandId")
        command = self.commands[name]
        if command.drops:
            command.drops -= 1
            raise Drop
        if command.waits:
            command.waits -= 1
            raise TIMED_OUT
        out, command.out = command.out[:90_000], command.out[90_000:]
        content = stream("stdout", name, out) if out else ""
        content += stream("stderr", name, command.err) if command.err else ""
        return received(content, name, None if command.out else command.code)

    def send(self, body):
        element = body.find(".//rsp:Stream", NS)
        command = self.commands[element.get("CommandId")]
        command.out += base64.b64decode(element.text or "")
        command.waits = 0
        return "<rsp:SendResponse/>"

    def signal(self, body):
        self.commands.pop(body[0].get("CommandId"), None)
        return "<rsp:SignalResponse/>"


class PowerShellShell:
    """A shell of PowerShell remoting."""

    def __init__(self, shell_id, first):
        self.id, self.pool = shell_id, powershell.Pool()
        self.pool.feed(None, first)

    def command(self, body):
        command = body[0].get("CommandId")
        first = base64.b64decode(body[0].findtext("rsp:Arguments", namespaces=NS))
        self.pool.begin(command)
        self.pool.feed(command, first)
        return f"<rsp:CommandResponse><rsp:CommandId>{command}</rsp:CommandId></rsp:CommandResponse>"

    def send(self, body):
        element = body.find(".//rsp:Stream", NS)
        self.pool.feed(element.get("CommandId"), base64.b64decode(element.text or ""))
        return "<rsp:SendResponse/>"

    def receive(self, body):
        command = body.find(".//rsp:DesiredStream", NS).get("CommandId")
        before = self.pool.accident(command)
        if before == "drop":
            raise Drop
        if before == "gone":
            del SHELLS[self.id.upper()]
            raise Drop
        if before == "left":
            raise Fault("w:InternalError", 2150859193, "The shell is disconnected.")
        data, is_done = self.pool.take(command)
        if before == "lose":
            raise Drop
        if not data and not is_done:
            raise TIMED_OUT
        content = stream("stdout", command, data) if data else ""
        return received(content, command, 0 if is_done else None)

    def signal(self, body):
        command, code = body[0].get("CommandId"), body[0].findtext("rsp:Code", namespaces=NS)
        if code == "powershell/signal/crtl_c":
            self.pool.stop(command)
        return "<rsp:SignalResponse/>"

    def reconnect(self, _):
        self.pool.is_left = False
        return ""

    def disconnect(self, _):
        self.pool.is_left = True
        return ""


# WMI


def machine(number):
    space = WMI + "root/virtualization/v2/Msvm_ComputerSystem"
    return (
        f'<p:Msvm_ComputerSystem xmlns:p="{space}" xsi:type="p:Msvm_ComputerSystem_Type">'
        f"<p:Caption>Virtual Machine</p:Caption><p:ElementName>Wäbserver &amp; {number:02}</p:ElementName>"
        f"<p:InstallDate xsi:nil=\"true\"/><p:Name>{uuid.uuid5(uuid.NAMESPACE_DNS, str(number))}</p:Name>"
        "<p:OperationalStatus>2</p:OperationalStatus><p:OperationalStatus>32775</p:OperationalStatus>"
        "</p:Msvm_ComputerSystem>"
    )


def wmi(request):
    if request.verb == "Enumerate":
        query = request.body.findtext(".//w:Filter", namespaces=NS)
        if "NoSuchClass" in query:
            raise Fault("wsman:CannotProcessFilter", 0x80041010, "Invalid class")
        is_slow = "OnTimeInMilliseconds" in query
        if is_slow:
            too_late("Enumerate")
        context = str(uuid.uuid4())
        if HOST:
            ENUMERATIONS[context] = of_host(lambda: HOST.query(namespace_and_class(request.uri)[0], query))
        else:
            ENUMERATIONS[context] = [machine(number) for number in range(25)]
        if is_slow:
            SLOW.add(context)
        now = ""
        if request.body.find(".//w:OptimizeEnumeration", NS) is not None:
            now = pull(context, int(request.body.findtext(".//w:MaxElements", default="1", namespaces=NS)), "w")
        else:
            now = f"<n:EnumerationContext>uuid:{context}</n:EnumerationContext>"
        return f"<n:EnumerateResponse>{now}</n:EnumerateResponse>"
    if request.verb in ("Pull", "Release"):
        context = request.body.findtext(".//n:EnumerationContext", namespaces=NS).replace("uuid:", "")
        if request.verb == "Release":
            del ENUMERATIONS[context]
            return ""
        if context in SLOW:
            too_late(context)
        count = int(request.body.findtext(".//n:MaxElements", default="1", namespaces=NS))
        return f"<n:PullResponse>{pull(context, count, 'n')}</n:PullResponse>"
    if request.verb == "Get":
        return machine(int(request.selectors["Name"]))
    return method(request)


# Queries for which there is never time at the first try, and how often each was tried.
SLOW = set()
TRIED = {}


def too_late(what):
    TRIED[what] = TRIED.get(what, 0) + 1
    if TRIED[what] % 2 == 1:
        raise TIMED_OUT


def pull(context, count, prefix):
    items = ENUMERATIONS[context]
    now, ENUMERATIONS[context] = items[:count], items[count:]
    more = f"<n:EnumerationContext>uuid:{context}</n:EnumerationContext>" if ENUMERATIONS[context] else ""
    end = "" if ENUMERATIONS[context] else f"<{prefix}:EndOfSequence/>"
    return f"{more}<{prefix}:Items>{''.join(now)}</{prefix}:Items>{end}"


def namespace_and_class(uri):
    return uri[len(WMI) :].rsplit("/", 1)


def of_host(ask):
    try:
        return ask()
    except recorded.Refused as refused:
        raise Fault("w:InternalError", refused.number, refused.text) from refused


def method(request):
    """StdRegProv: gives back what it was asked, so that the arguments are seen."""
    values = {element.tag.split("}")[1]: element.text or "" for element in request.body[0]}
    name = f"{request.verb}_OUTPUT"
    if HOST:
        own = of_host(lambda: HOST.invoke(*namespace_and_class(request.uri), request.verb, values))
        return f'<p:{name} xmlns:p="{request.uri}">{own}</p:{name}>'
    return (
        f'<p:{name} xmlns:p="{request.uri}"><p:ReturnValue>0</p:ReturnValue>'
        f"<p:sValue>{escape(values.get('sSubKeyName', ''))}|{escape(values.get('sValueName', ''))}</p:sValue></p:{name}>"
    )
