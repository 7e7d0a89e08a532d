"""What the READMEs show outside their console sessions is run too: the tables of systems, the library, the demonstration.

Convention: in a table each code span that begins with `parley ` is a command. `serve` and `listen` are servers, each
started in turn with every client of its row; a client in a row without server talks to the last server above it.
Whom `serve relay` forwards to is an echo of ours. Clients are typed at: a line "hello", a line "end". Of what measures, the convention of test_readme.py holds."""

import itertools
import os
import re
import subprocess

import pytest

from harness import MODELS, PARLEY, ROOT, placement_of, poller_of
from test_readme import MEASURES, PRELUDE, READMES, TOO_BUSY, lines_of, quote, with_own_network

ENGLISH, CHINESE = READMES
ANSWERS = {"--until END": "HELLO\nEND", "--send helloworld": "helloworld", "--count 10": "hello, server... 10",
           "8900": "Hello!", "2000": "end\nhello", "1900": " !\"#$%&'()*+"}
CONVERSES = [model for model in MODELS
             if placement_of(model) in ("iterative", "prethread") and poller_of(model) != "blocking"]


def commands_of(row):
    return re.findall(r"`(parley [^`]*)`", row)


def is_server(command):
    return command.split()[1] in ("serve", "listen")


def conversations_of(path):
    """Pairs of a server and its clients."""
    found = []
    for row in (line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")):
        servers = [command for command in commands_of(row) if is_server(command)]
        clients = [command for command in commands_of(row) if not is_server(command)]
        if clients and not servers:
            servers = [found[-1][0]]
        found += [(server, clients) for server in servers]
    return found


def talking(clients):
    """Those that talk to a server under any model; what measures goes by the model of the text."""
    return [client for client in clients if not MEASURES.match(client)]


def under(command, model):
    """The same with that model instead of its own."""
    command, dashes, program = command.partition(" -- ")
    return re.sub(r" --(model|workers) \S+", "", command) + f" --model {model}{dashes}{program}"


def client_script(command):
    wanted = quote(next((answer for part, answer in ANSWERS.items() if part in command), ""))
    return f"""
        printf 'hello\\nend\\n' | {command} | {{ head -c 4000 >answer; cat >/dev/null; }}
        check ${{PIPESTATUS[1]}} 0 {quote(command)}
        [[ "$(cat answer)" == *{wanted}* ]] || echo "HARNESS: {command} answered $(cat answer)"
    """


def measuring_script(command):
    """Merging takes what another machine wrote at the same time: a copy is as good."""
    copies = [f"cp {quote(path)} {quote(other)}" for path, other in
              itertools.pairwise(re.findall(r"\S+\.json", command))] if " merge " in command else []
    return "\n".join([*copies, *lines_of(command)])


def script_with(client):
    return measuring_script(client) if MEASURES.match(client) else client_script(client)


def conversation_script(server, clients):
    stop = "kill -TERM $server" if " serve " in server else ": one conversation is all it waits for"
    script = [f"{server} & server=$!", "wait_listening $server", *map(script_with, clients), stop,
              "wait $server", f"check $? 0 {quote(server)}"]
    if behind := re.search(r" --to (\S+)", server):
        script = [f"parley serve echo {behind[1]} -q & target=$!", "wait_listening $target", *script, "kill $target",
                  "wait $target"]
    return "\n".join(script)


def run_conversations(conversations, directory):
    os.symlink(PARLEY, directory / "parley")
    environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    script = "\n".join([f"TOO_BUSY={quote(TOO_BUSY)}", PRELUDE, *(conversation_script(*conversation) for conversation in conversations)])
    done = subprocess.run(with_own_network(script), cwd=directory, env=environment, timeout=100,
                          stdout=subprocess.PIPE, check=False)
    written = done.stdout.decode("utf-8", "replace")
    assert "HARNESS: " not in written, written


@pytest.mark.parametrize("conversation", conversations_of(ENGLISH), ids=lambda conversation: conversation[0])
def test_a_row_of_a_table_runs(conversation, tmp_path):
    run_conversations([conversation], tmp_path)


def test_every_service_of_the_tables_runs_under_every_model(model, tmp_path):
    served = {}
    for server, clients in conversations_of(ENGLISH):
        if server.startswith("parley serve") and not (" relay " in server and poller_of(model) == "blocking"):
            quick = [client.replace("--every 1s", "--every 10ms") for client in talking(clients)]
            served.setdefault(under(server, model), []).extend(quick)
    run_conversations(served.items(), tmp_path)


@pytest.mark.parametrize("model", CONVERSES)
def test_a_conversation_runs_under_every_model_it_can(model, tmp_path):
    pairs = [(server, [under(client, model) for client in talking(clients) if " -z " not in client])
             for server, clients in conversations_of(ENGLISH) if talking(clients) and "chargen" not in server]
    quick = [(under(server, model) if "listen" in server else server,
              [client.replace("--every 1s", "--every 10ms") for client in clients]) for server, clients in pairs]
    run_conversations(quick, tmp_path)


@pytest.mark.parametrize("model", sorted(set(MODELS) - set(CONVERSES)))
def test_a_conversation_is_refused_under_the_others(model):
    for command, port in (("connect", "1"), ("listen", "0")):
        done = subprocess.run([PARLEY, command, "127.0.0.1", port, "--model", model], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=20, check=False)
        assert done.returncode == 2 and b"choose iterative" in done.stderr, done


def test_both_languages_show_the_same_tables():
    assert conversations_of(ENGLISH) == conversations_of(CHINESE)


# ---- the library ----

# The machine stays as it is: /usr/local and /etc are copies that only this script sees.
IN_PRIVATE = r"""
mount -t tmpfs none "$PWD/etc" && cp -a /etc/. "$PWD/etc" && mount --bind "$PWD/etc" /etc
mount -t tmpfs none /usr/local
sudo() { "$@"; }
"""


def fences_of(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(os.geteuid() != 0, reason="installs into a /usr/local of its own, which root alone can make")
@pytest.mark.skipif("PARLEY" in os.environ, reason="the library of the release build is meant")
def test_the_library_installs_and_builds_as_shown(tmp_path):
    for name in ("build", "examples"):
        os.symlink(ROOT / name, tmp_path / name)
    (tmp_path / "etc").mkdir()
    [shown] = fences_of(ENGLISH, "sh")
    lines = [f"{line}\nwait_listening $!" if line.endswith("&") else f"{line}\ncheck $? 0 {quote(line)}"
             for line in shown.splitlines()]
    script = "\n".join([PRELUDE, "ip link set lo up", IN_PRIVATE, *lines, "kill $!", "wait"])
    done = subprocess.run(["unshare", "--net", "--mount", "bash", "-c", script], cwd=tmp_path, timeout=100,
                          stdout=subprocess.PIPE, check=False)
    written = done.stdout.decode("utf-8", "replace")
    assert "HARNESS: " not in written and "helloworld" in written, written


def test_programs_shown_are_those_of_the_examples():
    examples = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.c")))
    for path in READMES:
        assert all(program in examples for program in fences_of(path, "c")), path
        assert fences_of(path, "sh") == fences_of(ENGLISH, "sh"), path


# ---- the demonstration ----

def test_the_demonstration_runs():
    done = subprocess.run([ROOT / "dev", "demo"], env={**os.environ, "PARLEY": PARLEY}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False)
    written = done.stdout.decode()
    assert done.returncode == 0 and written.count("helloworld went there and came back") == 6, written
    shown = " ".join(written.split())
    assert written.count("✓") + written.count("no ring") == 25, written
    assert "by way of the relay" in shown, written
    assert "latency " in shown and "response " in shown and "times as dear as a thread" in shown, written


# ---- the architecture ----

def test_what_the_architecture_names_is_there():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    sources = [path for folder in ("src", "include") for path in (ROOT / folder).rglob("*.[ch]")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    files, functions = re.findall(r"\b(\w+\.[ch])\b", text), re.findall(r"\b(\w+)\(\)", text)
    assert not set(files) - {path.name for path in sources}
    assert not [name for name in functions if not re.search(rf"\b{name}\(", code)]


def test_a_function_is_in_the_file_that_the_architecture_names():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    said = [(name, file) for names, file in re.findall(r"((?:`\w+\(\)`(?:, | and |, then )?)+) in `([\w/]+\.[ch])`", text)
            for name in re.findall(r"`(\w+)\(\)`", names)]
    assert said
    for name, file in said:
        definition = re.compile(rf"^[a-z].*\b{name}\(", re.MULTILINE)
        assert any(definition.search(path.read_text(encoding="utf-8"))
                   for path in (ROOT / "src").rglob("*.[ch]") if f"/{path}".endswith(f"/{file}")), f"{name}() in {file}"
