"""Entry point of ``python -m edgeagent``."""

from edgeagent.cli.process import run_process

if __name__ == "__main__":
    run_process()
