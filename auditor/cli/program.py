"""The program: its verbs, loaded on first use, and how every outcome becomes words on standard error and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import click

from auditor.cli.flags import everywhere_options

OK, FAILED, FINDINGS, INCOMPLETE, BOTH, USAGE, INTERRUPTED = 0, 1, 2, 3, 4, 64, 130

VERBS: Mapping[str, tuple[str, str]] = {
    "audit": ("auditor.cli.audit", "Ask the hosts, evaluate the rules, report."),
    "collect": ("auditor.cli.audit", "Ask the hosts and keep what they say in the store."),
    "check": ("auditor.cli.audit", "Evaluate the rules over what the store holds; asks no host."),
    "report": ("auditor.cli.report", "Render the report of a stored run."),
    "investigate": ("auditor.cli.investigate", "Find what made a host restart: evidence from it and its neighbours, ranked."),
    "explain": ("auditor.cli.explain", "Walk a finding's evidence down to the stored records."),
    "diff": ("auditor.cli.history", "Show how a host differs from before, its role, its accepted state and its peers."),
    "history": ("auditor.cli.history", "Show what changed over time: on a host, or over the fleet."),
    "baseline": ("auditor.cli.baseline", "Propose, freeze and list what hosts should look like."),
    "store": ("auditor.cli.store", "Export, restore and prune what is stored."),
    "precheck": ("auditor.cli.precheck", "Say what an installation, upgrade or removal would break, before it is made."),
    "impact": ("auditor.cli.impact", "Show what depends on a host, a product or a driver."),
    "remediate": ("auditor.cli.remediate", "Plan, check and apply remedies for findings; see what was done."),
    "inventory": ("auditor.cli.inventory", "Show the targets as the auditor sees them."),
    "matrix": ("auditor.cli.matrix", "List, show, lint and test rules and product signatures."),
    "doctor": ("auditor.cli.doctor", "Try the way to a host step by step: what is wrong, what is lost, what to do."),
    "lab": ("auditor.cli.lab", "Serve a simulated fleet that speaks real WinRM on loopback."),
    "watch": ("auditor.cli.watch", "Audit again and again, tell what is new, observe whether a trouble comes back."),
    "crash": ("auditor.cli.crash", "Tell crashes from kernel dumps and WinDbg texts, offline."),
    "decode": ("auditor.cli.decode", "Read outputs that you already have: tasks, commands, registry, drivers, ..."),
    "import": ("auditor.cli.import_", "Take recordings, or what the probe printed by hand, into the store."),
    "probe": ("auditor.cli.probe", "Print the script that a host would run, for review."),
}


class LazyGroup(click.Group):
    """A group whose verbs are imported when they are used. Options written before a verb count as if written after it."""

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of their table."""
        del ctx
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now."""
        del ctx
        if cmd_name not in self._verbs:
            return None
        module = importlib.import_module(self._verbs[cmd_name][0])
        name = cmd_name.replace("-", "_")
        return cast("click.Command", getattr(module, f"{name}_" if hasattr(module, f"{name}_") else name))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb and its arguments; a misspelt one is answered with those that look like it."""
        if args and args[0] not in self._verbs and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self._verbs, n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with a line each, from the table: no verb is imported for it."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._verbs.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Moves options from before the verb to behind it."""
        _, rest, _ = self.make_parser(ctx).parse_args(list(args))
        before = args[: len(args) - len(rest)]
        if rest and before and not {"--help", "-h", "--version"} & set(before):
            args = [rest[0], *before, *rest[1:]]
        return super().parse_args(ctx, args)


def program() -> click.Group:
    """The whole command line."""
    from auditor import __version__

    return click.version_option(__version__, message="auditor %(version)s")(
        LazyGroup(
            "auditor",
            verbs=VERBS,
            params=everywhere_options(plain=True),
            help="Audits Windows fleets over WinRM for conflicts between security products, drivers and scheduled copies.",
            epilog="Exit codes: 0 clean, 1 failed, 2 findings, 3 coverage incomplete, 4 both, 64 wrong usage, 130 interrupted.",
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
        )
    )


def run(arguments: Sequence[str]) -> int:
    """Runs a command line and gives its exit code; words about errors go to standard error. Never raises for what a user can cause."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = program().main(args=list(arguments), prog_name="auditor", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except BaseException as error:  # noqa: BLE001 - the last line: whatever it is becomes words and a code
        from auditor.cli.complaint import complain

        return complain(error, trace=_wants_trace(arguments))
    return code if isinstance(code, int) else OK


def _wants_trace(arguments: Sequence[str]) -> bool:
    return any(word.startswith("-v") or word == "--verbose" for word in arguments) or bool(os.environ.get("AUDITOR_VERBOSE"))
