/*
 * Suite of address spaces, on ones that no CPU has loaded: mappings are made, touched through mm_access() and vm_fault(),
 * changed and forked.
 */
#include <kumo/kunit.h>
#include <kumo/string.h>
#include <kumo/vm.h>
#include <linux/mman.h>

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static int make_space(struct kunit *test)
{
	test->priv = mm_create();
	return test->priv ? 0 : -ENOMEM;
}

static void drop_space(struct kunit *test)
{
	mm_put(test->priv);
}

static u64 word_at(struct kunit *test, struct mm *mm, unsigned long address)
{
	u64 word = ~0ULL;

	KUNIT_EXPECT_EQ(test, mm_access(mm, address, &word, sizeof(word), false), sizeof(word));
	return word;
}

static void put_word(struct kunit *test, struct mm *mm, unsigned long address, u64 word)
{
	KUNIT_EXPECT_EQ(test, mm_access(mm, address, &word, sizeof(word), true), sizeof(word));
}

static unsigned long map(struct kunit *test, struct mm *mm, unsigned long pages)
{
	long address = vm_map(mm, 0, pages * PAGE_SIZE, READ_WRITE, ANONYMOUS, NULL, 0);

	KUNIT_ASSERT_GT(test, address, 0);
	return address;
}

static void fresh_memory_reads_as_zeros(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 4);

	KUNIT_EXPECT_EQ(test, word_at(test, mm, address), 0);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(mm), 0); /* the zero page does not count */
	put_word(test, mm, address, 7);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address), 7);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address + PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(mm), 1);
}

static void faults_outside_or_against_the_protection_fail(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 2);

	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER | FAULT_WRITE), 0);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address + 2 * PAGE_SIZE, FAULT_USER), -EFAULT);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER | FAULT_EXEC), -EACCES);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address, PAGE_SIZE, PROT_READ), 0);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER | FAULT_WRITE), -EACCES);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER), 0);
}

static void neighbours_that_are_alike_become_one(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 4);

	KUNIT_EXPECT_EQ(test, mm->vma_count, 1);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	KUNIT_EXPECT_EQ(test, mm->vma_count, 3);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address + PAGE_SIZE, PAGE_SIZE, READ_WRITE), 0);
	KUNIT_EXPECT_EQ(test, mm->vma_count, 1);
	KUNIT_EXPECT_EQ(test, mm->total_pages, 4);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, address + PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mm->vma_count, 2);
	KUNIT_EXPECT_EQ(test, mm->total_pages, 3);
}

static void a_page_without_access_keeps_its_contents(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 1);

	put_word(test, mm, address, 42);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address, PAGE_SIZE, PROT_NONE), 0);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER), -EACCES);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address, PAGE_SIZE, READ_WRITE), 0);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address), 42);
}

static void unmapping_frees_the_pages(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 600); /* more than a table */

	KUNIT_EXPECT_EQ(test, vm_populate(mm, address, 600 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(mm), 600);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, address, 600 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(mm), 0);
	KUNIT_EXPECT_EQ(test, mm->vma_count, 0);
}

static void dropped_pages_read_as_zeros_again(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 2);

	put_word(test, mm, address, 1);
	put_word(test, mm, address + PAGE_SIZE, 2);
	KUNIT_EXPECT_EQ(test, vm_advise(mm, address, PAGE_SIZE, MADV_DONTNEED), 0);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address), 0);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address + PAGE_SIZE), 2);
}

static void a_fork_shares_until_one_side_writes(struct kunit *test)
{
	struct mm *mm = test->priv, *child;
	unsigned long address = map(test, mm, 3);

	put_word(test, mm, address, 10);
	put_word(test, mm, address + PAGE_SIZE, 20);
	child = mm_fork(mm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, child);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(child), 2);
	put_word(test, mm, address, 11);
	put_word(test, child, address + PAGE_SIZE, 21);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address), 11);
	KUNIT_EXPECT_EQ(test, word_at(test, child, address), 10);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address + PAGE_SIZE), 20);
	KUNIT_EXPECT_EQ(test, word_at(test, child, address + PAGE_SIZE), 21);
	mm_put(child);
	put_word(test, mm, address + PAGE_SIZE, 22);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address + PAGE_SIZE), 22);
}

static void shared_memory_is_the_same_after_a_fork(struct kunit *test)
{
	struct mm *mm = test->priv, *child;
	long address = vm_map(mm, 0, 2 * PAGE_SIZE, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);

	KUNIT_ASSERT_GT(test, address, 0);
	child = mm_fork(mm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, child);
	put_word(test, mm, address, 5);
	KUNIT_EXPECT_EQ(test, word_at(test, child, address), 5);
	put_word(test, child, address + PAGE_SIZE, 6);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, address + PAGE_SIZE), 6);
	mm_put(child);
}

