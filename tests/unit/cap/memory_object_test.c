/* MemoryObject, ReadOnlyMemory and Image through the ring. */
#include "kernel/core/endpoint.h"
#include "tests/unit/cap/memory_user.h"

#define MO MEMORY_OBJECT_INTERFACE_ID
#define RO READ_ONLY_MEMORY_INTERFACE_ID
#define IM IMAGE_INTERFACE_ID

TEST(one_memory_in_two_places)
{
    memory_begin();
    cap_id_t object;
    uint64_t a, b, size;
    bool sealed;
    CHECK_OK(vm_create_object(4 * PAGE_SIZE, &object));
    CHECK_OK(face_info(object, MO, &size, &sealed));
    CHECK_EQ(size, 4 * PAGE_SIZE);
    CHECK(!sealed);
    CHECK_OK(face_map(object, MO, 0, 4 * PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a));
    CHECK_OK(face_map(object, MO, PAGE_SIZE, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &b));
    memory_put(a + PAGE_SIZE, 9);
    CHECK_EQ(memory_get(b), 9);
    memory_release(object);
    CHECK_EQ(memory_get(b), 9); /* mappings keep it */
}

TEST(ranges_and_words_without_sense)
{
    memory_begin();
    cap_id_t object;
    uint64_t a;
    CHECK_OK(vm_create_object(4 * PAGE_SIZE, &object));
    CHECK_INVALID(face_map(object, MO, 0, 5 * PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &a),
                  "outside");
    CHECK_INVALID(
        face_map(object, MO, 4 * PAGE_SIZE, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &a),
        "outside");
    CHECK_INVALID(face_map(object, MO, UINT64_MAX & ~(PAGE_SIZE - 1), 2 * PAGE_SIZE,
                           PROTECTION_READ, SHARING_SHARED, &a),
                  "outside");
    CHECK_INVALID(face_map(object, MO, 0, 0, PROTECTION_READ, SHARING_SHARED, &a), "whole pages");
    CHECK_INVALID(face_map(object, MO, 5, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &a),
                  "whole pages");
    CHECK_INVALID(face_map(object, MO, 0, PAGE_SIZE, (enum protection)9, SHARING_SHARED, &a),
                  "no such protection");
    CHECK_INVALID(face_map(object, MO, 0, PAGE_SIZE, PROTECTION_READ, (enum sharing)9, &a),
                  "no such sharing");
}

TEST(only_its_own_mappings_are_unmapped)
{
    memory_begin();
    cap_id_t one, other;
    uint64_t a, b, anonymous;
    CHECK_OK(vm_create_object(2 * PAGE_SIZE, &one));
    CHECK_OK(vm_create_object(2 * PAGE_SIZE, &other));
    CHECK_OK(face_map(one, MO, 0, 2 * PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a));
    CHECK_OK(face_map(other, MO, 0, 2 * PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &b));
    CHECK_OK(vm_map(0, PAGE_SIZE, PROTECTION_READ, &anonymous));
    CHECK_INVALID(face_range(one, MO, MEMORY_OBJECT_METHOD_UNMAP, b, PAGE_SIZE, 0),
                  "not mapped from this");
    CHECK_INVALID(face_range(one, MO, MEMORY_OBJECT_METHOD_UNMAP, a, 3 * PAGE_SIZE, 0),
                  "not mapped from this");
    CHECK_INVALID(face_range(one, MO, MEMORY_OBJECT_METHOD_UNMAP, anonymous, PAGE_SIZE, 0),
                  "not mapped from this");
    CHECK_INVALID(face_range(one, MO, MEMORY_OBJECT_METHOD_PROTECT, b, PAGE_SIZE, PROTECTION_READ),
                  "not mapped from");
    CHECK_OK(face_range(one, MO, MEMORY_OBJECT_METHOD_PROTECT, a, PAGE_SIZE, PROTECTION_READ));
    uint8_t byte = 1;
    CHECK(!user_write(process, a, &byte, 1));
    CHECK_OK(face_range(one, MO, MEMORY_OBJECT_METHOD_UNMAP, a, PAGE_SIZE, 0));
    CHECK(!user_read(process, a, &byte, 1));
    memory_put(a + PAGE_SIZE, 1);
}

