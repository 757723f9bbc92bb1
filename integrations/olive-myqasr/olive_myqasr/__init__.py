"""The compiler as a pass of Olive: a Hugging Face speech model in, a bundle out."""

from pathlib import Path

PACKAGE_CONFIG = Path(__file__).with_name("package_config.json")
"""What ``olive run --package-config`` reads: where the pass is."""
