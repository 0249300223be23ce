#!/usr/bin/env python3
"""Runs every layer of tests, whatever became of the one before, and counts.

The last line is always `N passed, N failed` (and `, N skipped`, if any were), over all layers; the exit code says
whether anything failed. A layer that cannot run at all counts as a failure, never as skipped. A test that prints a
line `skipped - …` counts as skipped. Everything that a layer prints is also kept in target/test-logs/.

    make test                       the way to call it: that finds the toolchain first
    make test-long                  the long forms: `python3 tools/test.py --long`
    python3 tools/test.py rules …   only the layers named

The long forms take hours in full. KABINET_LONG_KILLS, KABINET_LONG_HANG_UPS, KABINET_LONG_SCALE_SECONDS,
KABINET_LONG_HISTORIES, KABINET_LONG_BUYERS, KABINET_LONG_NAMES and KABINET_LONG_FUZZ_SECONDS make them shorter; what was run
stands in docs/test-long.txt, which they write.
"""

import datetime
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "test-logs"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class Log:
    """Shows what commands print and keeps it."""

    def __init__(self, layer):
        self.file = open(LOGS / f"{layer}.log", "w", buffering=1, encoding="utf-8")

    def write(self, text):
        sys.stdout.write(text)
        sys.stdout.flush()
        self.file.write(text)

    def run(self, *command, folder=ROOT, **environment):
        """Runs a command; returns whether it succeeded and what it printed."""
        self.write(f"$ {' '.join(command)}\n")
        printed = []
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self.write(f"{error}\n")
            return False, ""
        for line in process.stdout:
            printed.append(line)
            self.write(line)
        status = process.wait()
        if status != 0:
            # A command that was killed prints nothing itself.
            self.write(f"ended by signal {-status}\n" if status < 0 else f"exit code {status}\n")
        return status == 0, "".join(printed)

    def check(self, *command, **environment):
        """A command that is one test."""
        succeeded, _ = self.run(*command, **environment)
        return Count(passed=1) if succeeded else Count(failed=1)


def at_least(count, succeeded, log):
    """Neither a failure outside any test nor a layer without tests may look like success."""
    if not succeeded and count.failed == 0:
        log.write("The layer failed outside its tests.\n")
        count.failed = 1
    if succeeded and count.passed + count.failed == 0:
        log.write("The layer holds no test.\n")
        count.failed = 1
    return count


def format_layer(log):
    return log.check("cargo", "fmt", "--all", "--check")


# Our own crates are compiled by clippy's driver, which is rustc with more lints, so that what is linted is also what the
# later layers run: to check 600 crates first and then compile them took six minutes more. This is what `cargo clippy
# -- -D warnings` sets itself.
LINTED = {
    "RUSTC_WORKSPACE_WRAPPER": "clippy-driver",
    "CLIPPY_ARGS": "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
}
SERVER = ["--workspace", "--exclude", "frontend", "--exclude", "rotating"]


# The two sides of an island are never built together: the features `ssr` and `hydrate` exclude each other.
def lint_server_layer(log):
    # Not "all targets": those are the libraries' own tests too where there are none.
    return log.check("cargo", "test", "--quiet", "--no-fail-fast", "--no-run", *SERVER, "--tests", "--benches", **LINTED)


def lint_browser_layer(log):
    # What the site of the later layers is made of.
    return log.check(
        "cargo", "build", "--quiet", "--keep-going", "--package", "frontend", "--package", "rotating",
        "--target", "wasm32-unknown-unknown", **LINTED,
    )


def rules_layer(log):
    return counted(*log.run("tools/rules.sh"), log)


def rust_layer(log):
    count = Count()
    succeeded, printed = log.run(
        "cargo", "test", *SERVER, "--no-fail-fast",
        # Faults are a layer of their own. Twice the processors of most machines, because tests wait for databases.
        "--", "--skip", "fault_", "--test-threads", "4",
        **LINTED,
        **postgres(log, count),
        **smtpd(log, count),
    )
    return rust_results(count, succeeded, printed, log)


def counted(succeeded, printed, log):
    """What a script says that prints a line for each of its tests."""
    count = Count(
        passed=len(re.findall(r"^ok - ", printed, re.MULTILINE)),
        failed=len(re.findall(r"^not ok - ", printed, re.MULTILINE)),
    )
    return at_least(count, succeeded, log)


def site_and_server(log, profile, **environment):
    """Builds what a browser downloads and the program that serves it; whether both were built."""
    # All targets, as the first layer built them: with the server or xtask alone cargo chooses other features of shared
    # dependencies and builds those once more.
    if not log.run("cargo", "build", "--quiet", *SERVER, "--tests", "--bins", **LINTED)[0]:
        return False
    return log.run(f"{debug_folder()}/xtask", "site", "--profile", profile, **environment)[0]


def debug_folder():
    """Where cargo puts programs."""
    return Path(os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))) / "debug"


