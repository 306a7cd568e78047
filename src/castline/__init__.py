"""castline: open podcast analytics and sponsorship, every figure traceable to its source."""

__version__ = "0.1.0"
