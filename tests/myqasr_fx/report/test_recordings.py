import base64
import io
from pathlib import Path

import numpy as np
import soundfile

from myqasr_fx.audio import Clip
from myqasr_fx.report.recordings import data_addresses

CLIPS = [Clip(Path(f"{i}.wav"), np.sin(np.arange(16_000, dtype=np.float32) * (0.05 + i / 100))) for i in range(3)]


def test_recordings_can_be_played_back() -> None:
    addresses = data_addresses(CLIPS, 10**6)
    assert list(addresses) == ["0.wav", "1.wav", "2.wav"]
    kind, data = addresses["0.wav"].split(",")
    assert kind == "data:audio/mpeg;base64"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate == 16_000
    assert abs(len(samples) - 16_000) < 3_000


def test_recordings_stay_within_the_room_there_is() -> None:
    sizes = {name: len(address) for name, address in data_addresses(CLIPS, 10**6).items()}
    assert list(data_addresses(CLIPS, sizes["0.wav"] + 10)) == ["0.wav"]
    assert data_addresses(CLIPS, 10) == {}
