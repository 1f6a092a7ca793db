# mkimage: a manifest in JSON and the programs it names, packed for a boot loader.
MKIMAGE := $(BUILD)/host/mkimage

$(BUILD)/host/tools/mkimage/%.o: tools/mkimage/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -c $< -o $@

$(MKIMAGE): $(BUILD)/host/tools/mkimage/main.o $(BUILD)/host/libimage.a $(BUILD)/host/libwire.a
	$(HOSTCC) $^ -o $@

all: $(MKIMAGE)
