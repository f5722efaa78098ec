"""Checkpoints of TensorFlow: one that TensorFlow wrote, and broken ones."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from msbench.weights.tensorflow import read_tensorflow
from tests.weights import bundle

WRITTEN = Path(__file__).parent / "tensorflow_2_21.tar.gz"
NAMES = [f"conv2d{number}/{part}" for number in ("", *(f"_{i}" for i in range(1, 12))) for part in ("bias", "kernel")]


def arrays() -> dict[str, np.ndarray]:
    """Also those of WRITTEN, which these lines of TensorFlow 2.21 wrote in a folder of its own:

    tf.raw_ops.SaveV2(prefix="model", tensor_names=list(held), shape_and_slices=[""] * len(held),
                      tensors=[tf.constant(value) for value in held.values()])
    """
    held: dict[str, np.ndarray] = {name: np.arange(6, dtype=np.float32) + i for i, name in enumerate(NAMES)}
    held["conv2d/kernel"] = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    return {**held, "scalar": np.float32(0.5).reshape(()), "global_step": np.array(7)}


def test_what_tensorflow_wrote(tmp_path: Path) -> None:
    expected = arrays()
    del expected["global_step"]  # a number of steps, not of single precision
    for path in (WRITTEN, bundle.write(tmp_path / "a.tar.gz", arrays())):
        found = read_tensorflow(path)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value)
            assert found[name].shape == value.shape


def test_broken_archives_are_refused_in_a_sentence(tmp_path: Path) -> None:
    table, values = bundle.checkpoint(arrays())
    drawn = random.Random(0)
    tables = [table[:cut] for cut in (0, 10, len(table) - 1)]
    for _ in range(300):
        changed = bytearray(table)
        changed[drawn.randrange(len(table) - 8)] = drawn.randrange(256)
        tables.append(bytes(changed))
    said = []
    for each in tables:
        files = {"m.index": each, "m.data-00000-of-00001": values}
        path = bundle.archive(tmp_path / "a.tar.gz", files)
        try:
            read_tensorflow(path)
        except ValueError as error:
            said.append(str(error))
    assert len(said) > 100
    assert all("checkpoint" in each for each in said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no archive of a TensorFlow checkpoint, or damaged"),
        (b"PK\x03\x04 something", "is no archive of a TensorFlow checkpoint, or damaged"),
        (WRITTEN.read_bytes()[:-200], "is no archive of a TensorFlow checkpoint, or damaged"),
    ],
)
def test_another_file(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_tensorflow(tmp_path / "a.tar.gz")


def test_parts_that_are_missing(tmp_path: Path) -> None:
    table, values = bundle.checkpoint(arrays())
    path = bundle.archive(tmp_path / "a.tar.gz", {"m.index": table})
    with pytest.raises(ValueError, match=r"holds no file whose name ends in \.data-00000-of-00001"):
        read_tensorflow(path)
    path = bundle.archive(tmp_path / "a.tar.gz", {"m.index": table, "m.data-00000-of-00001": values[:-50]})
    with pytest.raises(ValueError, match=r"the values of '.*' end too early"):
        read_tensorflow(path)
