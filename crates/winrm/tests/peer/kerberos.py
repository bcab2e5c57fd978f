"""Acceptor of Kerberos by MIT's library: negotiation, and sealed messages as Windows Remote Management carries them.

It is used instead of pyspnego's, which wants a module that Debian does not have.
"""

import gssapi
from gssapi.raw import IOV, IOVBufferType, unwrap_iov, wrap_iov


class Sealed:
    """A message in its parts."""

    def __init__(self, header, data, padding):
        self.header, self.data = header, data + padding
        self.padding_length = len(padding)


class Context:
    """A conversation that the other side began. Its key is that of the service, from KRB5_KTNAME."""

    def __init__(self):
        self.context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept"))

    @property
    def complete(self):
        return self.context.complete

    def step(self, token):
        return self.context.step(token) or b""

    def unwrap_winrm(self, header, data):
        parts = IOV((IOVBufferType.header, False, header), data, std_layout=False)
        unwrap_iov(self.context, message=parts)
        return parts[1].value

    def wrap_winrm(self, text):
        parts = IOV(IOVBufferType.header, text, IOVBufferType.padding, std_layout=False)
        wrap_iov(self.context, message=parts, confidential=True)
        return Sealed(parts[0].value, parts[1].value, parts[2].value or b"")
