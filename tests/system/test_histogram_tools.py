"""HdrHistogram's own tools read what `parley load` writes, and find the same in it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from client import PATIENCE
from harness import run

JAR = Path("/usr/share/java/hdrhistogram.jar")  # Debian's libhdrhistogram-java
PROCESSOR = ["java", "-XX:TieredStopAtLevel=1", "-cp", str(JAR), "org.HdrHistogram.HistogramLogProcessor"]
NS_IN_MS = "1000000"

pytestmark = pytest.mark.skipif(not JAR.exists(), reason="libhdrhistogram-java is not installed")


@pytest.fixture
def written(serve, tmp_path):
    """Where a load, with a warm-up that does not count, has written its result in every form."""
    outputs = [word for name in ("json", "hgrm", "hdr-log") for word in (f"--{name}", str(tmp_path / name))]
    done = run("load", *serve("echo").addresses[0].split(), "-c", "3", "-d", "1500ms", "--warmup", "1s", "-q",
               *outputs)
    assert done.returncode == 0, done.stderr
    return tmp_path


def process(log):
    """What the tool makes of a log: the lines of its intervals, and the percentiles of the whole."""
    done = subprocess.run([*PROCESSOR, "-i", log, "-o", log.parent / "tool", "-outputValueUnitRatio", NS_IN_MS],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return (log.parent / "tool").read_text(), (log.parent / "tool.hgrm").read_text()


def test_the_tool_reads_the_same_from_the_log(written):
    result = json.loads((written / "json").read_text())
    lines, distribution = process(written / "hdr-log")
    # Its first two lines tell of the log; the rest is what we write, to the byte.
    assert distribution.split("\n", 2)[2].rstrip() == (written / "hgrm").read_text().rstrip()
    counts = [int(count) for count in re.findall(r" I:(\d+) ", lines)]
    measured = [interval for interval in result["intervals"] if interval["start"] >= 0]
    assert counts == [interval["latency_us"]["count"] for interval in measured], lines
    assert sum(counts) == result["latency_us"]["count"]


def test_percentiles_are_those_of_the_distribution(written):
    latency = json.loads((written / "json").read_text())["latency_us"]
    rows = [line.split() for line in (written / "hgrm").read_text().splitlines()[2:] if not line.startswith("#")]
    values = {float(row[1]): float(row[0]) for row in rows}
    for percentile in (50, 90):
        assert values[percentile / 100] == pytest.approx(latency[f"p{percentile}"] / 1000, abs=0.0006)
    # The last line is the end of the largest value's counter.
    assert values[1] == pytest.approx(latency["max"] / 1000, rel=0.001, abs=0.0006)
    assert int(rows[-1][2]) == latency["count"]
