// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <bpf/bpf.h>

#include "failure.h"
#include "filter.h"

#define COUNTER_BYTES_MAX 64

int filter_load_empty(void)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1}, /* TC_ACT_UNSPEC: on to the next program */
		{.code = BPF_JMP | BPF_EXIT},
	};
	int program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "vmn_empty", "GPL", code, 2, NULL);

	if (program < 0)
		bench_fail("empty program (root?)", NULL);
	return program;
}

static void fill(struct bpf_map *map, const struct subject *subject)
{
	uint32_t zero = 0;

	if (bpf_map__value_size(map) != subject->policy_bytes)
		bench_fail("policy of another size in", subject->name);
	if (bpf_map__update_elem(map, &zero, sizeof(zero), subject->policy, subject->policy_bytes, BPF_ANY))
		bench_fail("policy of", subject->name);
}

/* As the agent does: a new inner map, frozen, one swap. */
static void swap_in(struct bpf_map *slot, const struct subject *subject)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
	uint32_t zero = 0;
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy", sizeof(zero), subject->policy_bytes, 1, &options);

	if (inner < 0 || bpf_map_update_elem(inner, &zero, subject->policy, BPF_ANY) || bpf_map_freeze(inner) ||
	    bpf_map_update_elem(bpf_map__fd(slot), &zero, &inner, BPF_ANY))
		bench_fail("policy slot of", subject->name);
	close(inner);
}

/* The objects built from lookup/ have a map of their own kind; policy_slot is in all of them, unused in those. */
static void put_in_force(struct filter *filter, const struct subject *subject)
{
	struct bpf_map *array = bpf_object__find_map_by_name(filter->object, "policy_array");
	struct bpf_map *hash = bpf_object__find_map_by_name(filter->object, "policy_hash");
	struct bpf_map *slot = bpf_object__find_map_by_name(filter->object, "policy_slot");

	if (array || hash)
		fill(array ? array : hash, subject);
	else if (slot)
		swap_in(slot, subject);
	else
		bench_fail("no map for a policy in", subject->object);
}

void filter_load(struct filter *filter, const struct subject *subject)
{
	struct bpf_program *program;
	struct bpf_map *constants, *counters;

	filter->object = bpf_object__open_file(subject->object, NULL);
	if (!filter->object)
		bench_fail("cannot open", subject->object);
	constants = bpf_object__find_map_by_name(filter->object, ".rodata.policy");
	if (constants && bpf_map__set_initial_value(constants, subject->policy, subject->policy_bytes))
		bench_fail("constant policy of", subject->name);
	if (bpf_object__load(filter->object))
		bench_fail("cannot load (root? BTF?)", subject->object);
	if (!constants && subject->policy_bytes)
		put_in_force(filter, subject);
	program = bpf_object__find_program_by_name(filter->object, subject->program);
	counters = bpf_object__find_map_by_name(filter->object, "counters");
	if (!program || !counters)
		bench_fail("no program or counters in", subject->object);
	filter->program = bpf_program__fd(program);
	filter->counters = bpf_map__fd(counters);
	filter->counter_bytes = bpf_map__value_size(counters);
	if (filter->counter_bytes > COUNTER_BYTES_MAX)
		bench_fail("counters of an unknown size in", subject->object);
}

uint64_t filter_counted(const struct filter *filter, const struct subject *subject)
{
	int cpus = libbpf_num_possible_cpus();
	uint8_t *by_cpu = calloc((size_t)cpus, COUNTER_BYTES_MAX);
	uint64_t packets, sum = 0;

	if (!by_cpu)
		bench_fail("memory", NULL);
	for (uint32_t i = 0; i < subject->slot_count; i++) {
		if (bpf_map_lookup_elem(filter->counters, &subject->slots[i], by_cpu))
			bench_fail("counter of", subject->name);
		for (int cpu = 0; cpu < cpus; cpu++) {
			/* The first field of struct vmn_counter; a per-CPU value is rounded up to 8 bytes. */
			memcpy(&packets, by_cpu + (size_t)cpu * ((filter->counter_bytes + 7) & ~7u), sizeof(packets));
			sum += packets;
		}
	}
	free(by_cpu);
	return sum;
}
