"""The FastAPI app: routes, problems, documents, and what is open while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI

from apps.gateway import openapi, problems
from apps.gateway.auth import key_ring
from apps.gateway.deps import Gateway, limits_of
from apps.gateway.edge import Edge
from apps.gateway.routes import about, exports, faces, images, streams
from contracts.settings import Settings
from contracts.version import VERSION


def create_app(settings: Settings) -> FastAPI:
    """The app. What it needs is opened when it starts and closed when it ends.

    Raises:
        FatalError: the API keys make no sense, or strangers could connect and there are none.
    """
    key_ring(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway = await run_sync(Gateway, settings)
        app.state.gateway = gateway
        try:
            yield
        finally:
            await run_sync(gateway.close)

    app = FastAPI(title="Mairror", version=VERSION, lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(Edge)
    problems.install(app, limits_of(settings))
    for module in (images, faces, streams, exports, about):
        app.include_router(module.router)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app
