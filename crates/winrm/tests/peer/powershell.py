"""The server's side of PowerShell remoting by psrpcore. Scripts are no more than their first word, unless a host runs them."""

import uuid

import psrpcore
from psrpcore.types import ErrorCategoryInfo, ErrorRecord, HostMethodIdentifier, NETException, PSInvocationState, ProgressRecordType

# Bytes of fragments in one answer, so that a large output needs many.
ANSWER = 96_000
FRAGMENT = 32_768


def error(text):
    return NETException(Message=text, HResult=-2146233087)


class Pool:
    """A pool of runspaces, with the bytes that wait to be fetched."""

    # Runs scripts, when there is one.
    host = None

    def __init__(self):
        self.pool = psrpcore.ServerRunspacePool()
        self.pipelines, self.waiting, self.accidents = {}, {}, {}
        self.is_left = False

    def begin(self, command):
        self.pipelines[command] = psrpcore.ServerPipeline(self.pool, uuid.UUID(command))

    def feed(self, command, data):
        pipeline = uuid.UUID(command) if command else None
        self.pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, pipeline))
        while (event := self.pool.next_event()) is not None:
            kind = type(event).__name__
            if kind == "CreatePipelineEvent":
                self.run(command, self.pipelines[command])
            elif kind == "PipelineHostResponseEvent":
                self.host_answered(command, event)
        self.collect()

    def collect(self):
        while (payload := self.pool.data_to_send(FRAGMENT)) is not None:
            key = str(payload.pipeline_id).upper() if payload.pipeline_id else None
            self.waiting.setdefault(key, []).append(bytes(payload.data))

    def take(self, command):
        """Some of what waits, in whole fragments, and whether the command has ended with it."""
        parts = self.waiting.get(command.upper() if command else None, [])
        data = b""
        while parts and len(data) < ANSWER:
            data += parts.pop(0)
        pipeline = self.pipelines.get(command)
        ended = (PSInvocationState.Completed, PSInvocationState.Failed, PSInvocationState.Stopped)
        return data, bool(pipeline and pipeline.state in ended and not parts)

    def accident(self, command):
        if self.is_left:
            return "left"
        left = self.accidents.get(command, [])
        happens = left.pop(0) if left else None
        if happens == "leave":
            self.is_left, happens = True, "drop"
        return happens

    def stop(self, command):
        self.pipelines[command].stop()
        self.collect()

    def host_answered(self, command, event):
        pipeline = self.pipelines[command]
        pipeline.write_output(f"the host said: {event.error}")
        pipeline.complete()

    def run(self, command, pipeline):
        pipeline.start()
        script = pipeline.metadata.commands[0]
        if self.host:
            self.on_host(pipeline, script)
            return
        word = script.command_text.split()[0]
        getattr(self, "do_" + word, self.do_echo)(command, pipeline, script)

    def on_host(self, pipeline, script):
        output, warnings, failed = self.host.run(script.command_text, script.parameters)
        for warning in warnings:
            pipeline.write_warning(warning)
        for text in output:
            pipeline.write_output(text)
        if failed is None:
            pipeline.complete()
        else:
            self.fail(pipeline, failed)

    def do_echo(self, command, pipeline, script):
        for name, value in script.parameters:
            pipeline.write_output(f"{name}={value}")
        pipeline.write_output(script.command_text)
        pipeline.complete()

    def do_streams(self, command, pipeline, script):
        pipeline.write_output({"Größe": 5, "list": [1, "zwei", None, True]})
        pipeline.write_error(error("Nicht gefunden: ü"), fully_qualified_error_id="NotFound,Get-Thing")
        pipeline.write_warning("Achtung \U0001f600")
        pipeline.write_verbose("more words\nin two lines")
        pipeline.write_debug("debug")
        pipeline.write_progress("Copying", 7, "half", "disk.vhd", percent_complete=50)
        pipeline.write_progress("Copying", 7, "done", record_type=ProgressRecordType.Completed)
        pipeline.write_information("information", "here")
        pipeline.complete()

    def do_big(self, command, pipeline, script):
        for number in range(100):
            pipeline.write_output(f"{number:03}" + "ä" * 52_000)
        pipeline.complete()

    def do_fail(self, command, pipeline, script):
        self.fail(pipeline, "It is broken")

    def fail(self, pipeline, text):
        record = ErrorRecord(Exception=error(text), CategoryInfo=ErrorCategoryInfo(), FullyQualifiedErrorId="Broken")
        pipeline._change_state(PSInvocationState.Failed, error=record)

    def do_forever(self, command, pipeline, script):
        pipeline.write_output("begun")

    def do_ask(self, command, pipeline, script):
        pipeline.host_call(HostMethodIdentifier.ReadLine)

    def accidents_of(self, happens, command, pipeline):
        self.accidents[command] = happens
        for number in range(40):
            pipeline.write_output(f"{number:03}" + "x" * 20_000)
        pipeline.complete()

    def do_drop(self, command, pipeline, script):
        self.accidents_of([None, "drop", None, "drop", "drop"], command, pipeline)

    def do_leave(self, command, pipeline, script):
        self.accidents_of([None, "leave"], command, pipeline)

    def do_lose(self, command, pipeline, script):
        self.accidents_of([None, "lose"], command, pipeline)

    def do_vanish(self, command, pipeline, script):
        self.accidents_of([None, "gone"], command, pipeline)
