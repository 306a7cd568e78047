"""The windows and the version of the rules. Method: docs/method/attribution.md"""

from datetime import timedelta
from typing import Final

# The industry's usual window; ruling 10d has the headline rest on it. Windows are at most 90 days (ruling 10b).
WINDOW: Final = timedelta(days=30)
# The last conversion that can be credited: a code used at the end of its tail, and a person known by it a window later.
REACH: Final = 2 * WINDOW
MODEL_VERSION: Final = "equal-30d.1"
WINDOW_SQL: Final = f"interval {WINDOW.days} days"
