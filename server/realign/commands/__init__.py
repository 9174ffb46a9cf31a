"""The command's subcommands, one thin function each, by what they do."""
