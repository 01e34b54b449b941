# Two commands matter: `make bench` measures on this machine, `make test` tests the project. `make help` lists the rest.
#
# ARGS goes to ansible-playbook as it stands; the shell reads its quotes, so JSON passes unharmed:
#
#     make bench ARGS="-e '{\"reflect_queues\":[1]}'"

.PHONY: help bench report restore sandbox-up sandbox-down sandbox-bench test test-sandbox check lint \
	ansible-lint sanity unit clean

help:
	@echo 'make bench      measure on this machine; sets up what is missing, puts everything back after'
	@echo 'make report     show the results of a run again'
	@echo 'make restore    undo whatever a run left on this machine'
	@echo 'make sandbox-up     start a hypervisor in a VM of this machine; sandbox-down removes it'
	@echo 'make sandbox-bench  measure on that hypervisor'
	@echo 'make test       all tests but the longest; sets up what is missing'
	@echo 'make test-sandbox   all tests in the sandbox, the long ones too: half an hour where it is emulated'
	@echo 'make check      the quick part of it: lint, types, unit tests'
	@echo 'make clean      remove what the targets made, except results/'
	@echo
	@echo 'ARGS="..." hands arguments to ansible-playbook, for example'
	@echo '    make bench ARGS="-e reflect_trials=5 -i inventories/mylab"'

# $(value ARGS): make itself expands nothing in it, a dollar sign stays one.
bench report restore:
	@tools/setup run
	@tools/play $@ $(value ARGS)

sandbox-up sandbox-down:
	@tools/setup sandbox
	@tools/play sandbox -e sandbox_state=$(@:sandbox-%=%) $(value ARGS)

sandbox-bench:
	@tools/setup sandbox
	@tools/play sandbox -e sandbox_state=up
	@tools/play bench -i inventories/sandbox $(value ARGS)

check: lint unit

lint:
	@tools/setup check
	tools/env ruff check
	tools/env ruff format --check
	tools/env mypy
	tools/env vermin --quiet --no-tips --violations --target=3.9- plugins/modules plugins/module_utils
	tools/env yamllint --strict .
	tools/env antsibull-changelog lint

# For tests that may run beside others: many wait for programs that only pretend.
PYTEST_SHARED = tools/env pytest --numprocesses=4

unit:
	@tools/setup check
	$(PYTEST_SHARED) tests/unit

ansible-lint:
	tools/env ansible-lint

sanity:
	tests/sanity/run

# Tests that need this machine for themselves come last.
test: lint
	@tools/setup test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync ansible-lint sanity
	$(PYTEST_SHARED) tests/unit
	$(PYTEST_SHARED) --dist=loadfile -m apart tests/integration
	tools/env pytest -m 'not apart and not long' tests/integration

# The long ones are no part of `make test`, which is to take half an hour at most. A sandbox that is up is in their way.
test-sandbox:
	@tools/setup test
	tools/env pytest tests/integration/sandbox

clean:
	rm -rf .venv .cache tests/output
