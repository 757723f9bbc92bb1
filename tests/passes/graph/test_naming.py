"""Names of layers."""

from __future__ import annotations

import torch

from passes.graph.naming import free_name, join, module_path


def test_names_are_free() -> None:
    assert free_name("a", set()) == "a"
    assert free_name("a", {"a", "a_1"}) == "a_2"


def test_paths_are_joined() -> None:
    assert (join("", "x"), join("a.b", "x")) == ("x", "a.b.x")


def test_module_path_is_the_innermost_without_call_number() -> None:
    node = torch.fx.Graph().placeholder("x")
    assert module_path(node) == ""
    node.meta["nn_module_stack"] = {"L__self__": ("", "M"), "L__self__fc": ("layers.0.fc@1", "Linear")}
    assert module_path(node) == "layers.0.fc"
