"""A shared store asked beside its other callers: one call at a time, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from app.service.job_registry import JobRegistry
from app.store import SharedStore, StoreUnavailable

T = TypeVar("T")


class SideChannel:
    """Who has one waits for nobody else's calls. A store that refuses those is not asked."""

    def __init__(self, registry: JobRegistry) -> None:
        self._registry = registry
        self._one = anyio.CapacityLimiter(1)

    async def __call__(self, call: Callable[[SharedStore], T]) -> T:
        """Raises StoreError."""
        store, refusal = self._registry.store, self._registry.in_store.refusal
        assert isinstance(store, SharedStore)
        if refusal is not None:
            raise StoreUnavailable(refusal)
        return await anyio.to_thread.run_sync(call, store, limiter=self._one)
