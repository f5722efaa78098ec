from __future__ import annotations

import pytest
import torch


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    references = torch.randn(3, 4, 1, 800, generator=generator)
    return references + 0.3 * torch.randn(3, 4, 1, 800, generator=generator), references
