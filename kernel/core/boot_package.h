/* The boot package, checked: what abi/boot_package.h describes, as the kernel reads it. Written
 * once at the start of the machine and only read after that. Used by boot.c, by the BootPackage
 * object and by the RestrictedLauncher. */
#pragma once

#include "kernel/core/types.h"
#include "lib/wire/wire.h"

struct object;

/* Checks the header and every entry. A package from before is forgotten: its images go with their
 * last other reference. reason: a sentence for the log. Error: badMessage. */
status_t boot_package_open(frame_t first, uint64_t size, const char **reason) MUST_CHECK;
/* A binary by name, as an Image with a new reference; the same object each time. The manifest is no
 * binary. Errors: notFound, bytesExhausted. */
status_t boot_package_image(const char *name, size_t name_size, struct object **image) MUST_CHECK;
/* The name under which the package has an Image; "" if it does not come from there. */
const char *boot_package_name_of(const struct object *image);
/* The manifest's bytes; they never change. */
struct wire_span boot_package_manifest_bytes(void);
