"""User agents line by line, as they come from a file or a pipe."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from castline.measure.agents.classifier import AgentClassifier
from castline.measure.agents.rules import AgentType, DeviceType

# Of a longer line only so much is held and shown; the rest is read and let go.
LONGEST_LINE: Final = 16 * 1024 * 1024
_encoder: Final = msgspec.json.Encoder()


class ClassifiedAgent(msgspec.Struct, frozen=True):
    """One line of input and what it is: every line has one, an empty line is `unknown`."""

    user_agent: str
    type: AgentType
    name: str | None
    device: str | None
    device_type: DeviceType | None
    os: str | None


def iter_lines(stream: BinaryIO) -> Iterator[str]:
    """The lines without their ends; bytes that are no UTF-8 become U+FFFD. Only a line feed ends a line."""
    while line := stream.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            _skip_rest(stream, len(line))
        yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")


def _skip_rest(stream: BinaryIO, size: int) -> None:
    while size == LONGEST_LINE:
        rest = stream.readline(LONGEST_LINE)
        size = 0 if rest.endswith(b"\n") else len(rest)


def classify_lines(classifier: AgentClassifier, stream: BinaryIO) -> Iterator[bytes]:
    """One line of JSON, with its line feed, for each line of the stream, in order."""
    for text in iter_lines(stream):
        agent = classifier.classify(text)
        shown = ClassifiedAgent(text, agent.type, agent.name, agent.device, agent.device_type, agent.device_os)
        yield _encoder.encode(shown) + b"\n"
