// SPDX-License-Identifier: Apache-2.0
#include "matrix_check.h"

#include <stdio.h>
#include <string.h>

enum vmn_hook_kind matrix_kind;
struct bed matrix_bed;
struct bed_count matrix_sent, matrix_arrived;

void check_done(int result, struct vmn_failure *failure)
{
	if (result && failure->log)
		fprintf(stderr, "%s\n", failure->log);
	if (result)
		snprintf(check_failure, sizeof(check_failure), "%s: %.300s: %s", failure->call, failure->message,
		         strerror(failure->error));
	vmn_failure_clear(failure);
}

struct vmn_policy policy_for(enum bed_port port, uint64_t generation)
{
	struct vmn_policy policy = policy_plain();

	policy.endpoint.port_be = VMN_NET16(bed_ports[port]);
	policy.generation = generation;
	return policy;
}

/* Those of the open ports must arrive and no others. One that comes late is seen by the next check. */
static void check_arrival(const bool open[BED_PORTS])
{
	struct bed_count expected = matrix_arrived;

	CHECK_EQUAL(bed_send(&matrix_bed, &matrix_sent), 0);
	for (int direction = 0; direction <= 1; direction++)
		for (int port = 0; port < BED_PORTS; port++)
			expected.frames[direction][port] += open[port];
	bed_settle(&matrix_bed, &matrix_arrived, &expected);
	for (int direction = 0; direction <= 1; direction++)
		for (int port = 0; port < BED_PORTS; port++)
			CHECK_EQUAL(matrix_arrived.frames[direction][port], expected.frames[direction][port]);
}

void check_only(enum bed_port port)
{
	check_arrival((const bool[BED_PORTS]){port == BED_WANTED, port == BED_OTHER});
}

void check_nothing(void)
{
	check_arrival((const bool[BED_PORTS]){false, false});
}

void check_everything(void)
{
	check_arrival((const bool[BED_PORTS]){true, true});
}
