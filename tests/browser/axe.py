"""axe-core in a page: what a screen reader, a keyboard or tired eyes would stumble over, and whose markup it is."""

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

from contracts.settings import Settings

VERSION = "4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""SHA-512 of the package, as npm states it."""
GRAVE = ("serious", "critical")

RUN = """async (grave) => {
  // while Streamlit's script runs, elements of the last run are faded and a Stop button comes and goes
  const settled = () => {
    const app = document.querySelector('[data-testid="stApp"]');
    return !app || (app.dataset.testScriptState !== "running" && !document.querySelector('[data-stale="true"]'));
  };
  let found;
  for (let look = 0; look < 5; look++) {
    for (let wait = 0; wait < 200 && !settled(); wait++) await new Promise(done => setTimeout(done, 50));
    found = await axe.run(document, {resultTypes: ["violations"], elementRef: true});
    if (settled()) break;
  }
  // ours: what st.html shows, and everything below the root of a component of ours
  const ours = (element) => {
    for (let one = element; one; one = one.parentElement || one.getRootNode().host) {
      if (one.getRootNode() !== document) return true;
      if (one.dataset && one.dataset.testid === "stHtml") return true;
    }
    return false;
  };
  const place = (element) => {
    const owner = element.closest("[data-testid]");
    const role = element.getAttribute("role");
    const self = element.tagName.toLowerCase() + (role ? `[role=${role}]` : "");
    return owner && owner !== element ? `${owner.dataset.testid} ${self}`
      : owner ? `${self}.${owner.dataset.testid}` : self;
  };
  return found.violations.filter(one => grave.includes(one.impact)).flatMap(one => one.nodes.map(node => ({
    rule: one.id, place: place(node.element), ours: ours(node.element),
    html: node.element.outerHTML.slice(0, 300), says: node.failureSummary,
  })));
}"""


@dataclass(frozen=True)
class Finding:
    """One element that breaks a rule gravely. `place`: the test id it lies below, and its tag."""

    rule: str
    place: str
    ours: bool
    html: str
    says: str


@cache
def source() -> str:
    """axe-core's script, fetched once into the user's cache through npm and checked."""
    file = Settings().cache / f"axe-core-{VERSION}" / "axe.min.js"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            command = ["npm", "pack", "--silent", "--ignore-scripts", f"axe-core@{VERSION}"]
            subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True)
            package = next(Path(folder).glob("*.tgz")).read_bytes()
            found = base64.b64encode(hashlib.sha512(package).digest()).decode()
            assert found == INTEGRITY, f"axe-core {VERSION} is not what was reviewed: sha512-{found}"
            with tarfile.open(fileobj=io.BytesIO(package)) as archive:
                script = archive.extractfile("package/axe.min.js")
                assert script is not None
                staging = Path(folder) / "axe.min.js"
                staging.write_bytes(script.read())
            staging.rename(file)
    return file.read_text(encoding="utf-8")


def look(page: Page) -> list[Finding]:
    """Grave findings on the page as it stands when its script does not run."""
    page.evaluate(source())
    return [Finding(**found) for found in page.evaluate(RUN, list(GRAVE))]
