"""The methods there are. A new one is a file beside this and a row here."""

from typing import Final

from castline.attribute import custom, direct, pixel, promo_code, utm
from castline.attribute.method import Method

METHODS: Final[tuple[Method, ...]] = (promo_code.METHOD, utm.METHOD, direct.METHOD, custom.METHOD, pixel.METHOD)
