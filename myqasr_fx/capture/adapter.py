"""What a client feeds a graph that we capture with other inputs."""

from __future__ import annotations

from enum import Enum


class Adapter(Enum):
    """What a file puts around its graph; ``myqasr_fx.export.client_inputs`` has the nodes."""

    WAVEFORM = "waveforms and their lengths"
    NORMALIZED = "waveforms and their lengths, to be normalized"
    CACHE = "an empty cache whose batch is empty, too"
