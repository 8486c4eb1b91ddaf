"""Which function does which command of python -m sweeper."""

from collections.abc import Callable, Mapping

from sweeper.commands.arguments import Arguments


def run_command(arguments: Arguments) -> int:
    """Do what the command line asks for.

    returns  the exit code
    raises   ConfigError where it cannot be done
    """
    from sweeper.commands.best import best
    from sweeper.commands.dashboard import dashboard
    from sweeper.commands.export import export
    from sweeper.commands.ls import list_studies
    from sweeper.commands.report import report
    from sweeper.commands.retry import retry
    from sweeper.commands.status import status
    from sweeper.commands.stop import stop

    commands: Mapping[str, Callable[[Arguments], int]] = {
        "ls": list_studies,
        "status": status,
        "best": best,
        "report": report,
        "dashboard": dashboard,
        "stop": stop,
        "retry": retry,
        "export": export,
    }
    return commands[arguments.command](arguments)
