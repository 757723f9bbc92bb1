"""Read by ``optimum-cli`` when it starts."""

from optimum.myqasr.command import MyqasrCommand

REGISTER_COMMANDS = [MyqasrCommand]
