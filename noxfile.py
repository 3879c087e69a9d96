"""Every task of the project, each in an environment of its own under .nox (docs/development.md).

The two that the README names: `nox -s demo` and `nox -s tests`.
"""

import nox

nox.needs_version = ">=2026.10.20"
nox.options.sessions = ["tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True


@nox.session
def demo(session):
    """Train, encode, decode and show the embedded sample in demo_out/ (about ten minutes)."""
    session.install("-e", ".[train,native]")
    _build_native(session)
    session.run("pcgs", "demo", "--out", "demo_out", *session.posargs)


@nox.session
def tests(session):
    """Check style and types, then run every test; arguments after -- go to pytest."""
    session.install("-e", ".[train,cuda,torchac,native,dev]")
    _check_style(session)
    session.run("mypy")
    _build_native(session)
    session.run("pytest", *session.posargs)


@nox.session
def lint(session):
    """Check style and types only."""
    session.install("-e", ".[train,dev]")
    _check_style(session)
    session.run("mypy")


@nox.session
def fuzz(session):
    """Feed the decoder damaged files for long; arguments after -- go to tests/fuzz/long_fuzz.py."""
    session.install("-e", ".[train,native]")
    _build_native(session)
    options = session.posargs or ("--sanitize",)
    session.run("python", "tests/fuzz/long_fuzz.py", *options)


@nox.session
def native(session):
    """Build the decoder's C library for this machine, or with `-- --target all` for every one."""
    session.install("-e", ".[native]")
    _build_native(session)


def _check_style(session):
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


def _build_native(session):
    posargs = session.posargs if session.name.startswith("native") else ()
    session.run("python", "-m", "pcgs_engine.native.build", *posargs)
