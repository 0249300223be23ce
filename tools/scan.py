#!/usr/bin/env python3
"""What tools/scan.sh makes of what scanners found.

    tools/scan.py wapiti NAME REPORT   tells a report of wapiti (JSON); exit code 1 when it has what is not accepted
    tools/scan.py part TITLE           puts the standard input into docs/scan.md, in place of the part whose title begins
                                       with the same word, and writes down beside it what is accepted
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "scan.md"
ACCEPTED = tomllib.loads((ROOT / "tools" / "scan.accepted.toml").read_text(encoding="utf-8"))["accepted"]
# The parts in their order, by the first word of their titles.
ORDER = ["Accepted", "wapiti", "sqlmap", "Dependencies"]
# How many findings of a kind are told.
SHOWN = 5


def acceptance(kind, at, says):
    """The name of what accepts a finding; none when nothing does."""
    for entry in ACCEPTED:
        if entry["kind"] == kind and re.fullmatch(entry["at"], at) and re.fullmatch(entry["says"], says):
            return entry["name"]
    return None


def wapiti(name, file):
    report = json.loads(Path(file).read_text(encoding="utf-8"))
    print(f"- {name}: {report['infos'].get('crawled_pages_nbr', '?')} addresses")
    is_clean = True
    for section in ("vulnerabilities", "anomalies"):
        for kind, items in report[section].items():
            groups = {}
            for item in items:
                finding = f"{item['method']} {item['path']}", item["info"].splitlines()[0].strip()
                groups.setdefault(acceptance(kind, *finding), []).append(finding)
            for accepted, findings in groups.items():
                is_clean = is_clean and accepted is not None
                told = list(dict.fromkeys(findings))
                # What nobody has accepted is told as a whole.
                shown = told[:SHOWN] if accepted else told
                verdict = f"accepted, *{accepted}*" if accepted else "NOT ACCEPTED"
                print(f"  - {len(findings)} × {kind}: {verdict}{', among them' if len(shown) < len(told) else ''}")
                for at, says in shown:
                    print(f"    - `{at}`: {says}")
    return 0 if is_clean else 1


def accepted():
    lines = [
        "What is found and is so on purpose ([tools/scan.accepted.toml](../tools/scan.accepted.toml)). The scan fails at",
        "anything else.",
        "",
        "| | what | where | why |",
        "|---|---|---|---|",
    ]
    for entry in ACCEPTED:
        at, reason = entry["at"].replace("|", "\\|"), " ".join(entry["reason"].split())
        lines.append(f"| {entry['name']} | {entry['kind']} | `{at}` | {reason} |")
    return "\n".join(lines)


def part(title, text):
    parts = {}
    if REPORT.exists():
        for found in re.split(r"^## ", REPORT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            head, _, body = found.partition("\n")
            parts[re.match(r"\w+", head)[0]] = head, body.strip()
    parts["Accepted"] = "Accepted", accepted()
    parts[re.match(r"\w+", title)[0]] = title, text.strip()
    document = """# Scanners

What `make scan` said last, part by part with its date. A scanner that finds nothing proves little; what is
checked on purpose stands in [testing.md](testing.md).
"""
    for name in ORDER:
        if name in parts:
            head, body = parts[name]
            document += f"\n## {head}\n\n{body}\n"
    REPORT.write_text(document, encoding="utf-8")
    return 0


def main():
    match sys.argv[1:]:
        case ["wapiti", name, file]:
            return wapiti(name, file)
        case ["part", title]:
            return part(title, sys.stdin.read())
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
