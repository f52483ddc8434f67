"""F7: the soak."""
from __future__ import annotations
from dataclasses import dataclass
@dataclass
class Length:
    """How long."""
    minutes: float = 1.0
length = Length()
