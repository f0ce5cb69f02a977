"""The one family of errors that edgeagent shows to people.

A message says what is wrong, where, and what to do next, in one sentence or two. The command line
prints it without a traceback and exits with ``exit_code``.
"""


class EdgeagentError(Exception):
    """Something a person can act on."""

    exit_code = 1


class ConfigurationError(EdgeagentError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class BundleError(EdgeagentError):
    """A model bundle is damaged, incomplete or hostile; nothing of it may be used."""

    exit_code = 3


class EngineError(EdgeagentError):
    """An inference engine is missing, or cannot load or run this artefact."""

    exit_code = 4


class CameraError(EdgeagentError):
    """A frame source cannot be opened or read."""

    exit_code = 5


class DataError(EdgeagentError):
    """Pictures, labels or a float model given to a command cannot be used."""

    exit_code = 6


class DeliveryError(EdgeagentError):
    """A model cannot be fetched or may not be used; what served before still does."""

    exit_code = 7
