"""The `paritygate` command: wires the sub-commands together and turns whatever goes wrong into a sentence and an exit code."""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from cli import compare, cutover, demo, deployed, doctor, examples, gate, init, overview, routes, rules, run, storage
from cli.codes import CommandError, Exit
from cli.console import say

FRAMES = 3_000
"""Bodies may nest 200 levels (`limits.depth`), and a rule for lists without order takes some ten frames a level to compare one."""
app = typer.Typer(
    name="paritygate",
    help="Proves that a new HTTP backend answers real requests as the old one does, and gates the cutover of each route.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for room in (demo, init, doctor, run, routes, overview, examples, compare, rules, gate, cutover, deployed, storage):
    room.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("paritygate"))
        raise typer.Exit


@app.callback()
def paritygate(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Exit codes: 0 parity holds or done; 1 parity broken or gate refused; 2 usage or configuration; 3 inconclusive; 4 a backend or the
    store is unreachable; 70 a bug of ours."""


def main() -> None:
    """The console entry point. Never ends in a traceback for something the user can mend."""
    sys.setrecursionlimit(FRAMES)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    from gate.machine import Refused
    from proxy.errors import ProxyError
    from rules.errors import RuleError
    from settings.load import SettingsError
    from shadow.errors import ShadowError
    from store.errors import StoreError

    try:
        result = app(arguments, standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else (Exit.OK if ended.code is None else Exit.USAGE)
    except CommandError as error:
        say(f"paritygate: {error}")
        return error.code
    except (SettingsError, RuleError) as error:
        say(f"paritygate: {error}")
        return Exit.USAGE
    except Refused as error:
        say(f"paritygate: refused: {error}")
        return Exit.BROKEN
    except (ProxyError, ShadowError) as error:
        # An address that is taken, a channel that is in use: the configuration's matter, no backend is involved.
        say(f"paritygate: {error}")
        return Exit.USAGE
    except StoreError as error:
        say(f"paritygate: {error}")
        return Exit.UNREACHABLE
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # A bug must never read as "parity broken" (exit 1): say so, and give what a report needs.
        say(f"paritygate: this is a bug of Paritygate: {type(error).__name__}: {error}")
        say("".join(traceback.format_exception(error)[-6:]))
        return Exit.BUG
    return result if isinstance(result, int) else Exit.OK


if __name__ == "__main__":
    main()
