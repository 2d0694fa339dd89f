/* Between the files of /proc. The object of a process's or thread's directory is its struct thread (for a process: the leader). */
#ifndef FS_PROC_INTERNAL_H
#define FS_PROC_INTERNAL_H

#include <kumo/pseudo.h>
#include <kumo/thread.h>

/* Tables, by file. */
extern const struct pseudo_file process_files[], thread_files[];	    /* process.c */
extern const struct pseudo_dynamic descriptor_names, descriptor_info_names; /* descriptors.c */
extern const struct pseudo_file sysctl_files[];				    /* sysctl.c */
extern const struct pseudo_file namespace_links[];			    /* mounts.c */

/* A number as the name of a file: digits without leading zeros; -1: it is none. */
int number_of_name(const struct name *name);
/* The name of DIR's n-th made entry when names are numbers; see pseudo_emit. */
bool emit_number(struct dir_context *context, unsigned int number, u32 type);

/* The leader, referenced; NULL: the process has been reaped. */
void thread_object_put(void *object);
void thread_object_owner(void *object, u32 *uid, u32 *gid);

/* For pseudo_file.allow: may who opens it look inside the process? 0 or -EACCES. */
int may_inspect(void *object, const struct cred *cred);
int process_inspect_permission(struct process *process, const struct cred *cred) __must_check;

#define OBJECT_LINK(name_, target_, follow_)                                                       \
	{                                                                                          \
		.name = (name_), .mode = S_IFLNK | 0777, .target = (target_), .follow = (follow_), \
		.allow = may_inspect                                                               \
	}

/* process.c */
int process_stat_show(struct text *text, void *object);
int thread_stat_show(struct text *text, void *object);
int status_show(struct text *text, void *object);
int statm_show(struct text *text, void *object);

/* state.c */
int comm_show(struct text *text, void *object);
int comm_store(const char *words, size_t length, void *object, const struct cred *cred);
int limits_show(struct text *text, void *object);
int wchan_show(struct text *text, void *object);
int oom_score_show(struct text *text, void *object);
int core_filter_show(struct text *text, void *object);
int core_filter_store(const char *words, size_t length, void *object, const struct cred *cred);
int oom_old_adjust_show(struct text *text, void *object);
int oom_old_adjust_store(const char *words, size_t length, void *object, const struct cred *cred);
int oom_adjust_show(struct text *text, void *object);
int oom_adjust_store(const char *words, size_t length, void *object, const struct cred *cred);
int cgroup_show(struct text *text, void *object);
int personality_show(struct text *text, void *object);
int process_io_show(struct text *text, void *object);
int thread_io_show(struct text *text, void *object);
int schedstat_show(struct text *text, void *object);
int sched_show(struct text *text, void *object);
int syscall_show(struct text *text, void *object);
int login_uid_show(struct text *text, void *object);
int login_uid_store(const char *words, size_t length, void *object, const struct cred *cred);
int login_session_show(struct text *text, void *object);
int id_map_show(struct text *text, void *object);
int id_map_store(const char *words, size_t length, void *object, const struct cred *cred);
int setgroups_store(const char *words, size_t length, void *object, const struct cred *cred);
int setgroups_show(struct text *text, void *object);
int timer_slack_show(struct text *text, void *object);
int timer_slack_store(const char *words, size_t length, void *object, const struct cred *cred);
int children_next(struct text *text, void *object, u64 *cursor);

/* mounts.c */
void *place_hold(void *object);
void *root_hold(void *object);
void context_release(void *held);
int mounts_table_next(struct text *text, void *held, u64 *cursor);
int mounts_info_next(struct text *text, void *held, u64 *cursor);
int mounts_statistics_next(struct text *text, void *held, u64 *cursor);
int mounts_commands_next(struct text *text, void *held, u64 *cursor);
u32 mounts_poll(void *held, struct file *file, struct poll_table *table, u64 *seen);
#define MOUNTS_FILE(name_, mode_, next_, poll_)                                                    \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .next = (next_), .hold = root_hold,    \
		.release = context_release, .poll = (poll_)                                        \
	}

/* kernel/process_timers.c */
int timers_next(struct text *text, void *object, u64 *cursor);

/* kernel/fault_inject.c; debug build */
int fail_nth_show(struct text *text, void *object);
int fail_nth_store(const char *words, size_t length, void *object, const struct cred *cred);
int make_it_fail_show(struct text *text, void *object);
int make_it_fail_store(const char *words, size_t length, void *object, const struct cred *cred);

/* memory.c */
int maps_next(struct text *text, void *object, u64 *cursor);
int smaps_next(struct text *text, void *object, u64 *cursor);
int command_line_next(struct text *text, void *object, u64 *cursor);
int environment_next(struct text *text, void *object, u64 *cursor);
int smaps_rollup_show(struct text *text, void *object);
int clear_refs_store(const char *words, size_t length, void *object, const struct cred *cred);
extern const struct tree_ops memory_ops;
extern const struct tree_ops page_map_ops;
int auxv_show(struct text *text, void *object);
int exe_target(char *buffer, size_t size, void *object);
int exe_follow(struct path *path, void *object);

/* descriptors.c */
int cwd_target(char *buffer, size_t size, void *object);
int cwd_follow(struct path *path, void *object);
int root_target(char *buffer, size_t size, void *object);
int root_follow(struct path *path, void *object);
/* Prints a path as the target of a link. */
int path_target(const struct path *path, char *buffer, size_t size);

/* system.c */
int stat_show(struct text *text, void *unused);
int meminfo_show(struct text *text, void *unused);
int cpuinfo_next(struct text *text, void *unused, u64 *cursor);
int uptime_show(struct text *text, void *unused);
int loadavg_show(struct text *text, void *unused);
int version_show(struct text *text, void *unused);
int cmdline_show(struct text *text, void *unused);
int interrupts_next(struct text *text, void *unused, u64 *cursor);
int filesystems_show(struct text *text, void *unused);
int locks_next(struct text *text, void *unused, u64 *cursor);
int swaps_show(struct text *text, void *unused);
int vmstat_show(struct text *text, void *unused);
int slabinfo_next(struct text *text, void *unused, u64 *cursor);
int cgroups_show(struct text *text, void *unused);
int consoles_show(struct text *text, void *unused);

#endif