def tills_layer(log):
    if not site_and_server(log, "dev", **LINTED):
        return at_least(Count(), False, log)
    return counted(*log.run("tools/tills.sh", f"{debug_folder()}/kabinet", str(ROOT / "target" / "site")), log)


def rust_results(count, succeeded, printed, log):
    for result in re.finditer(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", printed, re.MULTILINE):
        count.add(Count(*map(int, result.groups())))
    # Whether a test can run here some learn only when they run; cargo calls those passed.
    skipped = len(re.findall(r"^skipped - ", printed, re.MULTILINE))
    count.add(Count(passed=-skipped, skipped=skipped))
    return at_least(count, succeeded, log)


def faults_layer(log, name="fault_", **environment):
    count = Count()
    succeeded, printed = log.run(
        "cargo", "test", *SERVER, "--test", "faults",
        # One at a time: they share two processors with the servers that they trouble.
        "--", name, "--test-threads", "1", "--nocapture",
        **LINTED,
        **environment,
        **postgres(log, count),
    )
    return rust_results(count, succeeded, printed, log)


# How much the long forms do, unless the environment says otherwise.
LONG = {
    "KILLS": 1000, "HANG_UPS": 1_000_000, "SCALE_SECONDS": 300, "HISTORIES": 100_000, "BUYERS": 10_000, "NAMES": 10_000,
    "FUZZ_SECONDS": 30,
}


def long(name):
    return os.environ.get(f"KABINET_LONG_{name}", str(LONG[name]))


def long_kills_layer(log):
    return faults_layer(log, "fault_kill_9", KABINET_TEST_KILLS=long("KILLS"))


def long_hang_ups_layer(log):
    return faults_layer(log, "fault_hang_ups", KABINET_TEST_HANG_UPS=long("HANG_UPS"))


def long_scale_layer(log):
    return faults_layer(log, "fault_three_nodes", KABINET_TEST_SCALE_SECONDS=long("SCALE_SECONDS"))


def long_histories_layer(log):
    count = Count()
    succeeded, printed = log.run(
        "cargo", "test", *SERVER, "--test", "store", "--", "histories::", "--nocapture",
        KABINET_TEST_HISTORIES=long("HISTORIES"),
        # Each engine has as many threads as there are processors: half of the time a client of PostgreSQL waits for it.
        KABINET_TEST_THREADS=str(os.cpu_count() or 1),
        **LINTED,
        **postgres(log, count),
    )
    return rust_results(count, succeeded, printed, log)


def long_books_layer(log):
    count = Count()
    succeeded, printed = log.run(
        "cargo", "test", *SERVER, "--test", "router", "--", "books::", "--nocapture",
        KABINET_TEST_BUYERS=long("BUYERS"),
        **LINTED,
    )
    return rust_results(count, succeeded, printed, log)


def long_names_layer(log):
    count = Count()
    succeeded, printed = log.run(
        "cargo", "test", *SERVER, "--test", "store", "--", "find::the_right_one", "--nocapture",
        KABINET_TEST_NAMES=long("NAMES"),
        **LINTED,
        **postgres(log, count),
    )
    return rust_results(count, succeeded, printed, log)


def long_fuzz_layer(log):
    return counted(*log.run("tools/fuzz.sh", long("FUZZ_SECONDS")), log)


def browser_layer(log):
    # Debug builds of both: to make what a browser downloads small takes three minutes.
    return journeys(log, site_and_server(log, "dev", **LINTED))


def long_browser_layer(log):
    # What is shipped; clippy's driver would optimise it less.
    return journeys(log, site_and_server(log, "release"), KABINET_TEST_IN_FULL="1")


def journeys(log, built, **environment):
    count = Count()
    if not built:
        return at_least(count, False, log)
    report = LOGS / "browser.json"
    report.unlink(missing_ok=True)
    succeeded, _ = log.run(
        str(ROOT / "node_modules" / ".bin" / "playwright"),
        "test",
        "--reporter=list,json",
        folder=ROOT / "end2end",
        # The site always lies here, also when CARGO_TARGET_DIR sends cargo's own files elsewhere.
        KABINET_SITE_DIR=str(ROOT / "target" / "site"),
        PLAYWRIGHT_JSON_OUTPUT_NAME=str(report),
        **environment,
        **postgres(log, count),
    )
    if report.exists():
        stats = json.loads(report.read_text(encoding="utf-8"))["stats"]
        # One that passes at the second try only is not to be trusted.
        failed = stats["unexpected"] + stats["flaky"]
        count.add(Count(passed=stats["expected"], failed=failed, skipped=stats["skipped"]))
    return at_least(count, succeeded, log)


LAYERS = {
    "format": format_layer,
    "lint-server": lint_server_layer,
    "lint-browser": lint_browser_layer,
    "rules": rules_layer,
    "rust": rust_layer,
    "faults": faults_layer,
    "browser": browser_layer,
    "tills": tills_layer,
}
LONG_LAYERS = {
    "kills": long_kills_layer,
    "hang-ups": long_hang_ups_layer,
    "scale-out": long_scale_layer,
    "histories": long_histories_layer,
    "books": long_books_layer,
    "names": long_names_layer,
    "fuzz": long_fuzz_layer,
    "desktop": long_browser_layer,
}


def postgres(log, count):
    """The address of the tests' PostgreSQL, as an environment; started when the first layer asks."""
    started = subprocess.run(["tools/postgres.sh", "start", "test"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if started.returncode == 0:
        return {"KABINET_TEST_POSTGRES": started.stdout.strip()}
    log.write("PostgreSQL did not start; its half of the store tests cannot run.\n")
    count.failed += 1
    return {}


def smtpd(log, count):
    """The Python that has the tests' mail server, as an environment; installed when it is not there."""
    found = subprocess.run(["tools/pypi.sh", "aiosmtpd", "1.4.6"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if found.returncode == 0:
        return {"KABINET_TEST_SMTPD": found.stdout.strip()}
    log.write("The mail server of the tests could not be installed; the tests of e-mail cannot run.\n")
    count.failed += 1
    return {}


def run_layer(name):
    log = Log(name)
    try:
        return (LAYERS | LONG_LAYERS)[name](log)
    except Exception as error:  # a fault of this program is a failure of the layer too, and the next must still run
        log.write(f"{type(error).__name__}: {error}\n")
        return Count(failed=1)


def what_failed(name):
    """The tests of a layer that failed, by their names, as the end of a run tells them: the rest of a log is long."""
    log = (LOGS / f"{name}.log").read_text(encoding="utf-8")
    # Of what a test found only the first lines: what was wanted, and what was there.
    told = r"^(test \S+ \.\.\. FAILED|thread '.*' .*panicked at .*\n.*|not ok - .*| +\d+\) .*| +Error: .*(?:\n.*){0,12}|error\S*: .*)$"
    named = re.findall(told, log, re.MULTILINE)
    return [f"{name}: {line}" for line in named] or [f"{name}: see target/test-logs/{name}.log"]


def keep_long(table):
    """Writes what was run and what it said into docs/test-long.txt."""
    lines = [f"make test-long, {datetime.date.today().isoformat()}", ""]
    for name in LONG:
        lines.append(f"KABINET_LONG_{name}={long(name)} (in full {LONG[name]})")
    # What the tests say of themselves: the lines that name what was tried, and the results.
    said = re.compile(r"^(kill -9|hang-ups|scale-out|ok - |not ok - |test \S+ \.\.\. \w+$|\s+\d+ (passed|failed|flaky))")
    for name in LONG_LAYERS:
        log = (LOGS / f"{name}.log").read_text(encoding="utf-8")
        # A test that prints begins on the line that names it.
        said_here = (re.sub(r"^test \S+ \.\.\. (?=\S+ )", "", line) for line in log.splitlines())
        lines += ["", name, *(line for line in said_here if said.match(line))]
    text = "\n".join([*lines, "", *table]) + "\n"
    (ROOT / "docs" / "test-long.txt").write_text(text, encoding="utf-8")


def main():
    known = LAYERS | LONG_LAYERS
    names = sys.argv[1:] or list(LAYERS)
    is_long = names == ["--long"]
    if is_long:
        names = list(LONG_LAYERS)
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"there is no layer {' or '.join(unknown)}; there are {', '.join(known)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    # What the compiler keeps to be quicker the next time makes it slower the first time: only for whoever builds by hand.
    if not (debug_folder() / "incremental").exists():
        os.environ["CARGO_INCREMENTAL"] = "0"
    # Two at a time would share the database and the site folder.
    lock = open(ROOT / "target" / "test.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another `make test` runs in this folder; waits for it.", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    # Told to end, it still stops the database, and says that this was no result.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("broken off by SIGTERM"))

    results = []
    try:
        for number, name in enumerate(names, 1):
            print(f"\nlayer {number} of {len(names)}: {name}", flush=True)
            started = time.monotonic()
            count = run_layer(name)
            results.append((name, count, time.monotonic() - started))
            print(f"layer {number} of {len(names)}: {name}: {count} ({results[-1][2]:.1f} s)", flush=True)
    finally:
        subprocess.run(["tools/postgres.sh", "stop", "test"], cwd=ROOT)

    total = Count()
    table = [f"{'layer':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}"]
    for name, count, seconds in results:
        total.add(count)
        table.append(f"{name:<14}{count.passed:>8}{count.failed:>8}{count.skipped:>9}{seconds:>10.1f}")
    table += ["", str(total)]
    failed = [line for name, count, _ in results if count.failed for line in what_failed(name)]
    print("\n" + "\n".join([*table[:-1], *failed, "", table[-1]] if failed else table))
    if is_long:
        keep_long(table)
    sys.exit(1 if total.failed else 0)


if __name__ == "__main__":
    main()
