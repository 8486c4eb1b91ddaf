"""optuna-dashboard on a study, with the pictures of its trials; only this machine can open it."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from engine.config.errors import ConfigError
from sweeper.study.storage import quiet_optuna
from sweeper.tracking.artifacts import open_store

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from optuna.storages import BaseStorage

HOST = "127.0.0.1"
PORT = 8080
_NUM_PORTS = 50  # that are tried, one after the other
_NOTE_MARK = "**Answer of the sweep**"
_MISSING = (
    "dashboard: optuna-dashboard is not installed. Install it with pip install 'diffusion-sweeper[dashboard]'"
)


def serve_dashboard(
    storage: "BaseStorage",
    artifacts: Path,
    *,
    show: Callable[[str], None],
    port: int | None = None,
    host: str = HOST,
    notes: dict[str, str] | None = None,
) -> None:
    """Show the dashboard until Ctrl-C; `show` gets the lines for the user. See running_dashboard."""
    with running_dashboard(storage, artifacts, port=port, host=host, notes=notes) as address:
        show(f"optuna-dashboard {address}")
        show("Ctrl-C ends it; the study is left as it is.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            show("ended")


@contextmanager
def running_dashboard(
    storage: "BaseStorage",
    artifacts: Path,
    *,
    port: int | None = None,
    host: str = HOST,
    notes: dict[str, str] | None = None,
) -> Iterator[str]:
    """Run the dashboard on its own thread inside the block; gives its address.

    artifacts  sweeps/<study>/artifacts
    port       None: 8080, or the next that is free
    notes      study's name -> the answer, shown as the study's note; a note that the user wrote stays
    raises     ConfigError where optuna-dashboard is missing, or the port that was asked for is taken
    """
    application = _application(storage, artifacts)
    for name, answer in (notes or {}).items():
        _note(storage, name, answer)
    server = _bind(application, host, port)
    thread = threading.Thread(target=server.serve_forever, name="optuna-dashboard", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would let two servers share one port


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """No line a request."""

    def address_string(self) -> str:
        """The number alone: a look-up of its name may take seconds where there is no network."""
        return str(self.client_address[0])


def _application(storage: "BaseStorage", artifacts: Path) -> "WSGIApplication":
    quiet_optuna()
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise ConfigError(_MISSING) from error
    made: WSGIApplication = wsgi(storage, artifact_store=open_store(artifacts))
    return made


def _bind(application: "WSGIApplication", host: str, port: int | None) -> WSGIServer:
    ports = range(PORT, PORT + _NUM_PORTS) if port is None else (port,)
    for candidate in ports:
        try:
            return make_server(
                host, candidate, application, server_class=_Server, handler_class=_QuietHandler
            )
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise ConfigError(f"dashboard: {host}:{candidate} cannot be opened ({error}).") from error
    if port is None:
        raise ConfigError(f"dashboard: no port of {ports[0]} to {ports[-1]} is free. Give one with port=...")
    raise ConfigError(
        f"port={port}: another program has it, or this user may not. Leave port out, or give another."
    )


def _note(storage: "BaseStorage", study_name: str, answer: str) -> None:
    """Write the answer as the study's note, unless somebody wrote another there."""
    import optuna
    from optuna_dashboard import get_note, save_note

    study = optuna.load_study(study_name=study_name, storage=storage)
    body, kept = f"{_NOTE_MARK}\n\n{answer}", get_note(study)
    if kept != body and (not kept or kept.startswith(_NOTE_MARK)):
        save_note(study, body)
