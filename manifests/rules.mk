# `make run-X` boots manifests/X.json and checks what tests/boot/X.test says about it; the program's output is shown.
RUN_TARGETS := $(patsubst manifests/%.json,run-%,$(wildcard manifests/*.json))

$(RUN_TARGETS): run-%: all demos-c
	@sh tests/lib/boot.sh tests/boot/$*.test && cat $(BUILD)/tests/boot/$*/out

test-build test-boot: demos-c

.PHONY: $(RUN_TARGETS)
