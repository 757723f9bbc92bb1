"""What the system refuses is one line that names the place."""

import errno

import pytest

from myqasr_fx.cli.system_errors import system_errors_explained
from myqasr_fx.errors import MyqasrError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300), "^a+ ... a+: File name too long$"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "^/x/y: Permission denied$"),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "^no space left to write /tmp/x .*TMPDIR"),
        (OSError(errno.ENOSPC, "No space left on device"), "^no space left to write .*temporary folder .*TMPDIR"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), "^No usable temporary"),
        (MemoryError(), "^not enough memory"),
    ],
)
def test_the_place_is_named(error: Exception, says: str) -> None:
    with pytest.raises(MyqasrError, match=says), system_errors_explained():
        raise error


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), OSError("of a library"), KeyError("x")])
def test_everything_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as passed, system_errors_explained():
        raise error
    assert passed.value is error
