"""Execution providers that come as plug-ins of ONNX Runtime, in packages of their own (ONNX Runtime 1.23).

A plug-in is registered by the path of its library, once in a process; the session then names its devices
(ONNX Runtime, "Plugin execution provider libraries").
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from edgeagent.errors import EngineError

PLUGINS: Mapping[str, str] = MappingProxyType({"QNNExecutionProvider": "onnxruntime_qnn"})
"""Package of each provider; it has ``get_library_path``."""


def installed_plugins() -> tuple[str, ...]:
    """Return the providers whose packages are installed; nothing is imported."""
    return tuple(provider for provider, package in PLUGINS.items() if importlib.util.find_spec(package))


def plugin_devices(onnxruntime: Any, provider: str) -> list[Any]:
    """Return the devices of a provider that is a plug-in, of which one is to be given to the session.

    Args:
        onnxruntime: the module.
        provider: of :func:`installed_plugins`.

    Raises:
        EngineError: this ONNX Runtime takes no plug-ins, or the plug-in names no device.
    """
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise EngineError(
            f"{provider} is a plug-in, and onnxruntime {onnxruntime.__version__} takes none; upgrade it"
        )
    found = _devices(onnxruntime, provider)
    if not found:
        package = importlib.import_module(PLUGINS[provider])
        onnxruntime.register_execution_provider_library(provider, package.get_library_path())
        found = _devices(onnxruntime, provider)
    if not found:
        raise EngineError(f"{provider} finds no device here")
    return found


def _devices(onnxruntime: Any, provider: str) -> list[Any]:
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider]
