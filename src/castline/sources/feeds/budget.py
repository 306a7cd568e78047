"""The processor time that one source may take, whatever it holds."""

import time
from dataclasses import dataclass, field
from typing import Final

from castline.sources.feeds.errors import FeedTooHeavy

CPU_SECONDS: Final = 1.5  # below the two seconds that a hostile feed may take, for the work between two checks


@dataclass(slots=True)
class Budget:
    """Processor seconds of this thread since one source was begun."""

    source: str
    started: float = field(default_factory=time.thread_time)

    @property
    def used_seconds(self) -> float:
        """How many have gone."""
        return time.thread_time() - self.started

    def check(self) -> None:
        """Raises FeedTooHeavy when they are used up."""
        if self.used_seconds > CPU_SECONDS:
            raise FeedTooHeavy(source=self.source, detail=f"reading it takes more than {CPU_SECONDS} processor seconds")
