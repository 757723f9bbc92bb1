"""The ``myqasr`` command. Nothing heavy is imported before a command runs."""

from myqasr_fx.cli.app import main

__all__ = ["main"]
