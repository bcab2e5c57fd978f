"""A host that answers scripts: one line of JSON is asked over a connection on loopback, one is answered."""

import json
import socket


class Host:
    """The connection to the host, made when it is first needed."""

    def __init__(self, port):
        self.port, self.file = port, None

    def run(self, text, parameters):
        """Runs a script; gives its output, its warnings, and its error or None."""
        if self.file is None:
            self.file = socket.create_connection(("127.0.0.1", self.port)).makefile("rw", encoding="utf-8")
        arguments = [self.argument(name, value) for name, value in parameters]
        self.file.write(json.dumps({"script": text, "arguments": arguments}) + "\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        return answer["output"], answer["warnings"], answer["error"]

    @staticmethod
    def argument(name, value):
        if isinstance(value, bool):
            return {"name": name, "truth": value}
        if isinstance(value, (bytes, bytearray)):
            return {"name": name, "hex": bytes(value).hex()}
        if isinstance(value, int):
            return {"name": name, "number": int(value)}
        return {"name": name, "text": str(value)}
