/* store_disk_file.c -- the file of store_disk_file.h: one image, and a list of changes that can be undone and redone.
 *
 *     write A, write B, shorten       the image shows all three
 *     shorten, B, A undone            the image is what was synced; the changes hold what they had written
 *     A, half of B redone             one of the many things a drive may do when the power goes
 *
 * Power loss rarely spreads its losses evenly: often all that was unsynced is gone, or all of it arrived. So each file
 * first draws whether this is such a time, and only otherwise each change draws for itself. */
#include "node/store_disk_file.h"

#include "base/mem.h"
#include "net/sim.h"

#include <assert.h>
#include <stdlib.h>

struct disk_change {
    struct disk_change *next; /* the next older one; once undone, the next newer one */
    size_t offset, bytes;     /* the part of the image it touched */
    size_t bytes_before;      /* of the whole file */
    bool shortens;
    uint8_t other[]; /* what that part held before; once undone, what it held after */
};

enum fate { FATE_GONE, FATE_THERE, FATE_TORN };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

void disk_file_fini(struct disk_file *f)
{
    disk_file_sync(f);
    image_fini(&f->image);
    f->bytes = 0;
}

size_t disk_file_read(const struct disk_file *f, size_t offset, struct span out)
{
    image_read(&f->image, offset, out);
    return offset < f->bytes ? min(out.bytes, f->bytes - offset) : 0;
}

/* --- changes --- */

static void put(struct disk_file *f, size_t offset, struct slice bytes)
{
    size_t end = offset + bytes.bytes;
    image_write(&f->image, offset, bytes);
    if (end > f->bytes) f->bytes = end;
}

static void cut(struct disk_file *f, size_t bytes)
{
    image_cut(&f->image, bytes);
    f->bytes = bytes;
}

static void remember(struct disk_file *f, size_t offset, size_t bytes, bool shortens)
{
    struct disk_change *c = mem_new(sizeof *c + bytes);
    c->next = f->unsynced;
    c->offset = offset;
    c->bytes = bytes;
    c->bytes_before = f->bytes;
    c->shortens = shortens;
    image_read(&f->image, offset, (struct span){c->other, bytes});
    f->unsynced = c;
}

void disk_file_write(struct disk_file *f, size_t offset, struct slice bytes)
{
    remember(f, offset, bytes.bytes, false);
    put(f, offset, bytes);
}

void disk_file_shorten(struct disk_file *f, size_t bytes)
{
    size_t stored = image_end(&f->image);
    if (bytes >= f->bytes) return;
    remember(f, bytes, stored > bytes ? stored - bytes : 0, true);
    cut(f, bytes);
}

void disk_file_sync(struct disk_file *f)
{
    for (struct disk_change *c; (c = f->unsynced);) {
        f->unsynced = c->next;
        free(c);
    }
}

/* --- power loss --- */

static void undo(struct disk_file *f, struct disk_change *c)
{
    uint8_t *now = mem_new(c->bytes);
    image_read(&f->image, c->offset, (struct span){now, c->bytes});
    image_write(&f->image, c->offset, slice_of(c->other, c->bytes));
    memcpy(c->other, now, c->bytes);
    free(now);
    f->bytes = c->bytes_before;
}

/* All changes undone; the oldest is the first of the list. */
static struct disk_change *undo_all(struct disk_file *f)
{
    struct disk_change *undone = NULL;
    for (struct disk_change *c; (c = f->unsynced);) {
        f->unsynced = c->next;
        undo(f, c);
        c->next = undone;
        undone = c;
    }
    return undone;
}

static void redo_write(struct disk_file *f, const struct disk_change *c, enum fate fate, uint64_t *random)
{
    size_t end = c->offset + c->bytes;
    for (size_t at = c->offset, next; at < end; at = next) {
        next = min(end, (at / DISK_SECTOR_BYTES + 1) * DISK_SECTOR_BYTES);
        if (fate == FATE_TORN && sim_draw(random) % 2 == 0) continue;
        put(f, at, slice_of(c->other + (at - c->offset), next - at));
    }
}

static void redo(struct disk_file *f, const struct disk_change *c, enum fate fate, uint64_t *random)
{
    if (fate == FATE_GONE) return;
    if (!c->shortens) redo_write(f, c, fate, random);
    else if (f->bytes > c->offset) cut(f, c->offset);
}

void disk_file_lose(struct disk_file *f, uint64_t *random)
{
    struct disk_change *undone = undo_all(f);
    uint64_t luck = sim_draw(random) % 4;

    for (struct disk_change *c; (c = undone);) {
        undone = c->next;
        redo(f, c, (enum fate)(luck <= FATE_THERE ? luck : sim_draw(random) % 3), random);
        free(c);
    }
}

/* --- as a whole --- */

void disk_file_flip(struct disk_file *f, size_t offset, uint8_t bits)
{
    uint8_t byte;
    assert(offset < f->bytes);
    image_read(&f->image, offset, (struct span){&byte, 1});
    byte ^= bits;
    image_write(&f->image, offset, slice_of(&byte, 1));
}

void disk_file_copy(const struct disk_file *from, struct disk_file *to)
{
    image_copy(&from->image, &to->image);
    to->bytes = from->bytes;
}
