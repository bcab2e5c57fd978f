"""A stand-in for the Windows Remote Management service, for tests: HTTP or HTTPS, Negotiate with NTLM and sealed messages
by pyspnego, PowerShell remoting by psrpcore. It shares nothing with the client that it tests.

    NTLM_USER_FILE=users.txt server.py [--cert PEM --key PEM] [--record FILE] [--host PORT] [--drop-every N] [--kerberos]
        [--recorded DIR]

It prints its port and serves until it is killed. Each request that arrives is written to the record, opened, one JSON a line.
With what was recorded of a host, queries, methods and the registry are answered with that. With a host, scripts of PowerShell
are run by what listens at that port of this computer. Every N-th message its connection is dropped, in turns before the message is
dealt with and after it.
"""

import argparse
import base64
import hashlib
import http.server
import json
import ssl
import struct
import threading
import traceback

import spnego
from spnego.channel_bindings import GssChannelBindings

import host
import powershell
import recorded
import wsman

SEALED = "application/HTTP-SPNEGO-session-encrypted"
SOAP = "application/soap+xml;charset=UTF-8"
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection: it is authenticated once, and then carries messages."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer are sent apart, and the body would wait 40 ms until the head is acknowledged.
    disable_nagle_algorithm = True
    context = None
    binding = None
    record = None
    drop_every, messages = 0, 0
    kerberos = None

    def log_message(self, *_):
        """Nothing is printed: standard output has the port."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorization = self.headers.get("Authorization")
        if authorization:
            self.authenticate(authorization)
        elif not (self.context and self.context.complete):
            self.challenge()
        else:
            self.message(body)

    def challenge(self, token=b""):
        value = "Negotiate " + base64.b64encode(token).decode() if token else "Negotiate"
        self.reply(401, b"", [("WWW-Authenticate", value)])

    def acceptor(self):
        if self.kerberos:
            return self.kerberos.Context()
        return spnego.server(protocol="negotiate", channel_bindings=self.binding)

    def authenticate(self, authorization):
        scheme, token = authorization.split(" ", 1)
        if self.context is None or self.context.complete:
            self.context = self.acceptor()
        try:
            answer = self.context.step(base64.b64decode(token))
        except Exception:
            self.context = None
            self.challenge()
            return
        if not self.context.complete:
            self.challenge(answer)
            return
        headers = [("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}")] if answer else []
        self.reply(200, b"", headers)

    def message(self, body):
        is_sealed = self.headers.get("Content-Type", "").startswith("multipart/encrypted")
        if is_sealed == (self.binding is not None):
            # In clear over HTTP, or sealed over HTTPS: the service refuses both.
            self.reply(500, b"")
            return
        text = self.unseal(body) if is_sealed else body
        with LOCK:
            if self.record:
                line = {"client": self.headers.get("User-Agent", ""), "xml": text.decode()}
                self.record.write(json.dumps(line) + "\n")
                self.record.flush()
            Handler.messages += 1
            dropped = self.drop_every and Handler.messages % self.drop_every == 0
            try:
                if dropped and Handler.messages // self.drop_every % 2:
                    raise wsman.Drop
                status, answer = wsman.handle(text)
                if dropped:
                    raise wsman.Drop
            except wsman.Drop:
                self.close_connection = True
                self.connection.close()
                return
            except Exception:
                traceback.print_exc()
                raise
        if is_sealed:
            kind = f'multipart/encrypted;protocol="{SEALED}";boundary="Encrypted Boundary"'
            self.reply(status, self.seal(answer), [("Content-Type", kind)])
        else:
            self.reply(status, answer, [("Content-Type", SOAP)])

    def unseal(self, body):
        mark = b"application/octet-stream\r\n"
        blob = body[body.index(mark) + len(mark) : body.rindex(b"--Encrypted Boundary--")]
        size = struct.unpack("<I", blob[:4])[0]
        return self.context.unwrap_winrm(blob[4 : 4 + size], blob[4 + size :])

    def seal(self, text):
        sealed = self.context.wrap_winrm(text)
        length = len(text) + sealed.padding_length
        head = (
            f"--Encrypted Boundary\r\n\tContent-Type: {SEALED}\r\n"
            f"\tOriginalContent: type={SOAP};Length={length}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        )
        return (
            head.encode()
            + struct.pack("<I", len(sealed.header))
            + sealed.header
            + sealed.data
            + b"--Encrypted Boundary--\r\n"
        )

    def reply(self, status, body, headers=()):
        try:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    """Clients that go away are no news."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--record")
    parser.add_argument("--host", type=int)
    parser.add_argument("--drop-every", type=int, default=0)
    parser.add_argument("--kerberos", action="store_true")
    parser.add_argument("--recorded")
    arguments = parser.parse_args()
    if arguments.kerberos:
        import kerberos

        Handler.kerberos = kerberos
    Handler.drop_every = arguments.drop_every
    if arguments.host:
        powershell.Pool.host = host.Host(arguments.host)
    if arguments.recorded:
        wsman.HOST = recorded.Recorded(arguments.recorded)
    if arguments.record:
        Handler.record = open(arguments.record, "a", encoding="utf-8")
    server = Server(("127.0.0.1", 0), Handler)
    if arguments.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert, arguments.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        with open(arguments.cert, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        data = b"tls-server-end-point:" + hashlib.sha256(der).digest()
        Handler.binding = GssChannelBindings(application_data=data)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
