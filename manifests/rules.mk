# `make run-X` boots manifests/X.json and checks what tests/boot/X.test says about it; what the manifest's
# program printed is shown. `make run` is a tour of the demos.
RUN_TARGETS := $(patsubst manifests/%.json,run-%,$(wildcard manifests/*.json))

$(RUN_TARGETS): run-%: all demos-c
	@sh tests/lib/boot.sh tests/boot/$*.test && cat $(BUILD)/tests/boot-$(or $(MACHINE),qemu)/$*/shown

# The one machine that has host folders so far.
run-c-tree: export MACHINE := linux

run: all
	@sh demos/tour.sh

# Payloads by name: c-hello-build and so on.
c-%-build: $(BUILD)/x86_64/demos/c-%.elf
	@:
smoke-build: c-smoke-build
spawn-build: c-spawn-build

test-build test-boot: demos-c

.PHONY: run $(RUN_TARGETS) smoke-build spawn-build
