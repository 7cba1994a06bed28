"""Wiring by name: catalogs from ``module:attribute`` or a file, stores from a URL."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import attrs

from ..adapters.local import open_local
from ..adapters.memory import memory_stores
from ..adapters.system import RandomReceiptIds, SystemClock
from ..core.catalog import Catalog
from ..core.errors import CatalogError, StoreError
from .platform import Platform


def load_catalog(name: str) -> Catalog:
    """The catalog that ``module:attribute`` or the path of a .py file (with ``:attribute``, by default
    ``catalog``) names, checked as a whole. Raises ``CatalogError`` with a sentence.
    """
    where, _, attribute = name.rpartition(":") if ":" in name else (name, "", "")
    if not where or where.endswith(".py") or name.endswith(".py"):
        path, attribute = (name, "catalog") if name.endswith(".py") else (where, attribute)
        module = _module_of_file(Path(path))
    else:
        module = _module(where if attribute else name, name)
    catalog = getattr(module, attribute or "catalog", None)
    if not isinstance(catalog, Catalog):
        raise CatalogError(f"{name}: there is no catalog named {attribute or 'catalog'!r} in it.")
    catalog.check()
    return catalog


@contextmanager
def open_platform(store: str, catalog: Catalog, *, write: bool) -> Iterator[Platform]:
    """The platform on a store: ``memory:`` or ``file:PATH``.

    A file store is mended when it is opened. With ``write`` it is created if need be, and nobody else may be writing
    to it. Without, it must exist; others may write meanwhile, and only where something needs mending and nobody is
    writing is the writer's lock taken, until it is mended. Raises ``StoreError``.
    """
    clock, ids = SystemClock(), RandomReceiptIds()
    scheme, _, rest = store.partition(":")
    if scheme == "memory":
        yield Platform.assemble(catalog, memory_stores(), clock, ids)
        return
    if scheme != "file" or not rest:
        raise StoreError(f"{store!r} names no store; use file:PATH or memory: .")
    path = Path(rest)
    if write:
        with open_local(path, write=True) as local:
            platform = Platform.assemble(catalog, local.stores, clock, ids)
            yield attrs.evolve(platform, mended=platform.mend())
        return
    mended, busy, held = 0, False, dict[str, str]()
    with open_local(path, write=False) as local:
        platform = Platform.assemble(catalog, local.stores, clock, ids)
        if platform.is_whole():
            yield platform
            return
    with open_local(path, write="if-free") as local:
        if local.writable:
            platform = Platform.assemble(catalog, local.stores, clock, ids)
            mended, held = platform.mend(), platform.work.held
        else:
            busy = True
    with open_local(path, write=False) as local:
        platform = Platform.assemble(catalog, local.stores, clock, ids)
        platform.work.held.update(held)
        yield attrs.evolve(platform, mended=mended, busy=busy)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CatalogError(f"{path}: there is no such catalog file.")
    spec = importlib.util.spec_from_file_location(f"millrace_catalog_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CatalogError(f"{path}: is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except CatalogError:
        raise
    except (Exception, SystemExit) as error:
        raise CatalogError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _module(name: str, whole: str) -> ModuleType:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except CatalogError:
        raise
    except ModuleNotFoundError as error:
        raise CatalogError(f"{whole}: there is no module {error.name!r}.") from None
    except (Exception, SystemExit) as error:
        raise CatalogError(f"{whole}: cannot be imported: {type(error).__name__}: {error}") from error
