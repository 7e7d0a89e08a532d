"""Help, completions and manual say the same as the parser, since all come from one table."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("PARLEY_BUILD", ROOT / "build"))
PARLEY = BUILD / "parley"
SUBCOMMANDS = ["serve", "listen", "connect", "load", "compare", "help", "version", "completion"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, **options)


def help_of(subcommand):
    done = run(PARLEY, "help", subcommand)
    assert done.returncode == 0 and not done.stderr
    return done.stdout


def test_generated_files_are_those_of_the_command():
    done = run(ROOT / "scripts/generate", "--check", cwd=ROOT, env=dict(os.environ, PARLEY_BUILD=str(BUILD)))
    assert done.returncode == 0, done.stderr


def test_the_measured_designs_are_drawn_as_they_were_measured():
    done = run(ROOT / "docs/models/draw", "--check", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_help_is_the_same_however_asked(subcommand):
    text = help_of(subcommand)
    for word in ("--help", "-h"):
        done = run(PARLEY, subcommand, word)
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("  parley "))


def test_help_without_a_subcommand_lists_them():
    text = run(PARLEY, "--help").stdout
    assert text == run(PARLEY, "help").stdout == run(PARLEY, "-h").stdout
    assert all(f"\n  {subcommand} " in text for subcommand in SUBCOMMANDS)


def test_no_subcommand_is_a_mistake():
    done = run(PARLEY)
    assert done.returncode == 2 and not done.stdout and "usage:" in done.stderr
    done = run(PARLEY, "cnnect")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "parley connect" in done.stderr


def test_version():
    texts = {run(PARLEY, word).stdout for word in ("--version", "version", "-V")}
    assert len(texts) == 1 and re.fullmatch(r"parley \d+\.\d+\.\d+\n", texts.pop())


@pytest.mark.parametrize("subcommand", ["serve", "listen", "connect", "load", "compare"])
def test_manual_renders_every_option(subcommand):
    if not shutil.which("scdoc"):
        pytest.skip("scdoc is not installed, so the manual is not built")
    names = re.findall(r"^ {2,6}(?:-\w, )?--([\w-]+)", help_of(subcommand), re.MULTILINE)
    with open(ROOT / f"man/parley-{subcommand}.1.scd", encoding="utf-8") as source:
        page = subprocess.run(["scdoc"], stdin=source, capture_output=True, text=True, check=True).stdout
    assert len(names) > 10
    assert not [name for name in names if "--" + name not in page.replace("\\-", "-")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_valid_in_its_shell(shell, tmp_path):
    done = run(PARLEY, "completion", shell)
    assert done.returncode == 0
    script = tmp_path / "completion"
    script.write_text(done.stdout, encoding="utf-8")
    assert "write-timeout" in done.stdout
    if shutil.which(shell):
        checked = run(shell, "-n", script)
        assert checked.returncode == 0 and not checked.stderr


def complete_in_bash(*words):
    script = ('source <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _parley 2>/dev/null; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return run("bash", "-c", script, PARLEY, *words).stdout.split()


def test_bash_completes_subcommands_services_options_and_values():
    assert complete_in_bash("parley", "se") == ["serve"]
    assert complete_in_bash("parley", "serve", "up") == ["upper"]
    assert complete_in_bash("parley", "serve", "echo", "--write") == ["--write-timeout"]
    assert complete_in_bash("parley", "serve", "echo", "--model", "prefork+e") == ["prefork+epoll"]
    assert complete_in_bash("parley", "serve", "echo", "--log", "=", "js") == ["json"]


# Completes words as a shell at a terminal would; what is offered comes on standard error, where nothing else does.
IN_ZSH = """
autoload -Uz compinit && compinit -D -u
eval "$($1 completion zsh | sed '$d')"; compdef _parley parley
compadd() {
    local -a offered
    [[ " $* " == *" -"[AOD]" "* ]] || { builtin compadd -O offered "$@"; print -rl -u2 -- $offered }
    builtin compadd "$@"
}
zle -C offer complete-word _main_complete
ask() { BUFFER=$line CURSOR=$#line; zle offer; exit }
zle -N ask; bindkey '^X' ask
zmodload zsh/zpty 2>/dev/null
"""


def complete_in_zsh(tmp_path, line):
    """A completion widget runs in an editor alone, so zsh gets a terminal, and a key that asks."""
    (tmp_path / ".zshrc").write_text(IN_ZSH.replace("$1", str(PARLEY)) + f"line={shlex.quote(line)}\n"
                                     "print ready\n", encoding="utf-8")
    master, slave = pty.openpty()
    with open(tmp_path / "offered", "wb") as offered, subprocess.Popen(
            ["zsh", "-i"], stdin=slave, stdout=slave, stderr=offered, start_new_session=True,
            env={**os.environ, "ZDOTDIR": str(tmp_path), "TERM": "dumb"}) as shell:
        os.close(slave)
        said = b""
        while b"ready" not in said:
            said += os.read(master, 4096)
        os.write(master, b"\x18")
        drained = threading.Thread(target=drain, args=(master,))
        drained.start()
        shell.wait(30)
    drained.join(30)
    os.close(master)
    return (tmp_path / "offered").read_text(encoding="utf-8").split("\n")


def drain(terminal):
    try:
        while os.read(terminal, 4096):
            continue
    except OSError:  # its other end is closed
        pass


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
@pytest.mark.parametrize("line, offered", [
    ("parley se", "serve"), ("parley serve up", "upper"), ("parley serve echo --write", "--write-timeout"),
    ("parley serve echo --model prefork+e", "prefork+epoll"), ("parley serve echo --log=js", "json"),
    ("parley connect --pin sha256:00 --tls-m", "--tls-min")])
def test_zsh_completes(tmp_path, line, offered):
    assert any(word.startswith(offered) for word in complete_in_zsh(tmp_path, line))


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh")
@pytest.mark.parametrize("subcommand, option", [("connect", "--pin"), ("serve", "--to-pin")])
def test_a_value_with_a_colon_is_no_command_of_zsh(tmp_path, subcommand, option):
    assert "HEX" not in "".join(complete_in_zsh(tmp_path, f"parley {subcommand} {option}=x"))


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
@pytest.mark.parametrize("line, offered", [
    ("parley se", "serve"), ("parley serve up", "upper"), ("parley serve echo --write", "--write-timeout"),
    ("parley serve echo --model prefork+e", "prefork+epoll"), ("parley serve echo --log js", "json"),
    ("parley connect --pin sha256:00 --tls-m", "--tls-min")])
def test_fish_completes(tmp_path, line, offered):
    (tmp_path / "parley.fish").write_text(run(PARLEY, "completion", "fish").stdout, encoding="utf-8")
    done = run("fish", "--no-config", "-c", f"source parley.fish; complete -C {shlex.quote(line)}", cwd=tmp_path,
               env={**os.environ, "HOME": str(tmp_path)})
    assert not done.stderr and offered in [word.split("\t")[0] for word in done.stdout.splitlines()], done


def test_output_that_cannot_be_written_is_a_fault():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([PARLEY, "help", "serve"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30,
                              stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "write standard output: no space left on device" in done.stderr


def test_closed_standard_descriptors_do_no_harm():
    done = run("sh", "-c", f"exec '{PARLEY}' help <&- >&- 2>&-")
    assert done.returncode == 0


def test_compare_names_the_services_it_takes():
    words = set(re.findall(r"^  ([a-z]+) ", help_of("compare").partition("Servers:")[0], re.M))
    assert words == {"hangup", "echo", "upper", "greet", "discard"}


# ---- what other tools' users would type here ----

HABITS = [line.split(" | ")[-1].strip(" |").strip("`") for line in
          (ROOT / "docs/habits.md").read_text(encoding="utf-8").splitlines() if "| `parley " in line]


@pytest.mark.parametrize("line", HABITS)
def test_the_options_of_a_habit_are_ours(line):
    """Help is asked for behind them, so that they are read, values and all, and nothing is done."""
    words = shlex.split(line)[1:]
    dashes = words.index("--") if "--" in words else len(words)
    done = run(PARLEY, *words[:dashes], "--help", *words[dashes:])
    assert (done.returncode, done.stderr) == (0, "") and "usage: parley " + words[0] in done.stdout
