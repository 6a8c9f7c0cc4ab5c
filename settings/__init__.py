"""The pydantic model of paritygate.toml, its environment and its secrets from files."""
