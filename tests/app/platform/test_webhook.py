"""Signatures and keys of webhooks."""

from __future__ import annotations

import base64

import pytest

from app.platform.webhook import signature
from app.system.addresses import keys_of
from tests.app.platform.conftest import KEY, OTHER_KEY


def test_the_signature_is_that_of_the_standards_example() -> None:
    """Key, id, instant, body and signature as the documentation of Standard Webhooks has them."""
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_keys_are_read_and_never_quoted() -> None:
    assert len(keys_of(f"{KEY}, {OTHER_KEY}\n{KEY}")) == 3 and keys_of(" ") == ()
    short = base64.b64encode(b"x" * 23).decode()
    for bad in ("whsec_hush!", f"whsec_{short}", "whsec_" + base64.b64encode(b"x" * 65).decode()):
        with pytest.raises(ValueError) as refused:
            keys_of(bad)
        assert bad.removeprefix("whsec_") not in str(refused.value)
