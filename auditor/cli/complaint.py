"""What went wrong, said once: a clear paragraph on standard error and its exit code. Never a stack trace, unless asked for."""

from __future__ import annotations

import logging
import sys
import textwrap
import traceback

import click

from auditor.model.errors import AuditorError, InputFileError, UsageError

FAILED, USAGE, INTERRUPTED = 1, 64, 130
WIDTH = 110
_ENDS = (".", "!", "?", ":")


def complain(error: BaseException, *, trace: bool) -> int:
    """Says what is wrong and gives the exit code. Re-raises what only means to end the process."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, KeyboardInterrupt | click.Abort):
        say_error("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, AuditorError):
        return _ours(error)
    if trace:
        traceback.print_exception(error, file=sys.stderr)
    logging.getLogger(__name__).debug("unexpected error", exc_info=error)
    text = " ".join(str(error).split())[:300]
    say_error(f"unexpected {type(error).__name__}: {text}" if text else f"unexpected {type(error).__name__}", "Run with -v for the trace.")
    return FAILED


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return USAGE
    context = getattr(error, "ctx", None)
    say_error(error.format_message(), f"Try `{context.command_path} --help`." if context else "")
    return USAGE


def _ours(error: AuditorError) -> int:
    if isinstance(error, InputFileError):
        for problem in error.problems:
            print(_safe(str(problem)), file=sys.stderr)
    say_error(error.message, error.next_step)
    return USAGE if error.usage or isinstance(error, UsageError) else FAILED


def say_error(message: str, next_step: str = "") -> None:
    """One paragraph on standard error: the message ends like a sentence before the next step begins."""
    from auditor.report.wording import sentence

    text = message if not message or message.rstrip()[-1:] in _ENDS else f"{message.rstrip()}."
    step = sentence(next_step)
    lines = [_safe(line) for line in f"auditor: error: {text} {step}".strip().split("\n")]
    for line in lines:
        print(textwrap.fill(line, WIDTH, break_on_hyphens=False, break_long_words=False, subsequent_indent="  "), file=sys.stderr)


def _safe(text: str) -> str:
    from auditor.report.text import safe_text

    return safe_text(text)
