"""Parts of error texts."""

from __future__ import annotations

import pytest

from mexbench.errors import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 folds"), (1, "1 fold"), (2, "2 folds"), (11, "11 folds")])
def test_a_noun_follows_its_number(number: int, text: str) -> None:
    assert counted(number, "fold") == text
