"""Does a page of this very address ask? Web frameworks do not check the origin of a WebSocket by themselves."""

from urllib.parse import urlsplit


def same_origin(origin: str | None, host: str | None) -> bool:
    """Does the page that asks come from the address it asks? A missing origin is no page."""
    return bool(origin and host) and urlsplit(origin or "").netloc.lower() == (host or "").lower()
