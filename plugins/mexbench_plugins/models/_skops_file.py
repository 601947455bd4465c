"""What a skops file holds, as plain values: nothing in it is imported, called or unpacked to find out.

skops builds any of some hundred classes that it knows, from whatever a file says about them, and hands them to compiled
code that trusts its own arrays. A saved model needs a few classes alone, so the archive is read here, into values that
``_sklearn_state`` compares with what a fitted estimator has before scikit-learn sees any of them.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.files import read_plain

#: The classes that a saved pipeline may hold.
KNOWN = frozenset({
    "sklearn.pipeline.Pipeline", "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._data.MinMaxScaler", "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.svm._classes.SVC", "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._tree.Tree",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier", "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._ridge.RidgeClassifier", "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.decomposition._pca.PCA", "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
})  # fmt: skip
_SCHEMA = "schema.json"
_MOST_MEMBERS, _MOST_SCHEMA = 4_096, 2**24
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class StoredObject:
    """An object of a class that is known.

    Args:
        kind: Its module and class.
        values: Its attributes.
        arguments: Of its constructor, where the file has them.
    """

    kind: str
    values: Mapping[str, Any]
    arguments: tuple[Any, ...] = ()


def read_skops(path: Path) -> Any:  # noqa: ANN401 - a StoredObject, or any plain value
    """Read a skops file.

    Returns:
        Objects as ``StoredObject``, arrays of finite numbers, lists, tuples, dictionaries, texts, numbers and None.

    Raises:
        ValueError: It is not a skops file, is compressed, holds a class that is not known, or a number of an array is
            NaN or infinite.
        OSError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read_plain(path))) as archive:
            return _Reader(path.name, archive).read()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:  # RuntimeError: a password
        raise ValueError(f"{path.name} is not a skops file: {error}") from None
    except (KeyError, TypeError, AttributeError, IndexError, SyntaxError) as error:
        raise ValueError(f"{path.name} is not a skops file: {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class _Reader:
    name: str
    archive: zipfile.ZipFile
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def read(self) -> Any:  # noqa: ANN401
        members = self.archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"{self.name} is an archive of {len(members)} members, at most {_MOST_MEMBERS} are read")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError(f"{self.name} is compressed, as no saved model is")
        schema = self._content(_SCHEMA)
        if len(schema) > _MOST_SCHEMA:
            raise ValueError(f"{self.name}: {_SCHEMA} has {len(schema)} bytes, at most {_MOST_SCHEMA} are read")
        document = json.loads(schema)
        if unknown := sorted(_kinds(document) - KNOWN):
            raise ValueError(f"{self.name} holds types that are not trusted: {', '.join(unknown)}")
        return self._value(document)

    def _content(self, member: str) -> bytes:
        if member not in self.archive.namelist():
            raise ValueError(f"{self.name} is not a skops file: it has no {member!r}")
        return self.archive.read(member)

    def _value(self, node: Mapping[str, Any]) -> Any:  # noqa: ANN401
        loader = node["__loader__"]
        if loader == "JsonNode":
            return _scalar(json.loads(node["content"]))
        if loader == "NdArrayNode":
            return self._array(node)
        if loader in ("ListNode", "TupleNode"):
            values = [self._value(one) for one in node["content"]]
            return values if loader == "ListNode" else tuple(values)
        if loader == "DictNode":
            return {str(key): self._value(one) for key, one in node["content"].items()}
        if loader in ("ObjectNode", "TreeNode"):
            arguments = self._value(node["__reduce__"]["args"]) if loader == "TreeNode" else ()
            values = self._value(node["content"])
            if not isinstance(values, dict) or not isinstance(arguments, tuple):
                raise ValueError(f"{self.name}: {_kind(node)} has no attributes")
            return StoredObject(_kind(node), values, arguments)
        raise ValueError(f"{self.name} holds a {loader}, as no saved model does")

    def _array(self, node: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an array, or one number
        member = node["file"]
        if node["type"] != "numpy" or not isinstance(member, str):
            raise ValueError(f"{self.name} holds an array of objects, expected numbers")
        if member not in self.arrays:  # each is read once: its size is bounded by that of the file
            self.arrays[member] = self._numbers(member)
        array = self.arrays[member]
        return array if node["__class__"] == "ndarray" or array.ndim else array[()]

    def _numbers(self, member: str) -> NDArray[Any]:
        content = self._content(member)
        stream = io.BytesIO(content)
        header = _HEADERS.get(np.lib.format.read_magic(stream))
        if header is None:
            raise ValueError(f"{self.name}: {member} is of an unknown version of numpy's format")
        shape, in_columns, dtype = header(stream)
        # Before anything of that shape is allocated.
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
            raise ValueError(f"{self.name}: {member} is not an array of {dtype} {shape}, as it says")
        flat = np.frombuffer(content, dtype, offset=stream.tell())
        array = flat.reshape(shape, order="F" if in_columns else "C").copy(order="K")
        parts = [array[name] for name in array.dtype.names] if array.dtype.names else [array]
        if not all(np.isfinite(part).all() for part in parts if part.dtype.kind in "fc"):
            raise ValueError(f"{self.name} holds numbers that are NaN or infinite")
        return array


def _kinds(node: object) -> set[str]:
    """Return the classes of all objects in a document, without those of plain values."""
    pending, kinds = [node], set()
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            plain = one.get("__module__") == "builtins" or one.get("__loader__") == "NdArrayNode"
            if "__class__" in one and not plain:
                kinds.add(_kind(one))
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return kinds


def _kind(node: Mapping[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _scalar(value: object) -> object:
    if isinstance(value, (dict, list)):
        raise ValueError("a plain value is nested")  # noqa: TRY004 - the file is wrong, not a caller
    return value
