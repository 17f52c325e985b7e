"""How files of other programs are read: names of their columns, and values that they lack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.entities import InteractionType
from data.feed_files.bad_rows import BadRowFile
from data.feed_files.presets import Preset

DROP = ""
"""The type of events that are not read."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of the reader.

    columns           column of the feed -> its name in the file; an empty name: the column is not read
    event_map         name of an event in the file -> interaction type, or DROP
    preset            names of columns and events that the user did not give
    interaction_type  the type of all interactions in a file without a column for it
    created_at        the time of interactions and pages in a file without a column for it, and of posts that would
                      have no time otherwise
    bad_rows          the file to which bad rows are written; None: the first bad row is an error
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    event_map: Mapping[str, str] = field(default_factory=dict)
    interaction_type: InteractionType | None = None
    created_at: datetime | None = None
    bad_rows: BadRowFile | None = None
    preset: Preset | None = None

    def type_of(self, event: str) -> str:
        """The interaction type of an event, DROP, or the event itself."""
        known = self.preset.event_map if self.preset else {}
        return self.event_map.get(event, known.get(event.lower(), event))
