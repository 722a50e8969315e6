"""docs/features.md names a proof for everything that is there, and every named proof exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs/features.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| feature"))
]


def exists(proof: str) -> bool:
    path, _, name = proof.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    return not name or re.search(rf"^(?:async )?def {re.escape(name)}\(", file.read_text(), re.M) is not None


def test_every_row_has_a_state_and_what_is_there_has_a_proof() -> None:
    assert len(ROWS) > 20
    for feature, state, proof in ROWS:
        assert state.split(":")[0] in {"done", "part", "next"}, feature
        assert bool(proof) == (state != "next"), f"{feature}: a proof, and only when it is there"


def test_every_named_proof_exists() -> None:
    missing = [proof for _, _, cell in ROWS for proof in re.findall(r"`([^`]+)`", cell) if not exists(proof)]
    assert not missing


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert not broken
