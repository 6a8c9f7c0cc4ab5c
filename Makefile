# Two commands are all a newcomer needs: `make demo` and `make test`.
.PHONY: demo test install lint soak lock clean
PY := .venv/bin/python
ARGS ?=

demo: install
	@.venv/bin/paritygate demo $(ARGS)

install: .venv/installed

.venv/installed: pyproject.toml scripts/environment $(wildcard requirements/*.txt)
	@sh scripts/environment

test: install
	@sh scripts/test $(ARGS)

lint: install
	@sh scripts/lint

soak: install
	@$(PY) -m pytest -m soak $(ARGS)

lock: install
	@sh scripts/lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
