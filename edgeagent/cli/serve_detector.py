"""The command ``edgeagent serve-detector``: a detector for Frigate, and for clients of KServe v2."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.bundle.task import require_objects
from edgeagent.cli.until_signal import run_until_signal
from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import replace_file
from edgeagent.files.naming import printable
from edgeagent.files.resources import find_bundle
from edgeagent.serve.endpoints import (
    BEYOND_LOOPBACK,
    LocalEndpoint,
    TcpEndpoint,
    check_reach,
    tcp_endpoint,
    zmq_endpoint,
)
from edgeagent.serve.frigate_config import LABEL_MAP, configuration_lines, label_map

logger = logging.getLogger(__name__)

DEFAULT_BIND = "tcp://127.0.0.1:5555"
DEFAULT_SCORE = 0.4

DESCRIPTION = """\
Serve a bundle to other programs: the fastest delegate of this board that computes what was trained, in a
process of its own, replaced when it fails. --bind speaks Frigate's ZMQ detector protocol, --http the Open
Inference Protocol (KServe v2). Pictures are raw inputs of the model: its size, uint8, its order of channels;
others are refused, with the reason in the log. SIGTERM and SIGINT end it. Guide: docs/frigate.md

examples:
  edgeagent serve-detector --frigate-config                   show what Frigate's configuration needs
  edgeagent serve-detector                                    serve coco-small at tcp://127.0.0.1:5555
  edgeagent serve-detector --bundle coco-nano --bind ipc:///run/edgeagent-detector/frigate.sock
  edgeagent serve-detector --http 127.0.0.1:8000              and KServe v2 as well"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve-detector``."""
    parser = commands.add_parser(
        "serve-detector",
        help="serve a bundle to Frigate (ZMQ) and KServe v2 clients (HTTP)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--bind",
        default=DEFAULT_BIND,
        metavar="ENDPOINT",
        help="tcp://ADDRESS:PORT or ipc:///PATH for Frigate (default %(default)s)",
    )
    parser.add_argument(
        "--http", metavar="ADDRESS:PORT", help="serve KServe v2 as well, as at 127.0.0.1:8000"
    )
    parser.add_argument(
        BEYOND_LOOPBACK,
        action="store_true",
        help="listen on addresses that other machines reach: the protocols have no authentication",
    )
    parser.add_argument(
        "--bundle", type=Path, help="bundle, or name of an included one (default: coco-small)"
    )
    parser.add_argument(
        "--engine", default="auto", metavar="NAME", help="auto, or names as in model.engine (default auto)"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engine (default: measured, the faster number)"
    )
    parser.add_argument(
        "--score", type=float, default=DEFAULT_SCORE, help="lowest score of a detection (default %(default)g)"
    )
    parser.add_argument(
        "--frigate-config",
        nargs="?",
        const="",
        metavar="DIR",
        help=f"print the lines for Frigate's configuration and end; with DIR also write {LABEL_MAP} there",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal."""
    if not 0 <= arguments.score <= 1:  # refuses NaN too
        raise ConfigurationError(f"--score: expected 0 to 1, got {arguments.score:g}")
    bind = zmq_endpoint(arguments.bind)
    http = None if arguments.http is None else tcp_endpoint(arguments.http, "--http")
    bundle = open_bundle(find_bundle(arguments.bundle))
    require_objects(bundle.manifest.task, bundle.manifest.name, "serve-detector")
    if arguments.frigate_config is not None:
        return _show_configuration(arguments, bundle)
    warnings = [check_reach(bind, "--bind", arguments.beyond_loopback)]
    if http is not None:
        warnings.append(check_reach(http, "--http", arguments.beyond_loopback))
    for warning in filter(None, warnings):
        logger.warning("%s", warning)
    return _serve(arguments, bundle, bind, http)


def _show_configuration(arguments: argparse.Namespace, bundle: Bundle) -> int:
    """Print the configuration lines, and write the label map where a folder is given."""
    with_file, folder = arguments.frigate_config != "", Path(arguments.frigate_config)
    if with_file:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / LABEL_MAP, label_map(bundle.manifest).encode())
        logger.info(
            "%s written; Frigate looks for it in its /config/edgeagent", printable(folder / LABEL_MAP)
        )
    for line in configuration_lines(bundle.manifest, arguments.bind, with_file):
        print(line)
    return 0


def _serve(
    arguments: argparse.Namespace, bundle: Bundle, bind: TcpEndpoint | LocalEndpoint, http: TcpEndpoint | None
) -> int:
    try:
        import zmq  # noqa: F401  (an extra)

        from edgeagent.serve.detector_server import DetectorServer, ServedProtocols

        if http is not None:
            import starlette  # noqa: F401
            import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"serve-detector needs more packages ({error}); pip install 'edgeagent[serve]'"
        ) from error
    from edgeagent.detection.ranking import rank_delegates
    from edgeagent.detection.serving import ServingDetector
    from edgeagent.settings.state import default_state

    ranked = rank_delegates(
        bundle, arguments.engine, threads=arguments.threads, state=default_state(), beside=True
    )
    serving = ServingDetector(ranked)
    try:
        server = DetectorServer(serving, arguments.score, ServedProtocols(bind, http))
    except BaseException:
        serving.stop()
        raise
    manifest = bundle.manifest

    def started() -> None:
        logger.info("%s %s is served at %s", manifest.name, manifest.version, ", ".join(server.addresses))

    return run_until_signal(server, started)
