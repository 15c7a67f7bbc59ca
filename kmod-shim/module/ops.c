// SPDX-License-Identifier: GPL-2.0
/*
 * Loaded schedulers: the struct_ops type `progmp_ops` and the kernel function that hands out the block.
 *
 * The BPF core owns a scheduler's table of operations from reg() to unreg() and frees it a grace period later;
 * programs run under rcu_read_lock.
 */
#include "progmp.h"

#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/ctype.h>

static LIST_HEAD(scheds);
static DEFINE_MUTEX(scheds_lock);
static u64 sched_numbers;

__bpf_kfunc_start_defs();

/* The block, if it has at least the size that the program was made for. */
__bpf_kfunc u64 *progmp_block(struct progmp_env *env, const int rdwr_buf_size)
{
	return rdwr_buf_size > (int)sizeof(struct progmp_block) ? NULL : (u64 *)env->block;
}

__bpf_kfunc_end_defs();

#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0	/* all arguments are trusted in later kernels */
#endif

BTF_KFUNCS_START(progmp_kfuncs)
BTF_ID_FLAGS(func, progmp_block, KF_RET_NULL | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(progmp_kfuncs)

static const struct btf_kfunc_id_set kfunc_set = {
	.owner = THIS_MODULE,
	.set = &progmp_kfuncs,
};

static struct sched *sched_named(const char *name)
{
	struct sched *sched;

	lockdep_assert_held(&scheds_lock);
	list_for_each_entry(sched, &scheds, list)
		if (!strcmp(sched->name, name))
			return sched;
	return NULL;
}

struct sched *sched_find(const char *name)
{
	struct sched *sched;

	mutex_lock(&scheds_lock);
	sched = sched_named(name);
	if (sched)
		refcount_inc(&sched->ref);
	mutex_unlock(&scheds_lock);
	return sched;
}

struct sched *sched_at(u32 index)
{
	struct sched *sched, *found = NULL;

	mutex_lock(&scheds_lock);
	list_for_each_entry(sched, &scheds, list)
		if (!index--) {
			found = sched;
			refcount_inc(&sched->ref);
			break;
		}
	mutex_unlock(&scheds_lock);
	return found;
}

void sched_put(struct sched *sched)
{
	if (sched && refcount_dec_and_test(&sched->ref))
		kfree_rcu(sched, rcu);
}

bool sched_has_program(const struct sched *sched)
{
	return rcu_access_pointer(sched->ops);
}

/*
 * It may be replaced at any time, but the block was filled for one program, within what is proved of that: `number`.
 * Another one does not run on it.
 */
enum ran sched_run(struct sched *sched, struct progmp_env *env, u64 number, u32 *flags)
{
	enum ran ran = GONE;
	struct progmp_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(sched->ops);
	smp_rmb();	/* a new program comes after its number */
	if (ops && READ_ONCE(sched->number) != number) {
		ran = REPLACED;
	} else if (ops) {
		ran = RAN;
		*flags = ops->flags | (ops->subflows ? 0 : PROGMP_UNPROVED);
		ops->schedule(env);
	}
	rcu_read_unlock();
	return ran;
}

static void sched_describe(struct sched *sched, const struct progmp_ops *ops)
{
	sched->subflows = ops->subflows ? min_t(u32, ops->subflows, PROGMP_SUBFLOWS) : PROGMP_SUBFLOWS;
	sched->packets = ops->packets ? min_t(u32, ops->packets, PROGMP_QUEUE_MAX) : PROGMP_QUEUE_MAX;
	sched->needs = ops->needs;
	sched->flags = ops->flags;
	if (!ops->subflows)
		sched->flags |= PROGMP_UNPROVED;
	memcpy(sched->source, ops->source, sizeof(sched->source));
	/* who sees the number sees all of the above */
	smp_store_release(&sched->number, ++sched_numbers);
	if (sched->flags & PROGMP_UNPROVED)
		pr_warn("scheduler %s is loaded without a proof\n", sched->name);
}

static int ops_reg(void *kdata, struct bpf_link *link)
{
	struct progmp_ops *ops = kdata;
	struct sched *sched;
	int err = 0;

	sched = kzalloc(sizeof(*sched), GFP_KERNEL);
	if (!sched)
		return -ENOMEM;
	strscpy(sched->name, ops->name, sizeof(sched->name));
	refcount_set(&sched->ref, 1);
	spin_lock_init(&sched->lock);
	mutex_lock(&scheds_lock);
	if (sched_named(sched->name)) {
		err = -EEXIST;
	} else {
		sched_describe(sched, ops);
		rcu_assign_pointer(sched->ops, ops);
		list_add_tail(&sched->list, &scheds);
	}
	mutex_unlock(&scheds_lock);
	if (err)
		kfree(sched);
	return err;
}

static void ops_unreg(void *kdata, struct bpf_link *link)
{
	struct progmp_ops *ops = kdata;
	struct sched *sched;

	mutex_lock(&scheds_lock);
	sched = sched_named(ops->name);
	if (sched && rcu_access_pointer(sched->ops) == ops) {
		list_del(&sched->list);
		RCU_INIT_POINTER(sched->ops, NULL);
	} else {
		sched = NULL;
	}
	mutex_unlock(&scheds_lock);
	if (!sched)
		return;
	synchronize_rcu();
	conn_sched_gone(sched);
	sched_put(sched);
}

/* Another program of the same name takes the place of the old one. */
static int ops_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	struct progmp_ops *ops = kdata, *old = old_kdata;
	struct sched *sched;
	int err = -ENOENT;

	if (strcmp(ops->name, old->name))
		return -EINVAL;
	mutex_lock(&scheds_lock);
	sched = sched_named(ops->name);
	if (sched && rcu_access_pointer(sched->ops) == old) {
		sched_describe(sched, ops);
		rcu_assign_pointer(sched->ops, ops);
		err = 0;
	}
	mutex_unlock(&scheds_lock);
	if (!err)
		synchronize_rcu();
	return err;
}

