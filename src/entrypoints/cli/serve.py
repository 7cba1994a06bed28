"""``millrace serve``: the HTTP API and the console on one machine."""

import click

from .options import Site, on_a_site


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="The port; 0: any that is free."
)
@click.option(
    "--keys",
    envvar="MILLRACE_API_KEYS",
    default="",
    metavar="KEYS",
    help="API keys: SECRET or NAME=SECRET, separated by commas (env MILLRACE_API_KEYS; there it stays unseen).",
)
@click.option(
    "--origin",
    "origins",
    envvar="MILLRACE_CORS_ORIGINS",
    multiple=True,
    metavar="ORIGIN",
    help="Whose pages may call the API from a browser; several times, or * for all (env MILLRACE_CORS_ORIGINS).",
)
@click.option("--console/--no-console", default=None, help="The console at /.  [default: but for aws:]")
@on_a_site
def serve(*, host: str, port: int, keys: str, origins: tuple[str, ...], console: bool | None, site: Site) -> None:
    """Serve the HTTP API and the console, and process what is accepted.

    An event that was answered with 202 is durable. On a file store a second process works beside the server; on a
    stack its functions do. Without API keys only this machine is listened to. SIGINT and SIGTERM end it: requests under
    way are answered, and what was accepted is processed.

    \b
    Examples:
      millrace serve
      millrace serve --store file:./data --catalog ./shop.py --port 9000
      MILLRACE_API_KEYS=shop=$(openssl rand -hex 16) millrace serve --host 0.0.0.0
      curl -d '{"eventType": "signup", "customer_id": "c-1", "plan": "free"}' \\
        -H 'Content-Type: application/json' http://127.0.0.1:8080/ingest
    """
    from ..server.serving import Settings, serve

    shown = not site.store.startswith("aws:") if console is None else console
    listed = [origin for text in origins for origin in text.replace(",", " ").split()]
    settings = Settings(host=host, port=port, keys=keys, origins=listed, console=shown)
    serve(site.store, site.load(), site.catalog, settings, site.log)
