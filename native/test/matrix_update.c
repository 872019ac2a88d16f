// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "counters.h"
#include "filter.h"
#include "matrix_check.h"

#define REPLACEMENTS 5
#define WRITES_BETWEEN 8

static atomic_int send_error;
static atomic_bool stop;

static void *send_all_along(void *unused)
{
	(void)unused;
	while (!stop && !send_error) {
		send_error = bed_send(&matrix_bed, &matrix_sent);
		bed_receive(&matrix_bed, &matrix_arrived);
	}
	return NULL;
}

/* Both policies let through the wanted port and nothing else, so nothing else may pass, and nothing wanted be lost. */
static void update(void)
{
	for (uint64_t i = 0; i < REPLACEMENTS; i++) {
		struct vmn_policy policy = policy_for(BED_WANTED, 100 + i * (WRITES_BETWEEN + 1));

		CHECK_DONE(vmn_filter_replace_by(matrix_kind, matrix_bed.dir, matrix_bed.tap.ifindex, &policy, &failure));
		for (int j = 0; j < WRITES_BETWEEN; j++) {
			policy.generation++;
			policy.flags = j % 2 ? VMN_POLICY_STRICT_WIREGUARD : 0;
			policy.mode = j % 4 < 2 ? VMN_MODE_FILTERED : VMN_MODE_CONNTRACK;
			CHECK_DONE(vmn_filter_write_policy(matrix_bed.dir, &policy, &failure));
		}
	}
}

/* Every frame that was sent has been judged and counted, by the old programs or the new ones. */
static void check_counted(void)
{
	static struct vmn_counter counters[VMN_COUNTER_SLOTS];

	CHECK_DONE(vmn_counters_read(matrix_bed.dir, counters, &failure));
	for (int direction = 0; direction <= 1; direction++) {
		uint64_t counted = 0;

		for (int reason = 0; reason < VMN_COUNTER_EVENTS_SUPPRESSED; reason++)
			counted += counters[direction * VMN_REASON_SLOTS + reason].packets;
		CHECK_EQUAL(counted, matrix_sent.frames[direction][BED_WANTED] + matrix_sent.frames[direction][BED_OTHER]);
	}
}

void check_update(void)
{
	struct bed_count sent_before = matrix_sent, arrived_before = matrix_arrived, expected = matrix_arrived;
	pthread_t traffic;

	stop = false;
	CHECK_EQUAL(pthread_create(&traffic, NULL, send_all_along, NULL), 0);
	update();
	stop = true;
	pthread_join(traffic, NULL);
	CHECK_SO_FAR();
	CHECK_EQUAL(send_error, 0);
	for (int direction = 0; direction <= 1; direction++)
		expected.frames[direction][BED_WANTED] +=
			matrix_sent.frames[direction][BED_WANTED] - sent_before.frames[direction][BED_WANTED];
	bed_settle(&matrix_bed, &matrix_arrived, &expected);
	CHECK_EQUAL(matrix_arrived.frames[0][BED_OTHER], arrived_before.frames[0][BED_OTHER]);
	CHECK_EQUAL(matrix_arrived.frames[1][BED_OTHER], arrived_before.frames[1][BED_OTHER]);
	CHECK_EQUAL(matrix_arrived.frames[0][BED_WANTED], expected.frames[0][BED_WANTED]);
	CHECK_EQUAL(matrix_arrived.frames[1][BED_WANTED], expected.frames[1][BED_WANTED]);
	CHECK(matrix_sent.frames[0][BED_WANTED] - sent_before.frames[0][BED_WANTED] >= REPLACEMENTS * WRITES_BETWEEN);
	check_counted();
}
