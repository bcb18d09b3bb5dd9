"""The output of a process, line by line as it comes, and what smscd's log lines say."""

import json
import re
import threading
from dataclasses import dataclass


@dataclass
class Line:
    raw: str
    level: str = ""
    process: str = ""
    text: str = ""


_TEXT = re.compile(r"^\d{4}-\d\d-\d\dT\S+ (debug|info|warn|error|alert) ([^:]+): (.*)$")


def parse(raw):
    if raw.startswith("{"):
        try:
            fields = json.loads(raw)
            who = fields.get("who")
            text = f"{who}: {fields['message']}" if who else fields["message"]
            return Line(raw, fields["level"], fields["process"], text)
        except (ValueError, KeyError):
            return Line(raw)
    match = _TEXT.match(raw)
    return Line(raw, *match.groups()) if match else Line(raw)


class Output:
    """Collects the lines of a pipe from a thread, so that a test can wait for one."""

    def __init__(self, pipe):
        self.lines, self.ended = [], False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, args=(pipe,), daemon=True)
        self.thread.start()

    def _run(self, pipe):
        for octets in pipe:
            with self.changed:
                self.lines.append(parse(octets.decode(errors="replace").rstrip("\n")))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def find(self, pattern, since=0):
        return [line for line in self.lines[since:] if re.search(pattern, line.raw)]

    def wait(self, pattern, timeout=15.0, since=0):
        """The first line from number `since` on in which the pattern is found."""
        with self.changed:
            self.changed.wait_for(lambda: self.find(pattern, since) or self.ended, timeout)
            found = self.find(pattern, since)
            assert found, f"no line with {pattern!r} in:\n{self.text()}"
            return found[0]

    def wait_end(self, timeout=15.0):
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended, timeout), "the output is still held open by a process"

    def mark(self):
        return len(self.lines)

    def text(self):
        return "\n".join(line.raw for line in self.lines)
