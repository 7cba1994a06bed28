"""GET /health: whether what requests are answered from can be reached."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from ...core.errors import StoreError, TransientError
from .messages import Request, Response, json_response
from .site import Site


def health(
    site: Site, _: Request, __: Sequence[str], also: Mapping[str, Callable[[], Any]] = MappingProxyType({})
) -> Response:
    """200 where every dependency answers, 503 where one does not, with the state of each; also of some that whoever
    serves knows of: what is asked raises where it fails.
    """
    states, causes = {}, {}
    for name, ask in {**_questions(site), **also}.items():
        try:
            ask()
        except (TransientError, StoreError) as error:
            states[name], causes[f"{name}_cause"] = "failing", str(error)
        else:
            states[name] = "ok"
    good = "failing" not in states.values()
    return json_response(
        {"status": "ok" if good else "failing", "catalog": site.catalog.name, "dependencies": states},
        HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"cache-control": "no-store", **({} if good else {"retry-after": "5"})},
        facts=causes,
    )


def _questions(site: Site) -> dict[str, Callable[[], Any]]:
    """One cheap read of each store that queries are answered from."""
    now, stores = site.clock.now(), site.stores
    asked: dict[str, Callable[[], Any]] = {}
    if event_type := next(iter(site.catalog.types), None):
        asked["curated"] = lambda: stores.curated.query(event_type, since=now, until=now + 1, after=None, limit=1)
    if view := next(iter(site.catalog.views.values()), None):
        asked["views"] = lambda: stores.views.rows(view.signature, since=now, until=now + 1, after=None, limit=1)
    return asked
