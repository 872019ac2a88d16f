/* SPDX-License-Identifier: Apache-2.0 */
/* The one filter (native/include/vmn), compiled for the host: C, because its headers are C and not C++. */
#ifndef VMN_ADDON_VERDICT_H
#define VMN_ADDON_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vmn_judge_request {
	bool from_vm;
	const void *policy; /* struct vmn_policy, or NULL */
	void *state;        /* vmn_addon_state_bytes() bytes on an 8-byte boundary, or NULL: no flows, no limits */
	const void *frame;
	size_t frame_bytes;
	uint64_t now_ns;
	uint64_t nonce;
	uint32_t pending_checksum_offset;
	uint32_t segment_bytes;
	uint8_t super_frame; /* VMN_SUPER_… */
	bool vlan_in_metadata;
	bool own_answer;
};

struct vmn_judge_answer {
	uint32_t reason; /* its number (vmn/reason.h) */
	bool audited;
	bool violations; /* this frame reached the violation threshold */
};

struct vmn_judge_answer vmn_addon_judge(const struct vmn_judge_request *request);

/* What a filter remembers of its VM; all zeros at first. */
size_t vmn_addon_state_bytes(void);

/* Of that: struct vmn_tunnel. */
const void *vmn_addon_tunnel(const void *state);

struct vmn_parsed_frame {
	const char *failure; /* name of the parse failure (vmn/parse.h), or NULL; earlier layers are filled in */
	uint8_t destination[6];
	uint8_t source[6];
	uint16_t ethertype; /* as it stands in the frame: a tag's own when there is one */
	uint32_t payload_offset;
	bool is_vlan;
	bool is_ethernet, is_arp, is_ipv4, is_transport;
	struct {
		uint16_t operation;
		uint8_t sender_mac[6], target_mac[6];
		uint32_t sender_be, target_be;
	} arp;
	struct {
		uint32_t header_bytes, total_bytes, source_be, destination_be, payload_offset;
		uint16_t fragment;
		uint8_t ttl, protocol;
	} ipv4;
	struct {
		uint16_t source_port, destination_port;
		uint32_t udp_bytes, payload_offset;
	} transport;
};

void vmn_addon_parse(const void *frame, size_t bytes, struct vmn_parsed_frame *parsed);

/* One line of the compiler's view of vmn/abi.h: `struct.field` or a constant's name, and its offset, size or value. */
struct vmn_layout_line {
	const char *name;
	uint64_t value;
};

const struct vmn_layout_line *vmn_addon_layout(size_t *count);

#ifdef __cplusplus
}
#endif

#endif
