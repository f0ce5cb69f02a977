"""Typed errors with their exit codes.

A message states what is wrong, where, and what to do, in one or two sentences. The command line prints it
without a traceback and exits with ``exit_code``.
"""


class EdgeagentError(Exception):
    """Base of all errors with a message for the user."""

    exit_code = 1


class ConfigurationError(EdgeagentError):
    """The configuration or the command line is invalid."""

    exit_code = 2


class BundleError(EdgeagentError):
    """A model bundle is damaged, incomplete or hostile and must not be used."""

    exit_code = 3


class EngineError(EdgeagentError):
    """An inference engine is missing, or cannot load or run an artefact."""

    exit_code = 4


class DamagedModelError(EngineError):
    """The file of an artefact is not the one that its manifest describes, and was not loaded."""


class NoCandidateError(EngineError):
    """No engine of the settings can ever run the bundle, whatever the state of the board."""


class CameraError(EdgeagentError):
    """A frame source cannot be opened or read."""

    exit_code = 5


class DataError(EdgeagentError):
    """Pictures, labels or a float model cannot be used."""

    exit_code = 6


class DeliveryError(EdgeagentError):
    """A model cannot be fetched or is refused; the previous model keeps serving."""

    exit_code = 7
