"""Sound as it comes: from a microphone, or as numbers on standard input."""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.errors import AudioError, OptionError

_BLOCK_SECONDS = 0.1
_FULL_SCALE = 32768

_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3")
"""How WAV, FLAC, OGG and tagged MP3 files begin."""

EXTRA = "install myqasr-fx[listen], or send sound to `myqasr listen BUNDLE -`"


def from_standard_input() -> Iterator[np.ndarray]:
    """Blocks (T,) float32 of 16-bit little-endian samples, one channel at 16 kHz, until the input ends.

    Raises:
        AudioError: Standard input is closed or a terminal, or its first bytes are those of a file.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise AudioError("standard input: has no sound", hint="send 16-bit samples at 16 kHz, one channel, into it")
    return _blocks()


def _blocks() -> Iterator[np.ndarray]:
    size, first = 2 * round(_BLOCK_SECONDS * SAMPLING_RATE), True
    while data := sys.stdin.buffer.read(size):
        if first and data.startswith(_FILES):
            hint = "`myqasr transcribe BUNDLE -` reads it"
            raise AudioError("standard input: is a file, not raw 16-bit samples", hint=hint)
        first = False
        yield np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / _FULL_SCALE


def from_microphone(device: str | None) -> Iterator[np.ndarray]:
    """Blocks (T,) float32 at 16 kHz of a microphone, without end; what came while nobody took it is one block.

    Args:
        device: Its name, or a part of it, or its number; None takes the usual one.

    Raises:
        OptionError: sounddevice or PortAudio is not installed.
        AudioError: There is no such microphone, or it cannot be read.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise OptionError("microphone: sounddevice is not installed", hint=EXTRA) from error
    except OSError as error:  # its wheel for Linux brings no PortAudio
        hint = "install PortAudio, on Debian libportaudio2, or send sound to `myqasr listen BUNDLE -`"
        raise OptionError("microphone: the library PortAudio is not installed", hint=hint) from error
    waiting: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
    chosen = int(device) if device is not None and device.isdecimal() else device
    size = round(_BLOCK_SECONDS * SAMPLING_RATE)
    try:
        with sounddevice.InputStream(
            SAMPLING_RATE,
            size,
            chosen,
            channels=1,
            dtype="float32",
            callback=lambda block, *told: waiting.put(block[:, 0].copy()),
        ):
            while True:
                blocks = [waiting.get()]
                while not waiting.empty():
                    blocks.append(waiting.get())
                yield np.concatenate(blocks)
    except (sounddevice.PortAudioError, ValueError) as error:
        if device is None and not _has_microphone(sounddevice.query_devices()):
            hint = "connect one, or send sound to `myqasr listen BUNDLE -`"
            raise AudioError("microphone: there is none", hint=hint) from error
        raise AudioError(f"microphone: {error}", hint="name another with --device") from error


def _has_microphone(devices: Iterable[Mapping[str, Any]]) -> bool:
    return any(device["max_input_channels"] > 0 for device in devices)