static const struct {
	u32 bit;
	const char *name;
} cannot_give[] = {
	{ PROGMP_BW_OUT_SEND, "BW_OUT_SEND" },
	{ PROGMP_DELAY_IN, "DELAY_IN" },
	{ PROGMP_DELAY_OUT, "DELAY_OUT" },
};

/* Names stand in paths and in the kernel's log. */
static bool is_name(const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if (!isascii(*c) || !isgraph(*c) || *c == '/')
			return false;
	return c != name;
}

static int ops_validate(void *kdata)
{
	const struct progmp_ops *ops = kdata;
	int i;

	if (!ops->schedule || !is_name(ops->name))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(cannot_give); i++)
		if (ops->needs & cannot_give[i].bit) {
			pr_err("scheduler %s is refused: this kernel gives no %s\n", ops->name,
			       cannot_give[i].name);
			return -EOPNOTSUPP;
		}
	return 0;
}

static int ops_init_member(const struct btf_type *type, const struct btf_member *member, void *kdata,
			   const void *udata)
{
	const struct progmp_ops *from = udata;
	struct progmp_ops *to = kdata;
	u32 offset = __btf_member_bit_offset(type, member) / 8;

	if (offset < offsetof(struct progmp_ops, name))
		return 0;
	if (offset == offsetof(struct progmp_ops, name)) {
		if (strscpy(to->name, from->name, sizeof(to->name)) < 0)
			return -EINVAL;
		return 1;
	}
	/* everything behind the name is plain data */
	memcpy((void *)to + sizeof(to->schedule) + sizeof(to->name),
	       (void *)from + sizeof(to->schedule) + sizeof(to->name),
	       sizeof(*to) - sizeof(to->schedule) - sizeof(to->name));
	return 1;
}

static int ops_init_btf(struct btf *btf)
{
	return 0;
}

static bool ops_access(int offset, int size, enum bpf_access_type type, const struct bpf_prog *prog,
		       struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(offset, size, type, prog, info);
}

static const struct bpf_verifier_ops verifier_ops = {
	.get_func_proto = bpf_base_func_proto,
	.is_valid_access = ops_access,
};

static int schedule_stub(struct progmp_env *env)
{
	return 0;
}

static struct progmp_ops stubs = {
	.schedule = schedule_stub,
};

static struct bpf_struct_ops struct_ops = {
	.verifier_ops = &verifier_ops,
	.init = ops_init_btf,
	.init_member = ops_init_member,
	.validate = ops_validate,
	.reg = ops_reg,
	.unreg = ops_unreg,
	.update = ops_update,
	.cfi_stubs = &stubs,
	.name = "progmp_ops",
	.owner = THIS_MODULE,
};

int ops_init(void)
{
	int err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &kfunc_set);

	return err ? err : register_bpf_struct_ops(&struct_ops, progmp_ops);
}
