"""Requests of a log with keys and places instead of addresses, ready for the landing zone."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from uuid import UUID

import polars as pl

from castline.base.config import Settings
from castline.ingest.places import PLACES_SCHEMA, compute_foreign_keys, compute_places
from castline.sources.logs.rows import REFUSED_SCHEMA, LogBlock
from castline.store.landing.files import LANDED_SCHEMA

Delivery: TypeAlias = Literal["file", "hls", "prefix"]
_REMEMBERED: Final = 2_000_000  # addresses, about 300 MB


@dataclass(frozen=True, slots=True)
class Assumed:
    """What holds for requests whose log does not tell it."""

    host: str | None = None
    delivery: Delivery = "file"


class Locator:
    """Puts keys and places where the addresses were; it remembers the addresses of earlier blocks."""

    def __init__(self, settings: Settings, owner_id: UUID, assumed: Assumed) -> None:
        self._settings, self._owner_id, self._assumed = settings, owner_id, assumed
        self._known = PLACES_SCHEMA.to_frame()

    def locate(self, block: LogBlock) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The block's requests, of LANDED_SCHEMA, and those whose address is none, of REFUSED_SCHEMA."""
        requests = block.requests.rename({"country": "told_country"})
        self._remember(requests["address"].drop_nulls().unique())
        found = requests.join(self._known, on="address", how="left", maintain_order="left")
        if _has(requests, "told_country"):
            found = found.with_columns(pl.col("country").fill_null(pl.col("told_country")))
        if _has(requests, "listener"):
            found = self._name_listeners(found)
        if self._assumed.host is not None:
            found = found.with_columns(pl.col("host").fill_null(pl.lit(self._assumed.host)))
        if self._assumed.delivery != "file":
            found = found.with_columns(pl.col("delivery").fill_null(pl.lit(self._assumed.delivery)))
        known = found["listener_key"].is_not_null()
        landed = found.filter(known).select(LANDED_SCHEMA.names()).cast(LANDED_SCHEMA)
        return landed, _refuse_addresses(found.filter(~known))

    def _remember(self, addresses: pl.Series) -> None:
        if self._known.height > _REMEMBERED:
            self._known = PLACES_SCHEMA.to_frame()
        new = addresses.to_frame("address").join(self._known, on="address", how="anti")["address"].to_list()
        self._known = pl.concat([self._known, compute_places(self._settings, self._owner_id, new)])

    def _name_listeners(self, found: pl.DataFrame) -> pl.DataFrame:
        listeners = found["listener"].drop_nulls().unique().to_list()
        keys = compute_foreign_keys(self._settings, self._owner_id, listeners)
        joined = found.join(keys, on="listener", how="left", maintain_order="left")
        return joined.with_columns(pl.col("listener_key").fill_null(pl.col("foreign_key")))


def _has(requests: pl.DataFrame, name: str) -> bool:
    return requests[name].null_count() < requests.height


def _refuse_addresses(requests: pl.DataFrame) -> pl.DataFrame:
    address = pl.col("address").str.head(60).fill_null("-")
    return requests.select(
        "line_number",
        reason=pl.lit("bad_address"),
        detail=pl.format("{} is no IPv4 or IPv6 address", address),
        payload=pl.concat_str(address, "method", pl.col("path").str.head(200), separator=" ", ignore_nulls=True),
    ).cast(REFUSED_SCHEMA)
