"""How tests are spread over the workers of pytest."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def shared() -> object:
    return object()


def test_a_test_that_shares_something_is_given_out_with_its_group(
    request: pytest.FixtureRequest, shared: object
) -> None:
    """Versions of pytest and xdist that do not fit together scatter groups over all workers and say nothing."""
    several_workers = hasattr(request.config, "workerinput")
    assert request.node.nodeid.endswith("@test_workers.py") == several_workers
