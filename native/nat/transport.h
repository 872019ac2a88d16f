/* SPDX-License-Identifier: Apache-2.0 */
/* How frames travel between the engine and whoever holds the guest's network card. */
#ifndef VMN_NAT_TRANSPORT_H
#define VMN_NAT_TRANSPORT_H

#include <stdint.h>

struct vmn_engine;

struct vmn_transport_kind {
	/* One bounded burst: every whole frame goes to vmn_guest_side_frame. */
	void (*read)(struct vmn_engine *engine);
	/* What is queued in engine->out, until the other end takes no more. */
	void (*write)(struct vmn_engine *engine);
};

/* A stream of frames, each after its length in 32 bits, big-endian (QEMU -netdev stream). */
extern const struct vmn_transport_kind vmn_transport_stream;
/* A frame a datagram (QEMU -netdev dgram, VZFileHandleNetworkDeviceAttachment). */
extern const struct vmn_transport_kind vmn_transport_dgram;

#endif
