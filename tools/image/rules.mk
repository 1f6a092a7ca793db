# What the host's tools share: files, JSON, ELF, manifests, boot packages.
IMAGE_SRCS := $(wildcard tools/image/*.c)
IMAGE_LIB := $(BUILD)/host/libimage.a

$(BUILD)/host/tools/image/%.o: tools/image/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -c $< -o $@

$(IMAGE_LIB): $(IMAGE_SRCS:%.c=$(BUILD)/host/%.o)
	rm -f $@
	$(AR) rcs $@ $^
