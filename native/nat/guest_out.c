// SPDX-License-Identifier: Apache-2.0
#include "guest_out.h"

#include <string.h>
#include <sys/epoll.h>

#include "engine.h"
#include "loop.h"
#include "transport.h"

struct vmn_out_slot *vmn_guest_out_next(struct vmn_guest_out *out)
{
	if (vmn_guest_out_is_empty(out))
		out->frames = out->sent = 0;
	return out->frames < VMN_GUEST_OUT_FRAMES ? &out->slots[out->frames] : NULL;
}

void vmn_guest_out_push(struct vmn_guest_out *out, size_t header_bytes, const uint8_t *payload, size_t payload_bytes)
{
	struct vmn_out_slot *slot = &out->slots[out->frames];
	uint32_t prefix_be = VMN_NET32((uint32_t)(header_bytes + payload_bytes));

	memcpy(slot->prefix, &prefix_be, sizeof(prefix_be));
	out->pieces[2 * out->frames] = (struct iovec){slot->frame, header_bytes};
	out->pieces[2 * out->frames + 1] = (struct iovec){(void *)payload, payload_bytes};
	out->frames++;
}

void vmn_guest_out_flush(struct vmn_engine *engine)
{
	struct vmn_guest_out *out = &engine->out;

	if (engine->guest.fd < 0)
		vmn_guest_out_discard(engine);
	else if (!vmn_guest_out_is_empty(out))
		engine->guest.transport->write(engine);
	if (engine->guest.fd < 0)
		return;
	vmn_flow_table_pause(engine, !vmn_guest_out_is_empty(out));
	vmn_guest_side_watch(engine);
}

void vmn_guest_out_discard(struct vmn_engine *engine)
{
	struct vmn_guest_out *out = &engine->out;
	uint32_t keep = out->sent + (out->begun ? 1 : 0);

	vmn_count(engine, VMN_NAT_COUNT_GUEST_DISCARDED, out->frames - keep);
	out->frames = keep;
}
