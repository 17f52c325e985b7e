"""A variant that a guardrail stopped."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """From `stopped_at` (aware) on, the users of the variant have the served ranking. It ends with another salt.

    metric  the guardrail that was worse than that of the control
    reason  its figures when it was read
    """

    experiment: str
    salt: str
    variant: str
    metric: str
    reason: str
    stopped_at: datetime
