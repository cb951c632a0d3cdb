"""Who asks, and what they may: the rights of keys and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key may do. ADMIN may do everything."""

    READ = "read"
    SUBMIT = "submit"
    CANCEL = "cancel"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    Who has shown a key or a token. `id` names it in logs, never the secret itself.

    `organisations` are the only ones whose jobs it sees and touches, each as jobs name them; None means all.
    """

    id: str
    scopes: tuple[Scope, ...]
    organisations: tuple[str, ...] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key has this scope; `admin` includes all others."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def reaches(self, organisation: object) -> bool:
        """Whether what belongs to this organisation is the caller's; what belongs to none is nobody's in particular."""
        return self.organisations is None or organisation in self.organisations