static void a_moved_mapping_takes_its_pages_along(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 4), other = map(test, mm, 1);
	long moved;

	put_word(test, mm, address + 3 * PAGE_SIZE, 33);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, other, PAGE_SIZE, PROT_READ), 0);
	moved = vm_remap(mm, address, 4 * PAGE_SIZE, 8 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 0x10000000);
	KUNIT_ASSERT_EQ(test, moved, 0x10000000);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, moved + 3 * PAGE_SIZE), 33);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, moved + 7 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, address, FAULT_USER), -EFAULT);
	KUNIT_EXPECT_EQ(test, mm_resident_pages(mm), 1);
}

static void the_break_grows_and_shrinks(struct kunit *test)
{
	struct mm *mm = test->priv;

	mm->brk_start = mm->brk = 0x20000800;
	KUNIT_EXPECT_EQ(test, vm_brk(mm, 0), 0x20000800);
	KUNIT_EXPECT_EQ(test, vm_brk(mm, 0x20005000), 0x20005000);
	put_word(test, mm, 0x20004000, 9);
	KUNIT_EXPECT_EQ(test, vm_brk(mm, 0x20001010), 0x20001010);
	KUNIT_EXPECT_EQ(test, vm_fault(mm, 0x20004000, FAULT_USER), -EFAULT);
	KUNIT_EXPECT_EQ(test, vm_brk(mm, 0x20005000), 0x20005000);
	KUNIT_EXPECT_EQ(test, word_at(test, mm, 0x20004000), 0);
	KUNIT_EXPECT_EQ(test, mm->vma_count, 1);
}

static void wrong_arguments_get_linux_errnos(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 1);

	KUNIT_EXPECT_EQ(test, vm_map(mm, 0, 0, READ_WRITE, ANONYMOUS, NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_map(mm, 0, PAGE_SIZE, READ_WRITE, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_map(mm, 1, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, NULL, 0),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, vm_map(mm, 0, ~0UL & ~0xfffUL, READ_WRITE, ANONYMOUS, NULL, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test,
			vm_map(mm, address, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE,
			       NULL, 0),
			-EEXIST);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, address + 1, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, address, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, USER_END, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, 0x5000000, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address, 2 * PAGE_SIZE, PROT_READ), -ENOMEM);
	KUNIT_EXPECT_EQ(test, vm_protect(mm, address + 1, PAGE_SIZE, PROT_READ), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_advise(mm, address, PAGE_SIZE, 12345), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_remap(mm, 0x5000000, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE, 0),
			-EFAULT);
}

static void many_mappings_leave_no_page_behind(struct kunit *test)
{
	struct mm *mm = test->priv;
	unsigned long address = map(test, mm, 200);

	for (unsigned int i = 0; i < 200; i += 2) {
		put_word(test, mm, address + i * PAGE_SIZE, i);
		KUNIT_EXPECT_EQ(test, vm_protect(mm, address + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	}
	KUNIT_EXPECT_EQ(test, mm->vma_count, 200);
	for (unsigned int i = 0; i < 200; i += 2)
		KUNIT_EXPECT_EQ(test, word_at(test, mm, address + i * PAGE_SIZE), i);
	KUNIT_EXPECT_EQ(test, vm_unmap(mm, address + PAGE_SIZE, 198 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, mm->total_pages, 2);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fresh_memory_reads_as_zeros),
	KUNIT_CASE(faults_outside_or_against_the_protection_fail),
	KUNIT_CASE(neighbours_that_are_alike_become_one),
	KUNIT_CASE(a_page_without_access_keeps_its_contents),
	KUNIT_CASE(unmapping_frees_the_pages),
	KUNIT_CASE(dropped_pages_read_as_zeros_again),
	KUNIT_CASE(a_fork_shares_until_one_side_writes),
	KUNIT_CASE(shared_memory_is_the_same_after_a_fork),
	KUNIT_CASE(a_moved_mapping_takes_its_pages_along),
	KUNIT_CASE(the_break_grows_and_shrinks),
	KUNIT_CASE(wrong_arguments_get_linux_errnos),
	KUNIT_CASE(many_mappings_leave_no_page_behind),
	{},
};

static struct kunit_suite suite = {
	.name = "vm", .init = make_space, .exit = drop_space, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of address spaces");
MODULE_LICENSE("MIT");
