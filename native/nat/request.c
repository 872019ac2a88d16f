// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <string.h>
#include <unistd.h>

#include "engine.h"

/* For what is on its way to the guest when the engine is told to quit. */
#define QUIT_NS 1000000000ull

static size_t put_status(const struct vmn_engine *engine, uint8_t *answer)
{
	const struct vmn_judge_state *judge = &engine->judge;
	const struct vmn_nat_status status = {
		.policy_abi = VMN_POLICY_ABI,
		.flags = (judge->has_policy ? VMN_NAT_HAS_POLICY : 0) | (engine->guest.fd >= 0 ? VMN_NAT_GUEST_CONNECTED : 0) |
	             (engine->sending.one_by_one ? 0 : VMN_NAT_SEGMENTS),
		.generation = judge->has_policy ? judge->policy.generation : 0,
		.policy_hash = judge->policy_hash,
		.judged = {judge->judged[0], judge->judged[1]},
		.crossings = judge->kept.violations.crossings,
		.flows = engine->flows.open,
		.pid = (uint32_t)getpid(),
	};

	memcpy(answer, &status, sizeof(status));
	return sizeof(status);
}

static size_t put_policy(const struct vmn_engine *engine, uint8_t *answer)
{
	struct vmn_policy shown = engine->judge.policy;

	memset(shown.secret, 0, sizeof(shown.secret));
	memcpy(answer, &shown, sizeof(shown));
	return sizeof(shown);
}

static size_t put_counters(const struct vmn_engine *engine, uint8_t *answer)
{
	struct vmn_nat_counters counters;

	memcpy(counters.filter, engine->judge.counters, sizeof(counters.filter));
	memcpy(counters.engine, engine->counts, sizeof(counters.engine));
	memcpy(answer, &counters, sizeof(counters));
	return sizeof(counters);
}

static uint16_t set_policy(struct vmn_engine *engine, const uint8_t *body)
{
	struct vmn_nat_set_policy request;

	memcpy(&request, body, sizeof(request));
	return vmn_nat_set_policy(engine, &request);
}

size_t vmn_request_answer(struct vmn_engine *engine, struct vmn_control_client *client, const struct vmn_nat_head *head,
                          const uint8_t *body, uint16_t *status, uint8_t *answer)
{
	size_t wanted = head->operation == VMN_NAT_SET_POLICY ? sizeof(struct vmn_nat_set_policy) : 0;

	*status = VMN_NAT_BODY_SIZE;
	if (head->body_bytes != wanted)
		return 0;
	*status = VMN_NAT_OK;
	switch (head->operation) {
	case VMN_NAT_STATUS:
		break;
	case VMN_NAT_SET_POLICY:
		*status = set_policy(engine, body);
		break;
	case VMN_NAT_READ_POLICY:
		*status = engine->judge.has_policy ? VMN_NAT_OK : VMN_NAT_NO_POLICY;
		return *status == VMN_NAT_OK ? put_policy(engine, answer) : 0;
	case VMN_NAT_COUNTERS:
		return put_counters(engine, answer);
	case VMN_NAT_QUARANTINE:
		*status = vmn_nat_quarantine(engine);
		break;
	case VMN_NAT_DENY:
		vmn_nat_deny(engine);
		break;
	case VMN_NAT_SUBSCRIBE:
		client->subscribed = true;
		break;
	case VMN_NAT_QUIT:
		engine->quit_at_ns = engine->now_ns + QUIT_NS;
		break;
	default:
		*status = VMN_NAT_UNKNOWN_OPERATION;
		return 0;
	}
	/* Also with a refusal: what is in force instead. */
	return put_status(engine, answer);
}
