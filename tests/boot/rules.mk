# The tests as a whole: `make test` is everything that gates a landing.
#
# CHECKS are make targets that succeed or fail; other folders add theirs.
CHECKS += generated-check tidy
JOBS := 2

test-build: all $$(UNIT_TESTS) $$(FUZZERS)

# A make of its own, so that what is missing is installed before anything is built, and warnings are errors.
test:
	@sh tools/capos/setup.sh test
	@$(MAKE) -s -j$(JOBS) WERROR=1 test-build
	@BUILD=$(BUILD) JOBS=$(JOBS) UNIT_TESTS="$(UNIT_TESTS)" FUZZERS="$(FUZZERS)" CHECKS="$(CHECKS)" \
		FUZZ_SECONDS=$(FUZZ_SECONDS) MAKE=$(MAKE) sh tests/run check unit host boot linux fuzz

test-unit: $$(UNIT_TESTS)
	@BUILD=$(BUILD) JOBS=$(JOBS) UNIT_TESTS="$(UNIT_TESTS)" sh tests/run unit

# MACHINE=linux: on the linux machine.
test-boot: all demos-c
	@BUILD=$(BUILD) JOBS=$(JOBS) EVERYWHERE=1 \
		sh tests/run $(if $(filter linux,$(MACHINE)),linux,boot host)

# Longer: other seeds of the random tests, all boot tests on both machines, ten minutes of each fuzzer.
test-long: test-build
	@BUILD=$(BUILD) JOBS=$(JOBS) UNIT_TESTS="$(UNIT_TESTS)" FUZZERS="$(FUZZERS)" sh tests/long.sh

# The linux machine's tests under Debian's own kernel in QEMU: see tests/vm.sh.
test-vm: all demos-c boot-programs
	@BUILD=$(BUILD) sh tests/vm.sh $(VM_OPTIONS)

tidy:
	@sh tests/tidy.sh

.PHONY: test test-build test-unit test-boot test-long test-vm tidy

# The programs of the boot tests: build/x86_64/tests/boot/X.elf from tests/boot/programs/X.c.
BOOT_PROGRAMS := $(patsubst tests/boot/programs/%.c,$(BUILD)/x86_64/tests/boot/%.elf,$(wildcard tests/boot/programs/*.c))

$(CAPOS_USER)/tests/boot/programs/%.o: tests/boot/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_PROGRAM_CFLAGS) -c $< -o $@

$(BUILD)/x86_64/tests/boot/%.elf: $(CAPOS_USER)/tests/boot/programs/%.o $(CAPOS_LIB) $(CAPOS_LDSCRIPT)
	@mkdir -p $(@D)
	$(CC) $(CAPOS_LDFLAGS) $(filter %.o,$^) $(CAPOS_LDLIBS) -o $@

# What kills machines from outside, for tests/linux/killed.test.
KILLER := $(BUILD)/tests/linux/killer
$(KILLER): tests/linux/host/killer.c
	@mkdir -p $(@D)
	$(HOSTCC) $(filter-out -MMD -MP,$(HOST_CFLAGS)) -D_GNU_SOURCE $< -o $@

boot-programs: $(BOOT_PROGRAMS) $(KILLER)
test-build test-boot: boot-programs

.PHONY: boot-programs
