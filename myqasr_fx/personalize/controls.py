"""What a table has beside groups, by name: no group may be called so."""

from __future__ import annotations

from myqasr_fx.personalize.ledger import FULL

OTHERS = "everybody else"
"""The control: as many clips, in turn from all groups but the one that is tested."""

NOISE = "noise"
"""The uncalibrated control: white noise at the level of speech, so that neither widths nor ranges ever heard any."""

RESERVED = (OTHERS, NOISE, FULL)
"""Those, and the row of the model as it is."""
