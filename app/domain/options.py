"""What may be asked of a solve: the one record that a request, a job, the message to a child and the solver share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AllowInfNan, Field, JsonValue

from solver.params import SolveParams
from solver.result import RungId


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """
    `rules` are laid over those of the dataset, setting by setting. `workers` is the number of solver threads, None for
    that of the settings. `start_at` and `simplified_context` change from attempt to attempt, and so may `workers`.
    """

    time_limit_seconds: Annotated[float, Field(ge=0), AllowInfNan(False)] = 300.0
    num_variants: Annotated[int, Field(ge=1)] = 3
    seed: int = 0
    workers: Annotated[int, Field(ge=1)] | None = None
    rules: Mapping[str, JsonValue] = field(default_factory=dict)
    start_at: RungId = "full"
    simplified_context: bool = False

    def params(self, **limits: Any) -> SolveParams:
        """The parameters of the solver; `limits` are those of its fields that operators decide about."""
        return SolveParams(
            time_limit_seconds=self.time_limit_seconds,
            num_variants=self.num_variants,
            seed=self.seed,
            workers=self.workers or 1,
            start_at=self.start_at,
            simplified_context=self.simplified_context,
            **limits,
        )
