"""What every plugin that compiles with JAX shares: compiled programs are cached on disk for the next process."""

from __future__ import annotations

import functools
import os

import jax

from mexbench.data.cache import programs_root


@functools.cache
def keep_compilations() -> None:
    """Keep compiled programs on disk for the next process, unless the user configured where JAX keeps them.

    By default JAX keeps only what took a second to compile; a benchmark of small networks would keep nothing.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        return
    folder = programs_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # the next process compiles again
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
