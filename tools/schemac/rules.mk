# schemac, the code generator. Generated files are committed, so that only who changes the schema
# needs the capnp tool: `make generate` writes them, `make generated-check` fails if they differ from
# what the schema gives.
SCHEMAC_SRCS := $(wildcard tools/schemac/*.c)
SCHEMAC := $(BUILD)/host/schemac
GENERATED := abi/gen kernel/gen lib/wire/gen lib/capos/gen tools/capos/gen docs/objects

$(BUILD)/host/tools/schemac/%.o: tools/schemac/%.c
	@mkdir -p $(@D)
	@$(CC) $(HOST_CFLAGS) -D_GNU_SOURCE -c $< -o $@

$(SCHEMAC): $(SCHEMAC_SRCS:%.c=$(BUILD)/host/%.o) $(WIRE_SRCS:%.c=$(BUILD)/host/%.o)
	@$(CC) $^ -o $@

$(BUILD)/host/capos.request: schema/capos.capnp
	@mkdir -p $(@D)
	@capnp compile -o- $< >$@

# Also removes what is no longer generated.
generate: $(SCHEMAC) $(BUILD)/host/capos.request
	@$(SCHEMAC) <$(BUILD)/host/capos.request
	@rm -rf $(BUILD)/generated
	@$(SCHEMAC) --root $(BUILD)/generated <$(BUILD)/host/capos.request
	@for file in $$(find $(GENERATED) -type f); do \
		if [ ! -e $(BUILD)/generated/$$file ]; then rm $$file; fi; \
	done

# In a tree of its own, so that a stale file that is no longer generated is seen as well.
generated-check: $(SCHEMAC) $(BUILD)/host/capos.request
	@rm -rf $(BUILD)/generated
	@$(SCHEMAC) --root $(BUILD)/generated <$(BUILD)/host/capos.request
	@failed=0; for folder in $(GENERATED); do \
		diff -rN $$folder $(BUILD)/generated/$$folder || failed=1; \
	done; \
	if [ $$failed = 1 ]; then echo "generated files differ from the schema: run make generate"; \
		exit 1; fi

.PHONY: generate generated-check
