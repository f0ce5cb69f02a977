"""Views and writes of hard frames on the fleet's page: for operators, as the pictures show people."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from edgeagent.datasets.label_export import EXPORTS
from edgeagent.errors import DataError, EdgeagentError
from edgeagent.fleet.frames.frame_archive import FrameArchive, ReceivedFrame
from edgeagent.fleet.frames.frame_export import pack_frames
from edgeagent.fleet.frames.frame_key import FrameKey, FrameRefusedError
from edgeagent.fleet.frames.frame_labels import MOST_UPLOADED, take_labels
from edgeagent.fleet.page.fleet_guard import actor_of_request, address_of, csrf_of
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.fleet_views import FleetViews
from edgeagent.fleet.page.frame_filter import FrameFilter
from edgeagent.fleet.page.open_file import OpenFileResponse
from edgeagent.fleet.page.permalinks import place, tenant_in
from edgeagent.fleet.page.query_values import condition_of, page_of
from edgeagent.fleet.page.views.frames import no_archive, write_frames
from edgeagent.fleet.users.actor import Actor
from edgeagent.web.request_body import read_large_body
from edgeagent.web.sign_in_pages import WRITE_HEADER, check_write

logger = logging.getLogger(__name__)

MOST_FORM, MOST_FIELDS = 262_144, 2000


class FramePages:
    """Views and writes of frames.

    Args:
        services: with the archive of frames.
        views: of the page.

    Attributes:
        routes: of views and writes.
    """

    def __init__(self, services: FleetServices, views: FleetViews) -> None:
        self._services, self._views = services, views
        self.routes = [
            Route("/frames", self._show),
            Route("/frames/picture/{tenant}/{device}/{camera}/{stem}.jpg", self._picture),
            Route("/frames/export", self._export, methods=["POST"]),
            Route("/frames/remove", self._remove, methods=["POST"]),
            Route("/frames/labels", self._labels, methods=["PUT"]),
        ]

    def _allowed(self, request: Request) -> tuple[Actor, FrameArchive]:
        """Return who asks, and the archive.

        Raises:
            HTTPException: the role does not allow it (403), or no frames are kept (404).
        """
        actor = actor_of_request(request)
        if not actor.may("operator"):
            raise HTTPException(
                403, f"Frames show people: they need the role operator; yours is {actor.role}."
            )
        if self._services.frames is None:
            raise HTTPException(404, "No frames are kept; start `edgeagent fleet serve` with --frames.")
        return actor, self._services.frames

    def _show(self, request: Request) -> Response:
        if actor_of_request(request).may("operator") and self._services.frames is None:
            return self._views.answer(request, "frames", "Hard frames", no_archive())
        actor, archive = self._allowed(request)
        condition, number = (
            condition_of(request.query_params, FrameFilter),
            page_of(request.query_params).number,
        )
        used = None if actor.of_all else archive.used(actor.tenant)
        content = write_frames(archive.frames(_tenant(actor)), condition, number, used, csrf_of(request))
        return self._views.answer(request, "frames", "Hard frames", content)

    def _picture(self, request: Request) -> Response:
        actor, archive = self._allowed(request)
        given = request.path_params
        owner = tenant_in(given["tenant"])
        try:
            key = FrameKey.checked(owner, given["device"], given["camera"], given["stem"])
        except FrameRefusedError:
            key = None
        path = archive.picture(key) if key is not None and _tenant(actor) in (None, owner) else None
        if path is None:
            raise HTTPException(404, "There is no such frame, or it is of another tenant.")
        return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def _export(self, request: Request) -> Response:
        actor, archive, form, chosen = await self._chosen(request, "frames export")
        kind = form.get("format", [""])[0]
        if kind not in EXPORTS:
            raise HTTPException(400, f"format: expected one of {', '.join(sorted(EXPORTS))}.")
        self._note(request, actor, "frames export", f"{len(chosen)} frames as {kind}")
        try:
            packed = await run_in_threadpool(pack_frames, archive, chosen, kind)
        except DataError as error:
            raise HTTPException(400, f"{error}.") from error
        except EdgeagentError as error:
            logger.warning("%s", error)
            raise HTTPException(503, "The export cannot be written now; the log has the reason.") from error
        return OpenFileResponse(packed, f"frames-{kind}.zip", "application/zip")

    async def _remove(self, request: Request) -> Response:
        actor, archive, form, chosen = await self._chosen(request, "frames remove")
        if not form.get("frame"):
            raise HTTPException(400, "Choose the frames that are to be removed.")
        self._note(request, actor, "frames remove", f"{len(chosen)} frames")
        await run_in_threadpool(archive.remove, [one.key for one in chosen])
        return RedirectResponse(place("/frames", _condition(form).model_dump()), 303)

    async def _labels(self, request: Request) -> Response:
        check_write(request, request.headers.get(WRITE_HEADER, ""))
        actor, archive = self._allowed_or_noted(request, "frames labels")
        name = request.query_params.get("name", "")[:200]
        content = await read_large_body(request, MOST_UPLOADED)
        self._note(request, actor, "frames labels", name)
        try:
            taken = await run_in_threadpool(take_labels, archive, _tenant(actor), name, content, actor.name)
        except DataError as error:
            raise HTTPException(422, f"{error}.") from error
        waiting = f"; {taken[1]} are not labelled yet" if taken[1] else ""
        return PlainTextResponse(
            f"{taken[0]} {'frame is' if taken[0] == 1 else 'frames are'} labelled{waiting}.\n"
        )

    async def _chosen(
        self, request: Request, action: str
    ) -> tuple[Actor, FrameArchive, dict[str, list[str]], list[ReceivedFrame]]:
        """Return who writes, the fields, and the chosen frames, or all of the filter without a choice."""
        body = await read_large_body(request, MOST_FORM)
        try:
            form = parse_qs(body.decode("utf-8"), max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise HTTPException(400, "This is no form.") from error
        check_write(request, form.get("csrf", [""])[0])
        actor, archive = self._allowed_or_noted(request, action)
        known = archive.frames(_tenant(actor))
        names = set(form.get("frame", ()))
        chosen = [one for one in known if one.key.name in names] if names else _condition(form).of(known)
        return actor, archive, form, chosen

    def _allowed_or_noted(self, request: Request, action: str) -> tuple[Actor, FrameArchive]:
        """Return what :meth:`_allowed` does; a write without the rights is audited."""
        try:
            return self._allowed(request)
        except HTTPException:
            actor = actor_of_request(request)
            self._services.audit.note(actor, action, request.url.path, address_of(request), done=False)
            raise

    def _note(self, request: Request, actor: Actor, action: str, detail: str) -> None:
        self._services.audit.note(actor, action, request.url.path, address_of(request), detail=detail)


def _tenant(actor: Actor) -> str | None:
    return None if actor.of_all else actor.tenant


def _condition(form: dict[str, list[str]]) -> FrameFilter:
    given = {name: values[0] for name, values in form.items() if name in FrameFilter.model_fields}
    return condition_of(QueryParams(given), FrameFilter)
