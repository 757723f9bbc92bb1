"""What a bundle may set of onnxruntime's sessions."""

import pytest

from myqasr_fx.bundle.session_options import ACCURACY_LEVEL, check_session_options
from myqasr_fx.verify.verify_files import SESSION_OPTIONS


def test_what_the_compiler_writes_is_allowed() -> None:
    assert any(SESSION_OPTIONS)
    for options in SESSION_OPTIONS:
        check_session_options(options)


@pytest.mark.parametrize(
    "options",
    [
        {"session.collect_node_memory_stats_to_file": "/tmp/stats"},
        {"session.model_external_initializers_file_folder_path": "/etc"},
        {"ep.context_file_path": "x"},
        {"": ""},
        {ACCURACY_LEVEL: ""},
        {ACCURACY_LEVEL: "12"},
        {ACCURACY_LEVEL: "x"},
        {ACCURACY_LEVEL: "٣"},
        {ACCURACY_LEVEL: "1\n"},
    ],
)
def test_everything_else_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="session option"):
        check_session_options(options)
