"""The settings of counting: every parameter that the guidelines leave open, as one value with a version."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Final, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from castline.base.errors import ConfigurationError
from castline.model.vocab import RestatementCause

Window = Literal["calendar", "first_touch", "last_touch"]
Delivery = Literal["file", "hls", "prefix"]
ProbePolicy = Literal["provisional", "drop"]
WINDOWS: Final[tuple[Window, ...]] = get_args(Window)
PROBE_POLICIES: Final[tuple[ProbePolicy, ...]] = get_args(ProbePolicy)


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """How downloads are counted (PTM v2.3, the parameters).

    `two_byte_probe` says what becomes of a lone probe through a redirect prefix. `max_downloads_per_ip_window` is the
    ceiling of one address on one day, None for none. Raises ConfigurationError.
    """

    window: Window = "calendar"
    tz: str = "UTC"
    two_byte_probe: ProbePolicy = "provisional"
    drop_watch_duplicates: bool = True
    drop_data_centres: bool = True
    drop_preload_pages: bool = True
    drop_behaviour: bool = True
    max_downloads_per_ip_window: int | None = None

    def __post_init__(self) -> None:
        if self.window not in WINDOWS:
            raise ConfigurationError(setting="window", detail=f"{self.window!r} is none of {', '.join(WINDOWS)}")
        if self.two_byte_probe not in PROBE_POLICIES:
            raise ConfigurationError(setting="two_byte_probe", detail=f"{self.two_byte_probe!r} is no such policy")
        if self.max_downloads_per_ip_window is not None and self.max_downloads_per_ip_window < 1:
            raise ConfigurationError(setting="max_downloads_per_ip_window", detail="at least one download must count")
        try:
            ZoneInfo(self.tz)
        except (KeyError, ValueError, OSError) as error:
            raise ConfigurationError(setting="tz", detail=f"{self.tz!r} is no time zone such as Europe/Oslo") from error

    @property
    def version(self) -> str:
        """The same text for the same settings: the window, its zone and a hash of all."""
        told = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{self.window}/{self.tz}/{blake2b(told, digest_size=4).hexdigest()}"

    @property
    def is_utc_day(self) -> bool:
        """True if a window is a whole UTC day, so that days can be judged one by one."""
        return self.window == "calendar" and self.tz in {"UTC", "Etc/UTC"}


def parse_settings(stored: Mapping[str, Any]) -> MeasureSettings:
    """The settings that were stored; a parameter that they do not know has its default. Raises ConfigurationError."""
    known = {field.name for field in fields(MeasureSettings)}
    return MeasureSettings(**{name: value for name, value in stored.items() if name in known})


@dataclass(frozen=True, slots=True)
class Adoption:
    """Settings that an account adopted: from `adopted_at` on it counts by them, until it adopts others."""

    version: str
    settings: MeasureSettings
    adopted_at: datetime
    adopted_by: UUID | None
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Measured UTC days from `first_on` to `last_on` that stand under the same settings; `day_count` of them."""

    version: str
    first_on: date
    last_on: date
    day_count: int


@dataclass(frozen=True, slots=True)
class RestatedDay:
    """The downloads of a show on a UTC day that was final, before and after it was measured again."""

    day_on: date
    podcast_id: UUID
    before_count: int
    after_count: int
    cause: RestatementCause
    settings_before: str
    settings_after: str


@dataclass(frozen=True, slots=True)
class Restatement:
    """One row of the log of restatements."""

    restated_at: datetime
    day_on: date
    podcast_id: UUID
    show: str
    before_count: int
    after_count: int
    cause: RestatementCause
    settings_before: str
    settings_after: str
    run_id: UUID
