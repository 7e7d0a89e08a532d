"""Tables from results, in Markdown that reads well on a terminal too."""

import datetime
import math
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import median

YARDSTICK = "epoll"
OWN = "parley"
BARE = ("epoll", "uring")
PEERS = ("libuv", "libevent", "libev", "asio", "asio-wait", "tokio", "go")
TOLERANCE = 1.03  # to the better bare loop
PACKAGES = ("gcc-12", "libc6", "libuv1-dev", "libevent-dev", "libev-dev", "libasio-dev", "liburing-dev",
            "rustc", "librust-tokio-dev", "golang-go")


def good(results):
    return [result for result in results if not result.failure]


def paired_ratios(results, others):
    """One for each round."""
    ratios = [a.over(b) for a, b in zip(results, others) if not a.failure and not b.failure]
    return [ratio for ratio in ratios if ratio is not None]


def table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        padded = [text.rjust(width) for text, width in zip(cells, widths)]
        padded[0] = cells[0].ljust(widths[0])
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def number(value):
    if math.isnan(value):
        return "–"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def ratio_text(ratios):
    return f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "–"


def column_row(column, name, results, yardstick):
    kept = good(results)
    if not kept:
        return [name, "failed", *["–"] * (1 if column.mode == "idle" else 4)]
    cells = [name, number(median(r.cost for r in kept)), ratio_text(paired_ratios(results, yardstick))]
    if column.mode != "idle":
        cells += [f"{median(r.rate for r in kept):,.0f}", number(median(r.p50 for r in kept)),
                  number(median(r.p99 for r in kept))]
    return cells


def column_text(column, table_results, yardstick_name=YARDSTICK):
    unit = "bytes" if column.mode == "idle" else "CPU µs/message"
    head = ["server", unit, f"× {yardstick_name} (min–max)"]
    if column.mode != "idle":
        head += ["messages/s", "p50 µs", "p99 µs"]
    yardstick = table_results.get(yardstick_name, [])
    rows = [column_row(column, name, results, yardstick) for name, results in table_results.items()]
    return f"\n### {column.name}: {column.title}\n\n{table(head, rows)}\n"


def cell(column, results, yardstick):
    kept = good(results)
    if not kept:
        return "failed"
    ratios = paired_ratios(results, yardstick)
    value = number(median(r.cost for r in kept))
    return f"{value} ×{median(ratios):.2f}" if ratios and column.mode != "idle" else value


def better_bare(tables, column):
    """The bare loop to be compared with in this column: the one that costs less."""
    costs = {name: median(r.cost for r in good(tables[column][name]))
             for name in BARE if good(tables[column].get(name, []))}
    return min(costs, key=costs.get) if costs else YARDSTICK


def standing(tables, column, name, other):
    """Our median ratio to the other; None when it was not measured."""
    ratios = paired_ratios(tables[column][name], tables[column].get(other, []))
    return median(ratios) if ratios else None


def against_bare(tables, name):
    # An idle connection of a bare loop is the smallest possible; memory has its target in the peers.
    return {column: standing(tables, column, name, better_bare(tables, column))
            for column in tables if column.mode != "idle"}


def against_peer(tables, name, peer):
    return {column: standing(tables, column, name, peer) for column in tables}


def misses(ratios, limit):
    """The columns beyond the limit; what could not be measured is never a pass."""
    return [f"{column.name} ({'not measured' if ratio is None else f'{ratio:.3f}'})"
            for column, ratio in ratios.items() if ratio is None or ratio > limit]


def standing_row(tables, title, ratios, limit):
    cells = []
    for column in tables:
        ratio = ratios.get(column)
        text = "–" if ratio is None else f"{ratio:.2f}"
        cells.append(f"**{text}**" if ratio is not None and ratio > limit else text)
    return [title, *cells]


