"""Settings come from the environment, once, into one frozen value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, cast, get_args

from castline.base.errors import ConfigurationError

Network = IPv4Network | IPv6Network
IpPrivacy = Literal["full", "truncated", "none"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an installation can choose; the names of the variables are in `load_settings`."""

    data_dir: Path
    database_url: str | None = None
    redis_url: str | None = None
    account: str | None = None
    ip_privacy: IpPrivacy = "truncated"
    public_url: str = "http://127.0.0.1:8321"
    allow_private_addresses: bool = False
    secret_key: str | None = field(default=None, repr=False)
    trusted_proxies: tuple[Network, ...] = ()

    @property
    def landing_dir(self) -> Path:
        """Where requests and payloads land, the root of provenance."""
        return self.data_dir / "landing"


_PRIVACY: Final = get_args(IpPrivacy)
_SECRET_LENGTH: Final = 32


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. Raises ConfigurationError with the variable's name."""
    privacy = environ.get("CASTLINE_PRIVACY_IP", "truncated")
    if privacy not in _PRIVACY:
        raise ConfigurationError(setting="CASTLINE_PRIVACY_IP", detail=f"{privacy!r} is none of {', '.join(_PRIVACY)}")
    return Settings(
        data_dir=_data_dir(environ),
        database_url=environ.get("DATABASE_URL") or None,
        redis_url=environ.get("REDIS_URL") or None,
        account=environ.get("CASTLINE_ACCOUNT") or None,
        ip_privacy=cast(IpPrivacy, privacy),
        public_url=environ.get("CASTLINE_PUBLIC_URL", "http://127.0.0.1:8321").rstrip("/"),
        allow_private_addresses=_flag(environ, "CASTLINE_ALLOW_PRIVATE_ADDRESSES"),
        secret_key=_secret(environ),
        trusted_proxies=_networks(environ),
    )


def _data_dir(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("CASTLINE_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "castline"


def _secret(environ: Mapping[str, str]) -> str | None:
    secret = environ.get("CASTLINE_SECRET_KEY") or None
    if secret is not None and len(secret) < _SECRET_LENGTH:
        raise ConfigurationError(setting="CASTLINE_SECRET_KEY", detail=f"needs at least {_SECRET_LENGTH} characters")
    return secret


def _networks(environ: Mapping[str, str]) -> tuple[Network, ...]:
    texts = environ.get("CASTLINE_TRUSTED_PROXIES", "").replace(",", " ").split()
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(setting="CASTLINE_TRUSTED_PROXIES", detail=str(error)) from error


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").lower()
    if value not in {"", "0", "1", "false", "true", "no", "yes"}:
        raise ConfigurationError(setting=name, detail=f"{value!r} is neither yes nor no")
    return value in {"1", "true", "yes"}
