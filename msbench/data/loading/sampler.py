"""Which chunks a process trains on, in which order."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler


class ChunkSampler(Sampler[int]):
    """Gives a rank the global numbers of its chunks: epoch * chunks_per_epoch + i for i = rank, rank + world_size, ...

    Every rank gets the same number, so the remainder of a division by world_size is left out.

    Args:
        chunks_per_epoch: Of all ranks together.
        rank, world_size: Of this process, and number of processes.
        epoch: The one that begins.
        start: How many of the rank's chunks of that epoch are done already (a resumed run); later epochs are whole.

    Raises:
        ValueError: If a rank would get no chunk.
    """

    def __init__(
        self, chunks_per_epoch: int, *, rank: int = 0, world_size: int = 1, epoch: int = 0, start: int = 0
    ) -> None:
        if chunks_per_epoch < world_size:
            raise ValueError(
                f"chunks_per_epoch must be at least one for each of {world_size} processes, not {chunks_per_epoch}"
            )
        self.chunks_per_epoch = chunks_per_epoch
        self.rank = rank
        self.world_size = world_size
        self.epoch = epoch
        self.start = start

    def set_epoch(self, epoch: int) -> None:
        """Move to an epoch, to its first chunk unless it is the current one."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __len__(self) -> int:
        return self.chunks_per_epoch // self.world_size  # a whole epoch's: Lightning counts what is left itself

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.chunks_per_epoch + self.rank
        for i in range(self.start, len(self)):
            yield first + i * self.world_size