TEST(the_read_only_face_reads)
{
    memory_begin();
    cap_id_t object, reader;
    uint64_t a, b, refused, private, size;
    bool sealed;
    CHECK_OK(vm_create_object(PAGE_SIZE, &object));
    CHECK_OK(face_make(object, MEMORY_OBJECT_METHOD_READ_ONLY, &reader));
    CHECK_OK(face_info(reader, RO, &size, &sealed));
    CHECK_EQ(size, PAGE_SIZE);
    CHECK_STATUS(face_info(reader, MO, &size, &sealed), STATUS_WRONG_INTERFACE);
    CHECK_OK(face_map(object, MO, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a));
    memory_put(a, 3);
    CHECK_OK(face_map(reader, RO, 0, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &b));
    CHECK_EQ(memory_get(b), 3);
    CHECK_INVALID(
        face_map(reader, RO, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &refused),
        "does not allow");
    uint32_t last = process->denial_count - 1;
    CHECK_EQ(process->denials[last % DENIALS_KEPT].reason, DENIAL_REASON_ATTENUATED);
    CHECK_INVALID(
        face_map(reader, RO, 0, PAGE_SIZE, PROTECTION_READ_EXECUTE, SHARING_SHARED, &refused),
        "does not allow");
    CHECK_OK(face_map(reader, RO, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_PRIVATE, &private));
    memory_put(private, 4);
    CHECK_EQ(memory_get(a), 3);
}

TEST(a_read_only_mapping_is_not_made_writable_behind_its_back)
{
    memory_begin();
    cap_id_t object, reader;
    uint64_t shared;
    CHECK_OK(vm_create_object(PAGE_SIZE, &object));
    CHECK_OK(face_make(object, MEMORY_OBJECT_METHOD_READ_ONLY, &reader));
    CHECK_OK(face_map(reader, RO, 0, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &shared));
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, shared, PAGE_SIZE, PROTECTION_READ_WRITE),
                  "does not allow");
    CHECK_INVALID(face_range(object, MO, MEMORY_OBJECT_METHOD_PROTECT, shared, PAGE_SIZE,
                             PROTECTION_READ_WRITE),
                  "does not allow");
}

TEST(sealing_makes_an_image)
{
    memory_begin();
    cap_id_t object, image, again;
    uint64_t a, code, size;
    bool sealed;
    CHECK_OK(vm_create_object(PAGE_SIZE, &object));
    CHECK_OK(face_map(object, MO, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a));
    CHECK_STATUS(face_make(object, MEMORY_OBJECT_METHOD_SEAL, &image), STATUS_EXCEPTION);
    memory_check_exception(EXCEPTION_TYPE_FAILED, "writable");
    CHECK_OK(face_range(object, MO, MEMORY_OBJECT_METHOD_UNMAP, a, PAGE_SIZE, 0));
    CHECK_OK(face_make(object, MEMORY_OBJECT_METHOD_SEAL, &image));
    CHECK_OK(face_make(object, MEMORY_OBJECT_METHOD_SEAL, &again));
    CHECK_OK(face_info(image, IM, &size, &sealed));
    CHECK(sealed && size == PAGE_SIZE);
    CHECK_OK(face_info(object, MO, &size, &sealed));
    CHECK(sealed);
    /* To run here what one made oneself is CodeMemory's authority. */
    CHECK_INVALID(face_map(image, IM, 0, PAGE_SIZE, PROTECTION_READ_EXECUTE, SHARING_SHARED, &code),
                  "does not allow");
    CHECK_OK(face_map(image, IM, 0, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &code));
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, code, PAGE_SIZE, PROTECTION_READ_EXECUTE),
                  "does not allow");
    CHECK_INVALID(face_map(object, MO, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a),
                  "does not allow");
    CHECK_INVALID(face_map(image, IM, 0, PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &a),
                  "does not allow");
    CHECK_OK(face_range(image, IM, IMAGE_METHOD_UNMAP, code, PAGE_SIZE, 0));
}

TEST(sealing_fails_while_another_can_write)
{
    memory_begin();
    cap_id_t object, image;
    CHECK_OK(vm_create_object(PAGE_SIZE, &object));
    struct object *o;
    CHECK_OK(cap_table_look_up(&process->table, object, &o));
    cap_id_t other = sim_grant(process, o);
    CHECK_STATUS(face_make(object, MEMORY_OBJECT_METHOD_SEAL, &image), STATUS_EXCEPTION);
    memory_release(other);
    CHECK_OK(face_make(object, MEMORY_OBJECT_METHOD_SEAL, &image));
}

