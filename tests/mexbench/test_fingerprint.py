from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from mexbench import fingerprint


def test_digest_ignores_the_order_of_keys_and_nothing_else() -> None:
    assert fingerprint.digest({"a": 1, "b": [1, 2]}) == fingerprint.digest({"b": [1, 2], "a": 1})
    different = [{"a": 1}, {"a": 1.5}, {"a": "1"}, {"a": [1]}, {"a": None}, {"b": 1}, {}, [1, 2], [2, 1], [[1], 2]]
    assert len({fingerprint.digest(value) for value in different}) == len(different)


def test_digest_array_sees_values_type_and_shape() -> None:
    a = np.arange(6, dtype=np.int32)
    others = [a.astype(np.int64), a.reshape(2, 3), a[::-1], a + 1]
    assert len({fingerprint.digest_array(x) for x in [a, *others]}) == 5
    assert fingerprint.digest_array(a.reshape(2, 3).T) == fingerprint.digest_array(
        np.ascontiguousarray(a.reshape(2, 3).T)
    )


def test_digest_files_sees_bytes_and_boundaries(tmp_path: Path) -> None:
    def of(*contents: bytes) -> str:
        paths = [tmp_path / str(i) for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return fingerprint.digest_files(paths)

    assert of(b"ab", b"c") == of(b"ab", b"c")
    assert len({of(b"ab", b"c"), of(b"a", b"bc"), of(b"abc"), of(b"c", b"ab")}) == 4


def test_digest_code_notices_an_edit_in_the_module_or_in_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "edited_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "unrelated.py").write_text("X = 1")
    (package / "deep.py").write_text("Z = 1")
    (package / "helper.py").write_text("from .deep import Z")
    (package / "model.py").write_text("from edited_package import helper\nimport json\nclass M: pass")

    def now() -> str:
        for name in [name for name in sys.modules if name.startswith("edited_package")]:
            del sys.modules[name]
        fingerprint.digest_code.cache_clear()
        return fingerprint.digest_code(importlib.import_module("edited_package.model").M)

    first = now()
    (package / "unrelated.py").write_text("X = 2")
    assert now() == first
    (package / "deep.py").write_text("Z = 2")
    second = now()
    assert second != first
    (package / "model.py").write_text("from edited_package import helper\nimport json\nclass M: y = 1")
    assert now() not in {first, second}
    for name in [name for name in sys.modules if name.startswith("edited_package")]:
        del sys.modules[name]


def test_environment_names_what_computes() -> None:
    assert fingerprint.environment()["numpy"] == np.__version__
    assert {"python", "scikit-learn", "jax", "machine"} <= fingerprint.environment().keys()
