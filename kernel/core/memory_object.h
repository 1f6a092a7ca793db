/* MemoryObject: memory with an identity. One object, three faces: writable (MemoryObject),
 * read-only (ReadOnlyMemory), executable (Image, once sealed). Each face is a struct object of its
 * own; the memory goes when the last reference to any face and the last mapping are gone. There is
 * one writable face, and a new one of the others for who asks.
 *
 * Frames are charged to the account that created the object until it goes, all at creation; they
 * are allocated when first touched. A boot image's frames lie in the boot package and are never
 * freed. */
#pragma once

#include "kernel/core/ledger.h"
#include "kernel/core/object.h"

struct memory_object;

extern const struct object_class memory_object_class, read_only_memory_class, image_class;

/* On success *out is the writable face with one reference. Errors: framesExhausted, bytesExhausted,
 * overflow. */
status_t memory_object_create(struct account *a, uint64_t size, struct object **out) MUST_CHECK;
/* An Image over `pages` frames that are there already and stay: the boot package. size in bytes. */
status_t memory_object_create_boot(frame_t first, uint64_t size, struct object **image) MUST_CHECK;
/* NULL if `o` is none of the three faces. No reference is taken. */
struct memory_object *memory_object_of(struct object *o);
uint64_t memory_object_size(const struct memory_object *m);
bool memory_object_sealed(const struct memory_object *m);
/* The boot package's: no program has made it. */
bool memory_object_packaged(const struct memory_object *m);
/* Another face, with one reference, charged to `a`. make_image seals; it fails with badState while
 * a writable mapping or, besides `writable` with its one reference, a writable capability exists.
 * Error of both: bytesExhausted. */
status_t memory_object_make_read_only(struct memory_object *m, struct account *a,
                                      struct object **out) MUST_CHECK;
status_t memory_object_make_image(struct object *writable, struct account *a,
                                  struct object **out) MUST_CHECK;
/* The frame that holds page `index`, or FRAME_NONE for a hole. allocate: a hole gets a frame of
 * zeroes, and FRAME_NONE says that the machine has none left. */
frame_t memory_object_frame(struct memory_object *m, uint64_t index, bool allocate);
void memory_object_mapping_added(struct memory_object *m, bool writable);
void memory_object_mapping_removed(struct memory_object *m, bool writable);
/* Reads from the object's content, for the ELF check; holes read as zero. The range must lie
 * inside. */
void memory_object_read(struct memory_object *m, uint64_t offset, void *out, size_t size);
