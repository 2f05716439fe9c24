/* malloc with a forbidden page behind each block, for LD_PRELOAD: who reads or writes behind a block, or uses it after
 * free(), gets SIGSEGV at once. Off until guard_malloc(1) is called, so that imports stay fast; blocks from before are
 * the C library's. Nothing is used twice before all 64 GiB of addresses were. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

#define PAGE 4096UL
#define REGION (64UL << 30)
#define LARGEST (64UL << 20)

struct head { size_t size, pages; };  /* at the start of the first page of a block */

static char *region;
static size_t used;
static int is_on;

void guard_malloc(int on) {
    if (region == NULL) {
        region = mmap(NULL, REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region == MAP_FAILED) { region = NULL; return; }
    }
    __atomic_store_n(&is_on, on, __ATOMIC_SEQ_CST);
}

static int is_ours(void *block) { return region != NULL && (char *)block >= region && (char *)block < region + REGION; }

static struct head *head_of(void *block) {
    /* A pointer to it ends the page before the block's first page. */
    return (struct head *)(((uintptr_t *)((uintptr_t)block & ~(PAGE - 1)))[-1]);
}

static void *take(size_t size) {
    size_t room = (size + 15) & ~15UL;
    if (room == 0) room = 16;
    size_t pages = (room + PAGE - 1) / PAGE;
    size_t total = (pages + 2) * PAGE;  /* head, block, guard */
    size_t at = __atomic_fetch_add(&used, total, __ATOMIC_SEQ_CST);
    if (at + total > REGION) return NULL;
    char *start = region + at;
    if (mprotect(start, (pages + 1) * PAGE, PROT_READ | PROT_WRITE) != 0) return NULL;
    struct head *head = (struct head *)start;
    head->size = size;
    head->pages = pages;
    *(uintptr_t *)(start + PAGE - sizeof(uintptr_t)) = (uintptr_t)head;
    return start + PAGE + pages * PAGE - room;
}

void *malloc(size_t size) {
    if (is_on && size <= LARGEST) {
        void *block = take(size);
        if (block != NULL) { memset(block, 0xA5, size); return block; }
    }
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) { errno = ENOMEM; return NULL; }
    if (is_on && bytes <= LARGEST) {
        void *block = take(bytes);
        if (block != NULL) return block;  /* fresh pages are zero */
    }
    return __libc_calloc(count, size);
}

void free(void *block) {
    if (!is_ours(block)) { __libc_free(block); return; }
    struct head *head = head_of(block);
    size_t bytes = (head->pages + 1) * PAGE;
    madvise(head, bytes, MADV_DONTNEED);
    mprotect(head, bytes, PROT_NONE);
}

void *realloc(void *block, size_t size) {
    if (block == NULL) return malloc(size);
    if (!is_ours(block)) return __libc_realloc(block, size);
    void *other = is_on && size <= LARGEST ? take(size) : __libc_malloc(size);
    if (other == NULL) other = __libc_malloc(size);
    if (other == NULL) return NULL;
    size_t had = head_of(block)->size;
    memcpy(other, block, had < size ? had : size);
    free(block);
    return other;
}

size_t malloc_usable_size(void *block) {
    /* Only what was asked for: who uses more would run into the guard. Blocks of the C library do not get here. */
    return block == NULL ? 0 : is_ours(block) ? head_of(block)->size : (((size_t *)block)[-1] & ~15UL) - 8;
}

void *memalign(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}
