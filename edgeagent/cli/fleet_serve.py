"""``edgeagent fleet serve``: the fleet's page and API."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edgeagent.cli.fleet_store_options import add_store
from edgeagent.cli.fleet_users import STATE_HELP, users_folder
from edgeagent.cli.until_signal import run_until_signal
from edgeagent.errors import ConfigurationError
from edgeagent.files.atomic import PRIVATE_FOLDER
from edgeagent.files.naming import printable
from edgeagent.settings.addresses import host_name, listening_address
from edgeagent.settings.types import parse_size

if TYPE_CHECKING:
    from edgeagent.fleet.page.fleet_services import FleetServices
    from edgeagent.fleet.store.protocol import FleetStore
    from edgeagent.fleet.users.user_file import UserFile

logger = logging.getLogger(__name__)

DEFAULT_BIND = "127.0.0.1:8478"
DEFAULT_QUOTA = "2GB"

DESCRIPTION = """\
Serve the fleet's page and its API from a store. Only this machine reaches it, unless --bind says otherwise;
then users must exist (`edgeagent fleet users add`). SIGTERM and SIGINT end it. Guide: docs/fleet-page.md

examples:
  edgeagent fleet serve --store fleet-data                           http://127.0.0.1:8478/
  edgeagent fleet serve --store clickhouse://fleet@db:8123/edgeagent --bind 0.0.0.0:8478 \\
      --certificate page.pem --key page.key
  edgeagent fleet serve --store fleet-data --repository ~/fleet      rollouts are shown, and halted, here
  edgeagent fleet serve --store fleet-data --oidc oidc.yaml          people sign in at your provider"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve``."""
    parser = commands.add_parser(
        "serve",
        help="serve the fleet's page and API",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store(parser)
    add_page_options(parser)
    parser.set_defaults(run=run)


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the page."""
    parser.add_argument(
        "--bind", default=DEFAULT_BIND, metavar="ADDRESS:PORT", help="where to listen (default %(default)s)"
    )
    parser.add_argument(
        "--name", default="Fleet", help="name of the fleet, above each page (default %(default)s)"
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="further name under which the page is opened, such as that of a proxy; may be repeated",
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="certificate for TLS, with its chain"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="key of the certificate")
    parser.add_argument("--state", type=Path, metavar="DIR", help=STATE_HELP)
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="publisher's folder: plans of rollouts are shown and halted",
    )
    parser.add_argument(
        "--frames",
        type=Path,
        metavar="DIR",
        help="folder of hard frames that devices send (default: none is taken)",
    )
    parser.add_argument(
        "--frames-quota",
        metavar="SIZE",
        help=f"most bytes of the frames of one tenant (default {DEFAULT_QUOTA}); goes with --frames",
    )
    parser.add_argument(
        "--oidc",
        type=Path,
        metavar="FILE",
        help="settings of an identity provider (OpenID Connect) through which people sign in, too",
    )
    parser.add_argument("--webhook", metavar="URL", help="server that is told when alarms begin and end")
    parser.add_argument(
        "--webhook-secret-file",
        type=Path,
        metavar="FILE",
        help="file with the secret that calls are signed with",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal."""
    from edgeagent.fleet.store.embedded import EmbeddedStore
    from edgeagent.fleet.store.endpoint import ServedStore
    from edgeagent.fleet.store.opening import open_fleet_store

    check_page_options(arguments)
    store = open_fleet_store(arguments.store, arguments.store_password_file)
    served = ServedStore(store) if isinstance(store, EmbeddedStore) else None
    try:
        if isinstance(store, EmbeddedStore) and store.made:
            logger.warning("%s: there was no store; an empty one was made. Check --store", arguments.store)
        if served is not None:  # no ingest has the folder open: this process answers for it
            served.start()
        return serve_page(arguments, store)
    finally:
        if served is not None:
            served.stop()
        store.close()


def check_page_options(arguments: argparse.Namespace) -> None:
    """Check the options of the page, before anything is opened.

    Raises:
        ConfigurationError: one cannot be used.
    """
    try:
        listening_address(arguments.bind)
        for name in arguments.host_name:
            host_name(name)
    except ValueError as error:
        raise ConfigurationError(f"--bind, --host-name: {error}") from error
    try:
        parse_size(arguments.frames_quota or DEFAULT_QUOTA)
    except ValueError as error:
        raise ConfigurationError(f"--frames-quota: {error}") from error
    if arguments.frames_quota is not None and arguments.frames is None:
        raise ConfigurationError("--frames-quota goes with --frames DIR; without it no frame is taken")
    if (arguments.certificate is None) != (arguments.key is None):
        raise ConfigurationError("--certificate and --key belong together: give both or none")
    if arguments.webhook_secret_file is not None and arguments.webhook is None:
        raise ConfigurationError("--webhook-secret-file signs the calls of --webhook: give both")


def make_frames_folder(path: Path) -> None:
    """Make the folder of ``--frames`` where there is none.

    Raises:
        ConfigurationError: it is no folder, cannot be made, or cannot be read.
    """
    try:
        path.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        next(path.iterdir(), None)
    except OSError as error:
        reason = "a file is there" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigurationError(
            f"--frames {printable(path)}: expected a folder, or a place for a new one ({reason})"
        ) from error


def serve_page(arguments: argparse.Namespace, store: FleetStore) -> int:
    """Serve the page of an open store until a signal, or until a thread of it has failed for good."""
    try:
        import fastapi  # noqa: F401 (of an extra)
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"the fleet's page needs more packages ({error}); pip install 'edgeagent[fleet]'"
        ) from error
    from edgeagent.fleet.operations.alarm_webhook import AlarmWebhook
    from edgeagent.fleet.page.fleet_server import FleetServer
    from edgeagent.fleet.users.user_file import UserFile

    file = UserFile(users_folder(arguments.state))
    server, calls = FleetServer(page_services(arguments, store, file)), None
    if arguments.webhook is not None:
        calls = AlarmWebhook(store, file, arguments.webhook, arguments.webhook_secret_file)
        calls.start()
    try:
        return run_until_signal(server)
    finally:
        if calls is not None:
            calls.stop()
        file.close()


