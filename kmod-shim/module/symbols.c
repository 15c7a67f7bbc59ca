// SPDX-License-Identifier: GPL-2.0
/*
 * Functions of the kernel that are not exported.
 *
 * A kprobe that is never armed tells the address. It may lie just behind the function's ENDBR, and functions
 * whose address nobody takes have theirs sealed; so they are called directly, by static calls, never through
 * a pointer.
 */
#include "progmp.h"

#include <linux/kprobes.h>

static int no_register(struct mptcp_sched_ops *ops) { return -ENOSYS; }
static void no_unregister(struct mptcp_sched_ops *ops) { }
static struct mptcp_sched_ops *no_find(const char *name) { return NULL; }
static struct sock *no_choice(struct mptcp_sock *msk) { return NULL; }
static int no_send(struct sock *sk, struct sock *ssk, struct mptcp_data_frag *frag,
		   struct mptcp_sendmsg_info *info) { return -ENOSYS; }
static void no_push(struct sock *ssk, int flags, int mss, int nonagle, int goal) { }
static void no_data_fin(struct sock *sk) { }
static int no_trigger(struct mptcp_sock *msk) { return -ENOSYS; }
static void no_push_pending(struct sock *sk, unsigned int flags) { }
static bool no_resend_all(struct sock *sk) { return false; }
static bool no_active(struct mptcp_subflow_context *ctx) { return false; }

DEFINE_STATIC_CALL(kernel_register, no_register);
DEFINE_STATIC_CALL(kernel_unregister, no_unregister);
DEFINE_STATIC_CALL(kernel_find, no_find);
DEFINE_STATIC_CALL(kernel_get_send, no_choice);
DEFINE_STATIC_CALL(kernel_get_retrans, no_choice);
DEFINE_STATIC_CALL(kernel_send, no_send);
DEFINE_STATIC_CALL(kernel_push, no_push);
DEFINE_STATIC_CALL(kernel_data_fin, no_data_fin);
DEFINE_STATIC_CALL(kernel_trigger, no_trigger);
DEFINE_STATIC_CALL(kernel_push_pending, no_push_pending);
DEFINE_STATIC_CALL(kernel_resend_all, no_resend_all);
DEFINE_STATIC_CALL(kernel_set_pending, no_data_fin);
DEFINE_STATIC_CALL(kernel_active, no_active);

static void *address_of(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	int err = register_kprobe(&probe);

	if (err) {
		pr_err("the kernel has no function %s (%d)\n", name, err);
		return NULL;
	}
	unregister_kprobe(&probe);
	return probe.addr;
}

#define RESOLVE(call, name)							\
	do {									\
		void *address = address_of(name);				\
										\
		if (!address)							\
			return -ENOENT;						\
		__static_call_update(&STATIC_CALL_KEY(call),			\
				     STATIC_CALL_TRAMP_ADDR(call), address);	\
	} while (0)

int resolve_symbols(void)
{
	RESOLVE(kernel_register, "mptcp_register_scheduler");
	RESOLVE(kernel_unregister, "mptcp_unregister_scheduler");
	RESOLVE(kernel_find, "mptcp_sched_find");
	RESOLVE(kernel_get_send, "mptcp_subflow_get_send");
	RESOLVE(kernel_get_retrans, "mptcp_subflow_get_retrans");
	RESOLVE(kernel_send, "mptcp_sendmsg_frag");
	RESOLVE(kernel_push, "tcp_push");
	RESOLVE(kernel_data_fin, "mptcp_check_send_data_fin");
	RESOLVE(kernel_trigger, "mptcp_sched_get_send");
	RESOLVE(kernel_push_pending, "__mptcp_push_pending");
	RESOLVE(kernel_resend_all, "__mptcp_retransmit_pending_data");
	RESOLVE(kernel_set_pending, "mptcp_check_and_set_pending");
	RESOLVE(kernel_active, "mptcp_subflow_active");
	return 0;
}
