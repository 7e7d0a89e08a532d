"""Sum the JUnit reports of several test runners.

usage: tally.py DIRECTORY NAME...    reads DIRECTORY/NAME.xml

Prints one line per runner, why tests were skipped, and last `N passed, N failed`. Exits with 1 when a test
failed, when a runner left no report, and when a runner ran no test.
"""

import collections
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

Counts = collections.namedtuple("Counts", "passed failed")


def cmocka_counts(output, succeeded):
    """Counts inside one cmocka executable, whose crash or sanitizer report is a failure of its own."""
    passed = len(re.findall(r"^\[ +OK +\]", output, re.MULTILINE))
    failed = len(set(re.findall(r"^\[ +FAILED +\] (\w+)$", output, re.MULTILINE)))
    if succeeded:
        return Counts(max(passed, 1), 0)
    return Counts(passed, max(failed, 1))


def case_counts(case):
    """Counts of one <testcase>, which is one test under pytest and one executable under ctest."""
    succeeded = case.find("failure") is None and case.find("error") is None
    if "cmocka" in (output := case.findtext("system-out") or "") or "[ RUN" in output:
        return cmocka_counts(output, succeeded and case.get("status") != "fail")
    return Counts(1, 0) if succeeded else Counts(0, 1)


def runner_counts(report):
    """Counts of one report, and the reasons of its skipped tests."""
    passed = failed = 0
    skipped = collections.Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if skip is not None:
            skipped[skip.get("message") or "no reason given"] += 1
            continue
        counts = case_counts(case)
        passed += counts.passed
        failed += counts.failed
    return Counts(passed, failed), skipped


def main(directory, names):
    total_passed = total_failed = 0
    for name in names:
        report = Path(directory, f"{name}.xml")
        counts, skipped = runner_counts(report) if report.exists() else (Counts(0, 0), {})
        if sum(counts) == 0:
            # A runner that ran nothing proves nothing.
            print(f"{name}: no test ran")
            counts = Counts(0, 1)
        else:
            print(f"{name}: {counts.passed} passed, {counts.failed} failed")
        for reason, times in skipped.items():
            print(f"{name}: {times} skipped: {reason}")
        total_passed += counts.passed
        total_failed += counts.failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
