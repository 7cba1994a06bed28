"""Catalogs by name: ``module:attribute``, or a file."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ..core.catalog import Catalog
from ..core.errors import CatalogError


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
