"""Exit status 0 when the service of this container is ready: for HEALTHCHECK and for compose's conditions."""

import os
import sys
import urllib.error
import urllib.request

SECONDS = 4

try:
    urllib.request.urlopen(f"http://127.0.0.1:{os.environ['MAIRROR_WEB__PORT']}/readyz", timeout=SECONDS).close()
except urllib.error.HTTPError as answer:
    sys.exit(answer.read().decode(errors="replace").strip())
except OSError as error:
    sys.exit(f"no answer: {error}")
