"""The `pcgs` command: one file per subcommand; the only package that reads arguments and prints."""

__all__: list[str] = []
