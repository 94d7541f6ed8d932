// SPDX-License-Identifier: MIT
/*
 * The kernel's own functions, by what they are for. A kernel does not say which file a function is
 * from, but its names are systematic: each family is a list of patterns, and the first that fits
 * counts. It need not be perfect, for the functions themselves are listed too.
 */
#include <fnmatch.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "tests/bench/breakdown/names.h"

#define ENTRY	  "system call entry and exit"
#define VFS	  "VFS"
#define FILES	  "tmpfs, ext4, page cache"
#define IO_URING  "io_uring"
#define WAITING	  "eventfd, epoll, futex"
#define SECURITY  "security modules"
#define COPIES	  "copies"
#define MEMORY	  "memory"
#define LOCKS	  "locks, RCU"
#define SCHEDULER "scheduler, wake-ups"
#define TIMERS	  "interrupts, timers"
#define PROCESSOR "processor state, FPU"
#define OTHER	  "other"

const char *const families[] = {
	ENTRY,	VFS,   FILES,	  IO_URING, WAITING,   SECURITY, COPIES,
	MEMORY, LOCKS, SCHEDULER, TIMERS,   PROCESSOR, OTHER,	 NULL,
};

static const struct {
	const char *family;
	const char *patterns;
} rules[] = {
	/* Or they would be taken for locks'. */
	{VFS, "__d_lookup* file_free_rcu inode_free_by_rcu task_lookup_fd_rcu"},
	{ENTRY, "entry_SYS* do_syscall_64 x64_sys_call syscall_* __x64_sys_* exit_to_user_mode_* "
		"swapgs_restore_* xfer_to_guest_mode* task_work_* __rseq_* amd_clear_divider "
		"__do_sys_* mem_cgroup_handle_*"},
	{SECURITY, "security_* apparmor_* aa_* tomoyo_* bpf_lsm_* hook_* ima_* evm_* integrity_* "
		   "common_perm* cap_* process_measurement yama_* __ptrace_may_access "
		   "ptrace_may_access landlock_* bpf_inode_storage_* key_put put_cred* "
		   "override_creds revert_creds prepare_creds commit_creds *groups* __sys_setfs?id "
		   "ns_capable* capable*"},
	{PROCESSOR, "fpu_* fpregs_* *_fpregs_* switch_fpu_* *_gdt native_load_* native_*_msr "
		    "*load_gs_index* x86_virt_spec_ctrl preempt_notifier_* get_cpu_entry_area "
		    "*user_return_notifier* __x86_indirect_thunk_* __x86_return_thunk "
		    "__indirect_thunk_*"},
	{IO_URING, "io_* __io_* *io_uring* tctx_task_work* ctx_flush_and_put loop_rw_iter"},
	{WAITING, "eventfd_* *epoll* ep_* futex_* __futex_* do_futex get_futex_* do_poll* "
		  "do_sys_poll poll_* __pollwait hash_futex fault_in_user_* wake_q_* wake_up_q "
		  "attach_to_pi* select_estimate*"},
	{FILES, "shmem_* simple_* ext4_* __ext4_* jbd2_* generic_file_* generic_perform_* "
		"generic_write_* *filemap_* *folio* mapping_* balance_dirty_* truncate_* "
		"find_get_entries find_lock_entries mark_page_accessed page_cache_* dcache_* "
		"noop_fsync write_inode_now inode_to_bdi xas_* xa_* find_get_page* "
		"find_lock_page*"},
	{COPIES, "copy_* _copy_* __copy_* memcpy* memset* memmove* clear_page* clear_user* "
		 "__get_user* __put_user* strncpy_from_user str* __check_object_size "
		 "__check_heap_object check_stack_object __virt_addr_valid *iov_iter_* "
		 "*import_iovec* iovec_from_user* is_vmalloc_addr page_copy_sane cp_* memcmp "
		 "check_heap_object"},
	{MEMORY, "*kmalloc* kfree* *kmem_cache_* *slab* cache_from_obj kvfree* kvmalloc* "
		 "alloc_pages* __alloc_pages* *free_pages* free_unref_* free_pcp_* get_page_from_* "
		 "get_partial_* cmpxchg_double_* put_cpu_partial should_fail* memcg_* "
		 "*mem_cgroup_* mod_*_state* *radix_tree_* idr_* node_tag_clear delete_node "
		 "mempolicy_* policy_* mpol_* *get_user_pages* try_grab_* *handle_mm_* *_fault* "
		 "fault_* pud_huge pmd_huge rmqueue* __rmqueue* __unfreeze_* setup_object zone_* "
		 "__zone_* vma_* find_vma* mas_* unmap_* do_anonymous_page PageHeadHuge "
		 "unpin_user_page* gup_* percpu_counter_* extfrag_*"},
	{LOCKS, "*_spin_* *rcu* *_lock *_unlock mutex_* down_* up_* rwsem_* __mutex_* _raw_* "
		"__init_rwsem lockref_* refcount_* _atomic_* *note_gp_* *cond_resched* "
		"*local_bh_* *_nocb_*"},
	{TIMERS, "*irq_* *irq *_irqs irqentry_* asm_* *hrtimer* *timer* tick_* ktime_* *softirq* "
		 "*clock* *apic* timekeeping_* clockevents_* update_process_times account_* "
		 "__run_timers native_irq_* error_* sync_regs *common_interrupt* note_interrupt "
		 "kvm_guest_apic_* cpuacct_* update_wall_time update_vsyscall update_fast_* ntp_* "
		 "*jiffies* calc_wheel_index detach_if_pending sysvec_* perf_event_task_tick "
		 "profile_tick trigger_load_balance restore_regs_* early_xen_iret_* *IPI* read_tsc "
		 "check_tsc_* irq_entries_start current_time kick_process fast_mix run_posix_*"},
	{SCHEDULER,
	 "schedule* __schedule *_fair *_task_* *_entity try_to_wake_up *wake_up* "
	 "*waitqueue* finish_*wait prepare_to_*wait* swake_* ttwu_* resched_* update_curr "
	 "update_load_avg* __update_load_* update_rq_* update_min_* update_cfs_* *_rt *_dl "
	 "*_stop switch_mm* __switch_to* finish_task_switch* enter_lazy_tlb psi_* "
	 "check_preempt* *_cfs_* *kthread* worker_* process_one_work *queue_work* wq_* "
	 "sched_* rb_* complete preempt_* *init_wait* bit_waitqueue set_next_buddy "
	 "clear_buddies completion_done *smpboot* idle_cpu"},
	{VFS, "vfs_* do_* path_* *lookup* filename_* __filename_* getname* putname link_path_* "
	      "step_into walk_* nd_* *dput* d_* __d_* *dentry* *inode* iput ihold *fget* *fput* "
	      "*fdget* fd_* *_fd *_fd_flags close_* filp_* *_file* generic_* mnt* *_mnt* may_* "
	      "*legitimize* terminate_walk complete_walk handle_dots touch_atime atime_* "
	      "fsnotify* *fsnotify* dnotify_* locks_* iget* map_id_* from_k?id* make_k?id "
	      "rw_verify_area "
	      "*posix_acl* *cached_acl *_nlink proc_* pid_* finish_open evict mode_strip_* "
	      "build_open_flags expand_files errseq_sample always_delete_* task_lookup_* "
	      "tid_fd_* task_dump_owner get_pid_task put_pid try_to_unlazy* current_umask "
	      "is_subdir *xattr* iterate_dir filldir* pick_file fasync_* i_callback call_proc_*"},
};

static bool fits(const char *patterns, const char *function)
{
	char pattern[64]; /* longer than any of ours */

	while (*patterns) {
		size_t n = strcspn(patterns, " ");

		memcpy(pattern, patterns, n);
		pattern[n] = '\0';
		if (!fnmatch(pattern, function, 0))
			return true;
		patterns += n + (patterns[n] == ' ');
	}
	return false;
}

const char *family_of(const char *function)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (fits(rules[i].patterns, function))
			return rules[i].family;
	}
	return OTHER;
}