def standing_text(tables, name, peers):
    """One of ours against the bare loops and every peer: a table, and in words what it misses."""
    bare = against_bare(tables, name)
    rows = [standing_row(tables, "the better bare loop", bare, TOLERANCE)]
    behind = []
    for peer in peers:
        ratios = against_peer(tables, name, peer)
        rows.append(standing_row(tables, peer, ratios, 1.0))
        behind += [f"{peer} in {missed}" for missed in misses(ratios, 1.0)]
    not_within = misses(bare, TOLERANCE)
    return "\n".join([
        table([f"{name} ÷"] + [column.name for column in tables], rows), "",
        f"- {name} is within {TOLERANCE * 100 - 100:.0f} % of the better bare loop: "
        + (f"not in {', '.join(not_within)}" if not_within else "in every column"),
        f"- {name} is ahead of every peer: "
        + (f"not of {', '.join(behind)}" if behind else "in every column")])


def targets_text(tables, names):
    peers = [name for name in PEERS if name in names]
    legend = ("Median ratios of parley to the others; bold where it misses: above "
              f"{TOLERANCE:.2f} of the bare loop that costs less in that column, or behind a peer.")
    own = [standing_text(tables, name, peers) for name in names if name.startswith(OWN)]
    return "\n\n".join([legend, *own]) if own else ""


def summary_text(tables, names):
    head = ["server"] + [column.name + (" (B)" if column.mode == "idle" else "") for column in tables]
    rows = [[name] + [cell(column, results[name], results.get(YARDSTICK, []))
                      for column, results in tables.items()] for name in names]
    legend = f"Medians: server CPU µs per message, ratio to `{YARDSTICK}`; idle: bytes per connection."
    return f"\n## Summary\n\n{legend}\n\n{table(head, rows)}\n\n{targets_text(tables, names)}\n"


def pair_text(column, first, second, results):
    unit = "bytes" if column.mode == "idle" else "µs"
    lines = [f"{column.title}: {first} against {second}"]
    for turn, (a, b) in enumerate(zip(results[first], results[second]), 1):
        if a.failure or b.failure:
            lines.append(f"  round {turn}: failed")
        else:
            ratio = f" = {a.over(b):.3f}" if a.over(b) else ""
            lines.append(f"  round {turn}: {number(a.cost)} {unit} / {number(b.cost)} {unit}{ratio}")
    ratios = paired_ratios(results[first], results[second])
    if ratios:
        spread = f"{min(ratios):.3f}–{max(ratios):.3f}"
        lines.append(f"median ratio {median(ratios):.3f} ({spread}) of {len(ratios)} rounds")
    return "\n".join(lines)


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def processor_model():
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else platform.machine()


def versions():
    listed = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}, ", *PACKAGES)
    return listed.strip(", ") or "unknown (no dpkg)"


def placement(bench):
    if bench.server_processor == bench.generator_processor:
        return f"one processor only: server and generator share CPU {bench.server_processor}"
    return f"server on CPU {bench.server_processor}, generator on CPU {bench.generator_processor}"


def conditions(bench, arguments, parley, root):
    own = output_of(parley, "--version").splitlines()
    commit = output_of("git", "-C", str(root), "rev-parse", "--short", "HEAD")
    now = datetime.datetime.now(datetime.timezone.utc)
    return "\n".join([
        f"- date: {now:%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}",
        f"- command: `{shlex.join(['bench/run', *sys.argv[1:]])}`",
        f"- {arguments.rounds} rounds of fresh servers; in each {arguments.seconds:g} s of load on every server, "
        "in slices that take turns",
        f"- machine: {processor_model()}, {os.cpu_count()} processors, {placement(bench)}, "
        f"load average {os.getloadavg()[0]:.2f} at the start",
        f"- kernel: {platform.release()}",
        f"- versions: {versions()}; all built with -O2",
        f"- parley: {own[0] if own else 'not built'}",
    ])


def page(conditions_text, summary, details):
    head = "# Echo servers side by side\n\nWritten by `bench/run --write`. [How to read it](README.md)."
    return f"{head}\n\n## Conditions\n\n{conditions_text}\n{summary}\n## Columns\n{details}"
