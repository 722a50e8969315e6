"""Outcomes of uploads as people read and keep them: sentences, cards, files to download."""

import io
import re
import zipfile
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import PurePath

import msgspec

from apps.annotation import REASONS
from apps.dashboard.uploads import Outcome
from contracts.answers import Answer, Face

CLEAN = re.compile(r"[^A-Za-z0-9._-]+")


def summary(outcomes: Sequence[Outcome]) -> str:
    """`3 pictures answered with 4 faces; 1 refused.`"""
    answered = [outcome for outcome in outcomes if outcome.answer]
    faces = sum(len(outcome.answer.faces) for outcome in answered if outcome.answer)
    parts = [f"{_count(len(answered), 'picture')} answered with {_count(faces, 'face')}"] if answered else []
    for status in ("refused", "failed"):
        number = sum(outcome.status == status for outcome in outcomes)
        if number:
            parts.append(f"{number} {status}")
    return "; ".join(parts) + "." if parts else "Nothing was sent."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def from_left(answer: Answer) -> list[int]:
    """The numbers of the faces, as in the answer, in the order people see them."""
    return sorted(range(len(answer.faces)), key=lambda number: answer.faces[number].box.x)


def cards(answer: Answer) -> str:
    """One card a face, from left to right, as HTML, without pictures."""
    return f'<div class="cards">{"".join(card(answer.faces[number]) for number in from_left(answer))}</div>'


def card(face: Face, crop: bytes = b"", words: str = "") -> str:
    """A face, its age and the interval, or why there is none, as HTML. `words` name the face for who cannot see it."""
    picture = ""
    if crop:
        picture = f'<img src="data:image/jpeg;base64,{b64encode(crop).decode()}" alt="{escape(words)}">'
    seen = " seen" if crop else ""
    if face.age is not None:
        years, low, high = face.age.for_people()
        sure = f"{face.age.coverage * 100:.0f} % sure: {low:.0f} to {high:.0f}"
        age = f"<b>{years:.0f}</b><span>years<small>{sure}</small>{_others(face)}</span>"
        return f'<div class="card{seen}">{picture}{age}</div>'
    reason = REASONS[face.abstained.reason] if face.abstained else "no age"
    detail = face.abstained.detail if face.abstained else ""
    why = f"<b>?</b><span>{escape(reason)}<small>{escape(detail)}</small></span>"
    return f'<div class="card unsure{seen}">{picture}{why}</div>'


def _others(face: Face) -> str:
    """What else was guessed, where the operator switched it on: `82 % female`, `70 % asian`."""
    groups = [
        msgspec.structs.asdict(group) for group in (face.gender, face.ethnicity) if isinstance(group, msgspec.Struct)
    ]
    likeliest = [max(shares.items(), key=lambda item: item[1]) for shares in groups]
    return "".join(f"<small>{share:.0%} {name}</small>".replace("%", " %") for name, share in likeliest)


def refusal(outcome: Outcome) -> str:
    """`notes.pdf: ...` as Markdown; the name is a stranger's and shown as code."""
    sentence = outcome.reason[:1].upper() + outcome.reason[1:]
    return f"{as_code(outcome.name)} {sentence}{'' if sentence.endswith('.') else '.'}"


def as_code(name: str) -> str:
    """A stranger's file name inside Markdown: as code it can do nothing."""
    return f"`{' '.join(name.replace('`', chr(39)).split())[:120]}`"


def plain(name: str) -> str:
    """A stranger's file name as text: Markdown's signs mean nothing."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~$:" else sign for sign in name[:120])


def file_stem(name: str) -> str:
    """A name that is safe in a file system and in an archive: no folders, no odd characters."""
    stem = CLEAN.sub("-", PurePath(name.replace("\\", "/")).stem).strip(".-")
    return stem[:80] or "picture"


def as_json(outcome: Outcome) -> bytes:
    """The answer as it is on the topic, indented, with the file's name."""
    body = {"file": outcome.name, "answer": outcome.answer}
    if outcome.answer is None:
        body = {"file": outcome.name, "error": outcome.reason}
    return msgspec.json.format(msgspec.json.encode(body), indent=2)


def as_zip(outcomes: Sequence[Outcome]) -> bytes:
    """All annotated pictures and one `answers.jsonl`, a line a file, as `mairror upload --json` prints."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number, outcome in enumerate(outcomes, 1):
            if outcome.picture:
                archive.writestr(f"{number:03d}-{file_stem(outcome.name)}.jpg", outcome.picture)
        lines = [msgspec.json.encode(msgspec.json.decode(as_json(outcome))) for outcome in outcomes]
        archive.writestr("answers.jsonl", b"\n".join(lines) + b"\n")
    return buffer.getvalue()