def page_services(arguments: argparse.Namespace, store: FleetStore, file: UserFile) -> FleetServices:
    """Return what the page works with."""
    from edgeagent.fleet.frames.frame_archive import FrameArchive
    from edgeagent.fleet.oidc.oidc_provider import OidcProvider
    from edgeagent.fleet.oidc.oidc_settings import load_oidc_settings
    from edgeagent.fleet.page.fleet_services import FleetServices
    from edgeagent.fleet.page.page_settings import FleetPageSettings
    from edgeagent.fleet.page.rollout_plans import RolloutPlans
    from edgeagent.fleet.queries.tenant_filter import ALL
    from edgeagent.fleet.rollouts.stored_fleet import StoreJudge
    from edgeagent.fleet.users.upload_tokens import UploadTokens
    from edgeagent.fleet.users.user_audit import UserAudit
    from edgeagent.fleet.users.user_store import UserStore
    from edgeagent.publisher.rollout_steps import read_steps

    settings = FleetPageSettings(
        listen=arguments.bind,
        name=arguments.name,
        hosts=tuple(arguments.host_name),
        certificate=arguments.certificate,
        key=arguments.key,
    )
    plans = None
    if arguments.repository is not None:
        read_steps(arguments.repository)  # a folder that is none is told at once
        plans = RolloutPlans(arguments.repository, StoreJudge(store, ALL).judge)
    frames, oidc = None, None
    if arguments.frames is not None:
        make_frames_folder(arguments.frames)
        frames = FrameArchive(arguments.frames, parse_size(arguments.frames_quota or DEFAULT_QUOTA))
    if arguments.oidc is not None:
        oidc = OidcProvider(load_oidc_settings(arguments.oidc))
    return FleetServices(
        settings, store, UserStore(file), UserAudit(file), plans, frames, UploadTokens(file), oidc
    )
