"""Why a document is given up as a feed."""

from castline.base.errors import SourceUnreadable


class NotAFeed(SourceUnreadable):
    """{source} is not a feed: {detail}"""

    fix = "Give the address of the show's RSS feed; podcast directories list it, and its page often links to it."


class FeedTooHeavy(SourceUnreadable):
    """{source} was given up as a feed: {detail}"""

    fix = "No real podcast feed is like this; ask its publisher, or split the file."