TEST(the_creator_pays_until_the_memory_goes)
{
    memory_begin();
    uint64_t frames = process->account->used[LEDGER_FRAMES],
             bytes = process->account->used[LEDGER_KERNEL_BYTES];
    cap_id_t object;
    CHECK_OK(vm_create_object(100 * PAGE_SIZE, &object));
    CHECK_EQ(process->account->used[LEDGER_FRAMES], frames + 101);
    memory_release(object);
    CHECK_EQ(process->account->used[LEDGER_FRAMES], frames);
    CHECK_EQ(process->account->used[LEDGER_KERNEL_BYTES], bytes);
}

static struct object *make_forwarder(cap_id_t target, struct object **cutter)
{
    struct object *o, *forwarder;
    CHECK_OK(cap_table_look_up(&process->table, target, &o));
    CHECK_OK(forwarder_create(&ledger_root, o, &forwarder, cutter));
    return forwarder;
}

TEST(cutting_unmaps_what_was_mapped_through)
{
    memory_begin();
    cap_id_t object;
    uint64_t direct, through, parts;
    struct object *outer, *inner, *cutter, *inner_cutter;
    CHECK_OK(vm_create_object(4 * PAGE_SIZE, &object));
    inner = make_forwarder(object, &inner_cutter);
    CHECK_OK(forwarder_create(&ledger_root, inner, &outer, &cutter));
    cap_id_t once = sim_grant(process, inner), twice = sim_grant(process, outer);
    CHECK_OK(
        face_map(object, MO, 0, 4 * PAGE_SIZE, PROTECTION_READ_WRITE, SHARING_SHARED, &direct));
    CHECK_OK(face_map(once, MO, 0, 4 * PAGE_SIZE, PROTECTION_READ, SHARING_SHARED, &parts));
    CHECK_OK(face_map(twice, MO, 0, 4 * PAGE_SIZE, PROTECTION_READ, SHARING_PRIVATE, &through));
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, parts + PAGE_SIZE, PAGE_SIZE, 0));
    memory_put(direct, 6);
    CHECK_EQ(memory_get(through), 6);
    struct address_space *child;
    CHECK_OK(address_space_create(&ledger_root, &child));
    CHECK_OK(address_space_fork(process->space, child));
    CHECK_EQ(child->revocable, 3);
    forwarder_cut(cutter);
    uint8_t byte;
    CHECK(!user_read(process, through, &byte, 1));
    CHECK_EQ(memory_get(parts), 6); /* the inner one still holds */
    memory_release(once);
    memory_release(twice);
    forwarder_cut(inner_cutter);
    CHECK(!user_read(process, parts, &byte, 1));
    CHECK(!user_read(process, parts + 2 * PAGE_SIZE, &byte, 1));
    CHECK_EQ(memory_get(direct), 6);
    CHECK_EQ(process->space->revocable, 0);
    address_space_revoke(child, inner);
    CHECK_EQ(child->revocable, 1); /* of no process, so it was not found */
    address_space_destroy(child);
    object_put(inner);
    object_put(outer);
    object_put(cutter);
    object_put(inner_cutter);
}

TEST(neighbours_through_different_ways_stay_apart)
{
    memory_begin();
    cap_id_t object;
    uint64_t address = 0x200000000000, got;
    struct object *cutter, *forwarder, *face;
    CHECK_OK(vm_create_object(2 * PAGE_SIZE, &object));
    forwarder = make_forwarder(object, &cutter);
    CHECK_OK(cap_table_look_up(&process->table, object, &face));
    uint64_t mappings = process->account->used[LEDGER_MAPPINGS];
    CHECK_OK(address_space_map_object(process->space, face, NULL, true, address, true, 0, PAGE_SIZE,
                                      PROTECTION_READ, SHARING_SHARED, &got));
    CHECK_OK(address_space_map_object(process->space, face, forwarder, false, address + PAGE_SIZE,
                                      false, PAGE_SIZE, PAGE_SIZE, PROTECTION_READ, SHARING_SHARED,
                                      &got));
    CHECK_EQ(got, address + PAGE_SIZE);
    CHECK_EQ(process->account->used[LEDGER_MAPPINGS], mappings + 2);
    forwarder_cut(cutter);
    CHECK_EQ(memory_get(address), 0);
    CHECK_EQ(process->account->used[LEDGER_MAPPINGS], mappings + 1);
    object_put(forwarder);
    object_put(cutter);
}
