"""Names as loose matching compares them: the same company written two ways gives one text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: The most letters a folded name has: what the columns that keep it can hold.
MATCH_NAME_LENGTH: Final = 200

#: Legal forms that say nothing about who a company is, as whole words at the end of a folded name.
_FORM_WORDS: Final = """
    inc incorporated corp corporation co company llc llp lp ltd limited plc pllc pty proprietary pte pvt private
    gmbh mbh ag kg kgaa ohg gbr ug ev eg se sa sas sasu sarl srl srls spa snc sca scs eurl
    bv nv vof cv ab aps as asa oy oyj oü kft zrt nyrt sro doo dd ad ood eood jsc pjsc ooo oao zao ltda lda slu sl
    sab kk gk bhd sdn tbk sàrl
"""
_FORMS: Final = frozenset(_FORM_WORDS.split())
_PHRASES: Final = (" sp z oo", " sp zoo", " sà rl", " de cv", " kabushiki kaisha", " godo kaisha")
#: What may be left hanging in front of a legal form: "Gekko & Co", "Weber und Co KG".
_LINKS: Final = frozenset({"and", "und", "et", "og", "och"})
#: Written without a space, longest first.
_ASIAN_ENDINGS: Final = (
    "股份有限公司",
    "有限责任公司",
    "有限責任公司",
    "責任有限公司",
    "集团有限公司",
    "集團有限公司",
    "有限公司",
    "股份公司",
    "株式会社",
    "有限会社",
    "合同会社",
    "주식회사",
    "유한회사",
)
_ASIAN_BEGINNINGS: Final = ("株式会社", "有限会社", "合同会社", "주식회사", "유한회사")
_ASIAN_SHORT: Final = re.compile(r"\((?:株|有|同|주|유)\)")
_INITIALS: Final = re.compile(r"\b[^\W\d_](?:\.\s?[^\W\d_])+\b")
_APOSTROPHES: Final = re.compile(r"(?<=\w)['’`´ʼ](?=\w)")


def fold_name(text: str) -> str:
    """Write a name in one plain way: compatible letters, no case, no punctuation, single spaces.

    "S. A." and "S.A." become "sa", "O'Reilly" becomes "oreilly", "&" becomes "and"; accents stay, since in many
    languages they make another word. A name of nothing but signs keeps its signs. Blank gives "".
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    joined = _APOSTROPHES.sub("", plain).replace("&", " and ")
    joined = _INITIALS.sub(lambda found: re.sub(r"[.\s]", "", found.group()), joined)
    words = "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in joined).split()
    return (" ".join(words) or " ".join(plain.split()))[:MATCH_NAME_LENGTH].strip()


def match_name(text: str) -> str:
    """Fold a company's name and drop its legal form: "Gekko & Co.", "GEKKO GmbH" and "gekko" all become "gekko".

    Equal results are a proposal that two names mean the same company, not a proof: "Acme Inc" and "Acme Ltd" may both
    exist. At least one word always stays ("Limited" stays "limited"), and folding the result again changes nothing.
    """
    name = fold_name(_ASIAN_SHORT.sub(" ", unicodedata.normalize("NFKC", text)) or text) or fold_name(text)
    while True:
        shorter = _without_form(name)
        if shorter == name:
            return name
        name = shorter


def _without_form(name: str) -> str:
    """Take one legal form off a folded name, if something is left then."""
    if not name.isascii():
        for ending in _ASIAN_ENDINGS:
            if name.endswith(ending) and name != ending:
                return name.removesuffix(ending).strip()
        for beginning in _ASIAN_BEGINNINGS:
            if name.startswith(beginning) and name != beginning:
                return name.removeprefix(beginning).strip()
    for phrase in _PHRASES:
        if name.endswith(phrase):
            return name.removesuffix(phrase)
    words = name.split(" ")
    if len(words) > 1 and words[-1] in _FORMS:
        words = words[:-1]
        if len(words) > 1 and words[-1] in _LINKS:
            words = words[:-1]
    return " ".join(words)
