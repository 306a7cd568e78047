"""A conversion as a JSON body: what `POST /api/v1/conversions` takes, and what quarantined bodies are read from."""

from collections.abc import Mapping

from castline.base.errors import InvalidInput
from castline.base.text import normalise_name
from castline.model.check import to_json
from castline.model.conversion import ConversionInput
from castline.sources.conversions.fields import FIELD_OF, SYNONYMS, Parsed, Reading, parse_facts


def parse_conversion(payload: Mapping[str, object]) -> Parsed:
    """The conversion or refund of a body; `occurred_at` is needed, naive times are UTC.

    Raises InvalidInput with the field's name, also for a key that is none of ours: open facts go into `metadata`.
    """
    facts: dict[str, object] = {}
    for key, content in payload.items():
        name = normalise_name(str(key))
        target = "metadata" if name == "metadata" else FIELD_OF.get(name)
        if target is None:
            known = ", ".join((*SYNONYMS, "metadata"))
            raise InvalidInput(field=str(key)[:60], detail=f"is no field of a conversion; known are {known}")
        if target in facts and content is not None:
            raise InvalidInput(field=str(key)[:60], detail=f"says {target} a second time")
        if content is not None:
            facts[target] = content
    return parse_facts(facts, Reading())


def render_conversion(value: Parsed) -> dict[str, object]:
    """The body that `parse_conversion` reads as this value again."""
    body = to_json(value)
    if isinstance(value, ConversionInput):
        if value.email_hash is not None:
            body["email_hash"] = value.email_hash.hex()
        if value.campaign_id is not None:
            body["campaign"] = str(body.pop("campaign_id"))
        return body | {"conversion_type": value.conversion_type}
    body["conversion_type"] = body.pop("reason", value.reason)
    return body
