"""Values that look equal and aren't: written with other code points, blanks or letters.

Nothing is changed here: two spellings stay two classes until the user writes them alike.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

NAMED = 3
LETTERS = str.maketrans(
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd"
    "\u2018\u2019\u201b\u2032\u02bc\u201c\u201d\u201f\u2033\u2212",
    "ABESIJKMHOPCTYXaeopcyxsijABEZHIKMNOPTYXov'''''\"\"\"\"-",
)
"""Cyrillic and Greek letters, quotes and a minus that are drawn as those of a Latin keyboard."""

OTHERWISE_DRAWN = ("<super>", "<sub>", "<circle>", "<fraction>", "<square>")
"""Compatible forms that look different: a raised h of a phone is another sign than h."""


def looks(text: str, *, capitals: bool = True) -> str:
    """A text as it looks: equal for two that a reader takes for the same.

    Composed and decomposed letters are one (NFC), and so are full-width forms and ligatures; what
    has no width is left out; white space is one blank, and none at the ends; dashes are hyphens;
    letters of other scripts with the same shape are Latin ones.

    Args:
        text: Any.
        capitals: Whether capitals differ from small letters.

    Example:
        >>> looks("cafe\\u0301 ") == looks("caf\\u00e9"), looks("Cat") == looks("cat")
        (True, False)
    """
    composed = unicodedata.normalize("NFC", text)
    seen = unicodedata.normalize("NFC", "".join(map(_as_drawn, composed)))
    return " ".join((seen if capitals else seen.casefold()).split())


def _as_drawn(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return ""
    if category in ("Pd", "Cc"):
        return "-" if category == "Pd" else " "
    if unicodedata.decomposition(character).startswith(OTHERWISE_DRAWN):
        return character
    return unicodedata.normalize("NFKC", character.translate(LETTERS))


def lookalikes(values: Iterable[str], *, capitals: bool = True) -> list[list[tuple[str, int]]]:
    """Groups of different values that look equal, each with how often it comes, often ones first.

    A value that looks empty looks like the empty one, whether that comes or not.

    Example:
        >>> lookalikes(["dog", "dog ", "dog", "cat"])
        [[('dog', 2), ('dog ', 1)]]
    """
    groups: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for value, num in Counter(values).most_common():
        groups[looks(value, capitals=capitals)].append((value, num))
    if groups[""] and "" not in dict(groups[""]):
        groups[""].append(("", 0))
    return [group for group in groups.values() if len(group) > 1]


def told_alike(groups: Sequence[Sequence[tuple[str, int]]]) -> str:
    """The groups with what can't be seen made visible, and how to write their values alike.

    Example:
        >>> told_alike([[("caf\\u00e9", 9), ("cafe\\u0301", 1)]]).partition(";")[0]
        "'caf\\\\xe9' (9) and 'cafe\\\\u0301' (1)"
    """
    shown = [" and ".join(f"{value!a} ({num:,})" for value, num in g) for g in groups[:NAMED]]
    more = f", and {len(groups) - NAMED} more" if len(groups) > NAMED else ""
    return (
        f"{', '.join(shown)}{more}; if they mean the same, write them alike, such as by "
        "unicodedata.normalize('NFKC', value).strip()"
    )
