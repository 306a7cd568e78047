"""What of a made world counts without the rules of behaviour and with them."""

import json
from collections import Counter

from castline.base.config import Settings
from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings
from make_attacks import World

_BEHAVIOURS = {behaviour.reason for behaviour in BEHAVIOURS}


def count_kept(world: World, settings: Settings, truth: str) -> tuple[int, int, set[str]]:
    """Of the requests of this truth how many counted without the rules and with them, and the reasons of the rest."""
    lines = [json.dumps(request).encode() for request in world.requests]
    counted, reasons = Counter[bool](), set[str]()
    for is_on in (False, True):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for item in count_requests(lines, book, settings, "file").verdicts:
            if world.requests[int(str(item.id))]["truth"] == truth:
                counted[is_on] += item.verdict == "counted"
                reasons |= {item.reason} & _BEHAVIOURS if is_on else set()
    return counted[False], counted[True], reasons
