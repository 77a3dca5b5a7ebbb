"""``epi site``: build the reviewers' site, serve it on this machine."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from epi.commands.console import Json, Runs, Studies, add_command, console, new_app, print_json

app = new_app("The reviewers' site: static pages that open without a network.")


@app.callback()
def _group() -> None:
    """Build and serve the reviewers' site: static pages that open without a network."""


@add_command(app, "build")
def build(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; an earlier site is replaced.")] = Path("site"),
    runs: Runs = Path("runs"),
    studies: Studies = Path("studies"),
    level: Annotated[
        str, typer.Option("--level", help="The most private outputs shown: public, restricted or internal.")
    ] = "public",
    title: Annotated[str | None, typer.Option("--title", help="The site's title.")] = None,
    json: Json = False,
) -> None:
    """Build the site of a folder of runs, in French and in English.

    Example: `epi site build --runs build/runs --out build/site`

    Parameters
    ----------
    out : Path, optional
        Folder to write; an earlier site is replaced.
    runs : Path, optional
        Folder of runs.
    studies : Path, optional
        Folder that holds the studies.
    level : str, optional
        The most private outputs shown: public, restricted or internal.
    title : str, optional
        The site's title.
    json : bool, optional
        Print JSON, for a machine.
    """
    from epi.runner.site import build_site

    site = build_site(runs, out, studies, level=level, title=title)
    if json:
        print_json(
            {
                "folder": str(site.folder),
                "pages": site.pages,
                "studies": list(site.studies),
                "outputs_left_out": site.left_out,
                "runs_held_apart": site.held_apart,
            }
        )
        return
    console().print(f"{site.pages} pages for {', '.join(site.studies)}: {site.folder / 'index.html'}")
    if site.left_out:
        console().print(f"{site.left_out} notebook outputs left out; each page says why")
    if site.held_apart:
        console().print(
            f"{site.held_apart} finished run(s) held apart: beside those shown they would tell of few persons, or "
            "cannot be compared; each study's page says which. To see one: a site of its own for other readers (--runs "
            "with that run alone), or --level internal"
        )
    if site.unrecorded:
        names = ", ".join(site.unrecorded)
        console().print(f"{runs} cannot be written: the next site cannot say what changed since this one in {names}")


@add_command(app, "serve")
def serve(
    site: Annotated[Path, typer.Option("--site", help="A built site.")] = Path("site"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for a free one.")] = 8000,
) -> None:
    """Serve the site to this machine only, until Ctrl-C.

    Example: `epi site serve --site build/site`

    Parameters
    ----------
    site : Path, optional
        A built site.
    port : int, optional
        Port; 0 for a free one.
    """
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from epi.errors import StorageError

    if not (site / "site.json").is_file():
        raise StorageError(f"{site} is not a site", "a folder made by epi site build", "epi site build --out FOLDER")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise StorageError(f"port {port} is taken", "a free port", "epi site serve --port 0") from error
    with server:
        console().print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C to stop)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console().print("stopped")
