"""Refused rows keep what is needed to read them again, and nothing that names a person.

E-mail addresses become their SHA-256, which reads as the same identity; addresses of machines become what the privacy
setting allows, as everywhere else.
"""

import re
from typing import Final

from castline.base.config import IpPrivacy
from castline.ingest.places import truncate_ip
from castline.sources.conversions.fields import hash_email

_EMAIL: Final = re.compile(r"[\w.!#$%&*+/=?^`{|}~'-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w./]|\.\d)")
_IPV6: Final = re.compile(
    r"(?<![\w:.])(?=[\da-fA-F]*:[\da-fA-F]*:)[\da-fA-F:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:./])"
)


def scrub_payload(text: str, privacy: IpPrivacy) -> str:
    """The text without e-mail addresses, and with networks in place of addresses unless the setting is `full`."""
    text = _EMAIL.sub(lambda found: hash_email(found[0]).hex(), text)
    if privacy == "full":
        return text
    for pattern in (_IPV6, _IPV4):
        text = pattern.sub(lambda found: _network(found[0], privacy), text)
    return text


def _network(found: str, privacy: IpPrivacy) -> str:
    network = truncate_ip(found, "truncated")
    if network is None:
        return found
    return network if privacy == "truncated" else ""
