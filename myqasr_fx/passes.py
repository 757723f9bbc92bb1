"""Every public name of ``passes``: ``from myqasr_fx.passes import AllocateBits, Canonicalize``."""

from passes import *  # noqa: F403
from passes import __all__ as __all__
