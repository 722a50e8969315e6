"""Free ports on the loopback address.

A busy port is not an error: the next free one is taken, and the caller says so.
"""

import socket

from contracts.errors import FatalError

HOST = "127.0.0.1"
SEARCH = 500


def is_free(port: int) -> bool:
    """Can a server listen on 127.0.0.1:`port` now? Connections in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def listens(host: str, port: int) -> bool:
    """Does anybody take a connection there, within two seconds?"""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def choose(wanted: int, taken: set[int]) -> int:
    """`wanted` if it is free and not in `taken`, else the next port that is; adds the result to `taken`.

    Raises:
        FatalError: no port from `wanted` to `wanted` + 500 is free.
    """
    for port in range(wanted, min(wanted + SEARCH, 65536)):
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    raise FatalError(f"no free port from {wanted} to {wanted + SEARCH} on {HOST}: stop what listens there")
