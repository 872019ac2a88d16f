# SPDX-License-Identifier: Apache-2.0
"""One case: a frame, the circumstances it is judged in, what has to come out, and how that is written to a file."""

import re
from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

NAME = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
TITLE = re.compile(r"^(\[[A-Z0-9]{2,3}-\d+\] )+[A-Z0-9].+\.$")
EXPECT = re.compile(r"^((allow|drop) [A-Z][A-Za-z0-9]+|reply ArpAnswered|allow [A-Z][A-Za-z0-9]+ audited)$")
BYTES_PER_LINE = 32
CUT_BY_HEADER = (b"\x08\x00", b"\x08\x06")


@dataclass(frozen=True)
class Case:
    name: str
    title: str  # acceptance ids, what it tries, and where that is written, with a full stop at the end
    direction: str
    expect: str
    frame: bytes
    policy: str = "filtered"
    note: str = ""  # a second comment: where the specification leaves a choice
    vlan: bool = False
    answer: bool = False
    checksum_at: Optional[int] = None
    segments: Optional[int] = None
    super_frame: bool = False

    def __post_init__(self) -> None:
        for value, pattern in ((self.name, NAME), (self.title, TITLE), (self.expect, EXPECT)):
            if not pattern.match(value):
                raise ValueError(f"{self.name}: {value!r} is not of the form {pattern.pattern}")
        if not self.frame:
            raise ValueError(f"{self.name}: a case has a frame")

    @property
    def reason(self) -> str:
        return self.expect.split()[1]

    def text(self) -> str:
        lines = [f"# {self.title}"]
        if self.note:
            lines.append(f"# {self.note}")
        lines += [f"direction: {self.direction}", f"policy: {self.policy}", *self._meta()]
        lines += [f"expect: {self.expect}", "frame:", *(f"  {line}" for line in self._hex())]
        return "\n".join(lines) + "\n"

    def _meta(self) -> Iterator[str]:
        if self.vlan:
            yield "vlan: yes"
        if self.answer:
            yield "answer: yes"
        if self.checksum_at is not None:
            yield f"checksum-at: {self.checksum_at}"
        if self.segments is not None:
            yield f"segments: {self.segments}"
        if self.super_frame:
            yield "super-frame: other"

    def _hex(self) -> Iterator[str]:
        """Cut where the headers of IPv4 and UDP end; ARP's 28 bytes fall into the same two lines."""
        frame = self.frame
        yield " ".join(part.hex() for part in (frame[:6], frame[6:12], frame[12:14]) if part)
        ends = [14, 34, 42] if frame[12:14] in CUT_BY_HEADER else [14]
        ends += range(ends[-1] + BYTES_PER_LINE, len(frame) + BYTES_PER_LINE, BYTES_PER_LINE)
        for start, end in zip(ends, ends[1:]):
            if frame[start:end]:
                yield frame[start:end].hex()

    def key(self) -> Tuple[object, ...]:
        """What makes a case differ from another one."""
        return (self.direction, self.policy, self.frame, *self._meta())
