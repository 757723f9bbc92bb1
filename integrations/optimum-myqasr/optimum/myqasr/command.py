"""The command ``optimum-cli myqasr``."""

from __future__ import annotations

from argparse import REMAINDER, ArgumentParser

from optimum.commands.base import BaseOptimumCLICommand, CommandInfo


class MyqasrCommand(BaseOptimumCLICommand):
    """Hands all arguments to the command line of ``myqasr``, with its help, output and exit codes."""

    COMMAND = CommandInfo("myqasr", "Quantize a speech recognition model to so many bytes, tuned to your speech.")

    @staticmethod
    def parse_args(parser: ArgumentParser) -> None:
        """Takes everything behind the name."""
        parser.add_argument(
            "arguments",
            nargs=REMAINDER,
            metavar="…",
            help="as of the command myqasr, such as: quantize MODEL --audio RECORDINGS --budget 24MB --out FOLDER",
        )

    def run(self) -> None:
        """Runs it and exits."""
        from myqasr_fx.cli import main

        main(self.args.arguments)
