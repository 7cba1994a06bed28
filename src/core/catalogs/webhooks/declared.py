"""The catalog that both kinds of webhooks are declared on."""

from ...catalog import Catalog

catalog = Catalog("webhooks")
