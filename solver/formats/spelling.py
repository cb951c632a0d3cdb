"""
Names as people write them, and when two of them are one.

Names are compared by Unicode's canonical form and by case, and nothing else is folded: every letter, mark and sign
counts, so C, C++ and C# are three. A run of blanks of any kind is one blank, and characters that nobody can see do not
count. Where a name is written a little differently (a blank or a hyphen more or less), the near form may find it;
whoever uses that says so in the account, because it is a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

MAX_REMEMBERED = 100
"""Characters of a name of which the folded form is kept."""
# Soft hyphen, zero-width space, word joiner, marks of direction, byte order mark. The joiners that Indic and Persian
# words are spelt with change what is seen, so they stay.
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_BLANKS = re.compile(r"\s+")
_DASHES = "\\-\u2010-\u2015\u2212_"
_JOINING = re.compile(rf"(?<=[^\W_])[{_DASHES}](?=[^\W_])")
_GAPS = re.compile(rf"(?<=[^\W_])\s*[{_DASHES}/]\s*(?=[^\W_])|[\s_]+")


def same(name: str) -> str:
    """What two names have in common if and only if they are one name."""
    return _remembered(name) if len(name) <= MAX_REMEMBERED else _folded(name)


def _folded(name: str) -> str:
    text = _BLANKS.sub(" ", _UNSEEN.sub("", name)).strip()
    # Case is folded in the decomposed form, because folding does not know every composed letter.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


# The same few names stand in thousands of rows.
_remembered = lru_cache(maxsize=4096)(_folded)


def near(name: str) -> str:
    """
    The same without blanks, and without hyphens between letters: "Cyber Security" is near "Cyber-Security".

    Wide and narrow forms of a letter are near as well, as East Asian keyboards write both.
    """
    return _JOINING.sub("", _BLANKS.sub("", same(unicodedata.normalize("NFKC", name))))


def word(name: str) -> str:
    """A kind of room or equipment as one word: "Lecture-Hall" is lecture_hall. Signs other than hyphens stay."""
    return _GAPS.sub("_", same(name)).strip("_")


class Spellings:
    """Which ids a name stands for: those of exactly this name; where there is none, those of a near one."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """Pairs of name and id. An id that is named twice by one name counts once."""
        self._same: dict[str, list[str]] = {}
        self._near: dict[str, list[str]] = {}
        for name, id in names:
            for table, key in ((self._same, same(name)), (self._near, near(name))):
                if key and id not in table.setdefault(key, []):
                    table[key].append(id)

    def exactly(self, name: str) -> list[str]:
        """Ids of this name; several where rows cannot be told apart."""
        return self._same.get(same(name), [])

    def nearly(self, name: str) -> list[str]:
        """Ids of this name up to blanks, hyphens between letters, and wide forms."""
        return self._near.get(near(name), [])

    def find(self, name: str) -> list[str]:
        """Ids of this very name, else of one that is nearly spelled so; none where there is neither."""
        return self.exactly(name) or self.nearly(name)

    @property
    def shared(self) -> Mapping[str, list[str]]:
        """Names that several ids have."""
        return {name: ids for name, ids in self._same.items() if len(ids) > 1}
