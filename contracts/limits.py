"""Size limits, in one place: topics, broker, clients and gateway take theirs from here.

A transport limit is the body limit plus room for headers and framing: Kafka counts both
(a body of exactly `message.max.bytes` is refused, and so is one 100 bytes smaller).
"""

KIB = 1024
MIB = 1024 * KIB

MAX_FRAME_BYTES = 1 * MIB
"""Largest live frame, JPEG bytes."""

MAX_UPLOAD_BYTES = 4 * MIB
"""Largest uploaded picture as it travels (re-encoded at the edge), JPEG bytes."""

MAX_ANSWER_BYTES = 1 * MIB
"""Largest JSON body of any topic."""

HEADER_ROOM = 64 * KIB
"""Room for the headers of a record."""

DEAD_LETTER_HEADER_ROOM = 128 * KIB
"""Room for the original headers and the reason."""

MAX_REQUEST_BYTES = MAX_UPLOAD_BYTES + DEAD_LETTER_HEADER_ROOM
"""Largest record any client may send; the broker's `message.max.bytes`."""

MAX_FETCH_BYTES = MAX_REQUEST_BYTES
"""Fetch size of consumers: at least one largest record."""

MAX_FRAME_PIXELS = 4096 * 4096
"""Largest picture the processor decodes, pixels."""
