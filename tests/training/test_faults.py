"""What jsonargparse raises for a field, as one sentence: with its own parser, so that another wording is noticed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from jsonargparse import ArgumentParser

from msbench.training.faults import Fault, fault_of

KNOWN = ["data.batch_size", "model.optimizer", "name"]


class Data:
    """A part of a configuration."""

    def __init__(
        self,
        batch_size: int = 4,
        root: str | None = None,
        gain: tuple[float, float] = (0.0, 1.0),
        effects: dict[str, Any] | None = None,
    ) -> None:
        """Take it."""


class Model:
    """Another part."""

    def __init__(
        self,
        loss: str = "l1",
        precision: Literal[16, "bf16"] | None = None,
        optimizer: Callable[[Any], torch.optim.Optimizer] = lambda params: torch.optim.Adam(params, lr=1e-3),
    ) -> None:
        """Take it."""


def told(*flags: str) -> Fault:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--name", type=str)
    parser.add_class_arguments(Data, "data")
    parser.add_class_arguments(Model, "model")
    parser.add_argument("--config", action="config")
    with pytest.raises(argparse.ArgumentError) as caught:
        parser.parse_args(flags)
    return fault_of(str(caught.value), KNOWN)


@pytest.mark.parametrize(
    ("flags", "field", "sentence"),
    [
        (["--data.batch_size", "many"], "data.batch_size", "field data.batch_size must be a whole number, not many"),
        (["--data.effects", "3"], "data.effects", "field data.effects must be a mapping or null, not 3"),
        (["--config", '{"data": {"root": 3}}'], "data.root", "field data.root must be text or null, not 3"),
        (["--model.precision", "8"], "model.precision", "field model.precision must be 16, bf16 or null, not 8"),
        (
            ["--model.optimizer", "torch.optim.Adm"],
            "model.optimizer",
            "field model.optimizer: there is no class torch.optim.Adm: module 'torch.optim' has no attribute 'Adm'",
        ),
        (
            ["--model.optimizer", "torch.optim.Adam", "--model.optimizer.lr", "high"],
            "model.optimizer.lr",
            "field model.optimizer.lr must be a number or torch.Tensor, not high",
        ),
        (
            ["--data.batch_sise", "3"],
            "data.batch_sise",
            "unknown field 'data.batch_sise'. Did you mean data.batch_size? `msbench fit -c RECIPE --help` lists the "
            "fields.",
        ),
        (["--config", '{"zzz": 1}'], "zzz", "unknown field 'zzz'. `msbench fit -c RECIPE --help` lists the fields."),
        (
            ["--config", '{"model": {"optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lrr": 3}}}}'],
            "model.optimizer",
            "unknown argument 'lrr' of model.optimizer",
        ),
    ],
)
def test_the_sentence_names_the_field(flags: list[str], field: str, sentence: str) -> None:
    assert told(*flags) == (field, sentence)


def test_what_has_no_known_form_is_told_as_it_is() -> None:
    assert fault_of("argument --x:\n  expected one argument", KNOWN) == ("", "argument --x: expected one argument")
    assert fault_of('Parser key "a.b":\n  something new', KNOWN) == ("a.b", "field a.b: something new")
