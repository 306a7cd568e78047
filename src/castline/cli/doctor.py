"""castline doctor: check this installation and name each fix."""

import sys

import click

from castline.base.text import count_noun
from castline.cli.output import json_option, say, show_json


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this installation and name each fix; exit code 3 when there is a problem."""
    from castline.base.config import load_settings
    from castline.base.errors import EXIT_DOCTOR
    from castline.cli.checks import CHECKS, examine

    patient = examine(load_settings())
    findings = {name: check(patient) for name, check in CHECKS.items()}
    problems = [name for name, finding in findings.items() if finding.state == "problem"]
    if as_json:
        rows = [
            {"check": name, "state": finding.state, "detail": finding.detail, "fix": finding.fix or None}
            for name, finding in findings.items()
        ]
        show_json({"ok": not problems, "checks": rows})
    else:
        for name, finding in findings.items():
            click.echo(f"{finding.state:<8} {name:<16} {finding.detail}")
            if finding.fix:
                click.echo(f"{'':<8} {'fix:':>16} {finding.fix}")
        warning_count = sum(finding.state == "warning" for finding in findings.values())
        told = count_noun(len(problems), "problem") if problems else "no problem found"
        say(f"{told}, {count_noun(warning_count, 'warning')}" if warning_count else told)
    if problems:
        sys.exit(EXIT_DOCTOR)
