// SPDX-License-Identifier: Apache-2.0
#include "expect.h"

#include <string.h>

/* Numbers of the policy by their places in abi.h, as the machine writes them. */
static uint32_t policy32(const struct vmn_policy *policy, size_t at)
{
	uint32_t value;

	memcpy(&value, (const uint8_t *)policy + at, sizeof(value));
	return value;
}

static uint64_t policy64(const struct vmn_policy *policy, size_t at)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)policy + at, sizeof(value));
	return value;
}

static const uint8_t *policy_bytes(const struct vmn_policy *policy, size_t at)
{
	return (const uint8_t *)policy + at;
}

enum {
	P_ABI = 0,
	P_FLAGS = 4,
	P_GUEST_MAC = 16,
	P_GATEWAY_MAC = 22,
	P_GUEST = 28,
	P_GATEWAY = 32,
	P_MODE = 36,
	P_ENDPOINT = 40,
	P_PREVIOUS = 48,
	P_UNTIL = 56,
	P_MAX_PACKET = 100,
	P_DENIED_COUNT = 128,
};

static bool is_usable(const struct vmn_policy *policy)
{
	if (!policy || policy32(policy, P_ABI) != 3)
		return false;
	if (policy32(policy, P_MODE) < 1 || policy32(policy, P_MODE) > 4)
		return false;
	if (policy32(policy, P_MODE) == 4 && (policy32(policy, P_DENIED_COUNT) < 1 ||
	                                      policy32(policy, P_DENIED_COUNT) > 512 || policy32(policy, P_FLAGS) & 4))
		return false;
	return (policy32(policy, P_FLAGS) & ~6u) == 0; /* Quarantined, the lowest bit, is as good as unknown here */
}

static uint16_t net16(const uint8_t *at)
{
	return (uint16_t)(at[0] * 256 + at[1]);
}

static bool has_macs(const uint8_t *bytes, const uint8_t *to, const uint8_t *from)
{
	return !memcmp(bytes, to, 6) && !memcmp(bytes + 6, from, 6);
}

/* RFC 826, for Ethernet and IPv4. */
static bool is_arp_for(const uint8_t *bytes, const struct vmn_policy *policy, bool from_vm)
{
	static const uint8_t about[] = {0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0}, nobody[4] = {0};

	if (memcmp(bytes + 12, about, sizeof(about)))
		return false;
	if (from_vm)
		return bytes[21] == 1 && !memcmp(bytes + 22, policy_bytes(policy, P_GUEST_MAC), 6) &&
		       memcmp(bytes + 28, nobody, 4) && /* RFC 5227: a probe, which pretends to be nobody */
		       !memcmp(bytes + 28, policy_bytes(policy, P_GUEST), 4) &&
		       !memcmp(bytes + 38, policy_bytes(policy, P_GATEWAY), 4);
	return bytes[21] == 2 && !memcmp(bytes + 22, policy_bytes(policy, P_GATEWAY_MAC), 6) &&
	       !memcmp(bytes + 28, policy_bytes(policy, P_GATEWAY), 4) &&
	       !memcmp(bytes + 32, policy_bytes(policy, P_GUEST_MAC), 6) &&
	       !memcmp(bytes + 38, policy_bytes(policy, P_GUEST), 4);
}

static bool is_arp_exchange(const struct scene_frame *frame)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t *guest = policy_bytes(frame->policy, P_GUEST_MAC), *bytes = frame->whole.data;
	const uint8_t *gateway = policy_bytes(frame->policy, P_GATEWAY_MAC);
	const struct scene_head *head = &frame->head;

	if (head->flags & (SCENE_VLAN | SCENE_SUPER_UDP | SCENE_SUPER_OTHER) || head->pending_checksum_offset ||
	    head->frame_bytes < 42)
		return false;
	if (!(head->flags & SCENE_TO_VM))
		return (has_macs(bytes, gateway, guest) || has_macs(bytes, everybody, guest)) &&
		       is_arp_for(bytes, frame->policy, true);
	return head->flags & SCENE_OWN_ANSWER && head->frame_bytes == 42 && has_macs(bytes, guest, gateway) &&
	       is_arp_for(bytes, frame->policy, false);
}

/* RFC 1071. */
static bool sums_up(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int at = 0; at < 20; at += 2)
		sum += net16(header + at);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static bool checksum_stays(const struct scene_frame *frame)
{
	uint32_t at = frame->head.pending_checksum_offset;
	uint8_t protocol = frame->whole.data[23];

	return at == 0 || (protocol == 17 && at == 40) || (protocol == 6 && at == 50);
}

/* A super-frame is one of the protocol it says, ends where its packet ends, and becomes packets that are not too big. */
static bool is_whole_super_frame(const struct scene_frame *frame)
{
	uint32_t each = frame->head.segment_bytes, most = policy32(frame->policy, P_MAX_PACKET);
	const uint8_t *bytes = frame->whole.data;
	uint32_t total = net16(bytes + 16), headers = 0, payload;

	if (!frame->meta.super_frame)
		return true;
	if (frame->meta.super_frame == 1 && bytes[23] == 17)
		headers = 28;
	if (frame->meta.super_frame == 3 && bytes[23] == 6 && frame->head.frame_bytes >= 50 && bytes[46] >> 4 >= 5)
		headers = 20 + (bytes[46] >> 4) * 4u;
	if (!headers || !each || total <= headers || frame->head.frame_bytes != 14 + total)
		return false;
	payload = total - headers;
	return !most || headers + (each < payload ? each : payload) <= most;
}

/* RFC 791, without options and fragments. */
static bool is_identity(const struct scene_frame *frame)
{
	const uint8_t *guest = policy_bytes(frame->policy, P_GUEST_MAC), *bytes = frame->whole.data;
	const uint8_t *gateway = policy_bytes(frame->policy, P_GATEWAY_MAC);
	bool from_vm = !(frame->head.flags & SCENE_TO_VM);
	uint32_t most = policy32(frame->policy, P_MAX_PACKET);

	if (frame->head.flags & SCENE_VLAN || frame->head.frame_bytes < 34)
		return false;
	if (!has_macs(bytes, from_vm ? gateway : guest, from_vm ? guest : gateway))
		return false;
	if (net16(bytes + 12) != 0x0800 || bytes[14] != 0x45)
		return false;
	if (net16(bytes + 16) < 20 || net16(bytes + 16) + 14u > frame->head.frame_bytes)
		return false;
	if (net16(bytes + 20) & 0xbfff || bytes[22] == 0 || !sums_up(bytes + 14))
		return false;
	if (most && !frame->meta.super_frame && net16(bytes + 16) > most)
		return false;
	return !memcmp(bytes + (from_vm ? 26 : 30), policy_bytes(frame->policy, P_GUEST), 4) && checksum_stays(frame) &&
	       is_whole_super_frame(frame);
}

/* Where a super-frame will be cut: 1 to 128 whole datagrams of a wanted size that fill it. */
static bool is_cut_well(const struct scene_frame *frame, uint32_t payload)
{
	uint32_t each = frame->head.segment_bytes, most = policy32(frame->policy, P_MAX_PACKET);

	if (!frame->meta.super_frame)
		return true;
	if (frame->meta.super_frame != 1 || !each || !payload || frame->head.frame_bytes != 42 + payload)
		return false;
	if ((payload + (uint64_t)each - 1) / each > 128)
		return false;
	return !most || 28 + (each < payload ? each : payload) <= most;
}

/*
 * The WireGuard paper, 5.4. Data is padded to 16 bytes, but never beyond the MTU of the tunnel, which is 576 or more; header
 * and tag are 32.
 */
static bool is_message(const uint8_t *bytes, uint32_t length)
{
	if (length < 4 || bytes[1] || bytes[2] || bytes[3])
		return false;
	return (bytes[0] == 1 && length == 148) || (bytes[0] == 2 && length == 92) || (bytes[0] == 3 && length == 64) ||
	       (bytes[0] == 4 && length >= 32 && (length % 16 == 0 || length >= 608));
}

static bool has_shape(const struct scene_frame *frame, uint32_t payload)
{
	uint32_t each = frame->meta.super_frame ? frame->head.segment_bytes : payload;
	const uint8_t *bytes = frame->whole.data + 42;

	if (!(policy32(frame->policy, P_FLAGS) & 2))
		return true;
	for (; payload > each; bytes += each, payload -= each)
		if (!is_message(bytes, each))
			return false;
	return is_message(bytes, payload);
}

static bool is_at(const struct vmn_policy *policy, size_t which, const uint8_t *address, const uint8_t *port)
{
	static const uint8_t nobody[4] = {0};
	const uint8_t *endpoint = policy_bytes(policy, which);

	return memcmp(endpoint, nobody, 4) && memcmp(endpoint + 4, nobody, 2) && !memcmp(endpoint, address, 4) &&
	       !memcmp(endpoint + 4, port, 2);
}

struct expectation expect_of(const struct scene_frame *frame)
{
	bool from_vm = !(frame->head.flags & SCENE_TO_VM);
	const uint8_t *bytes = frame->whole.data;
	struct expectation expected = {.usable = is_usable(frame->policy)};
	uint32_t payload;

	if (!expected.usable)
		return expected;
	expected.arp = is_arp_exchange(frame);
	expected.identity = is_identity(frame);
	if (!expected.identity || bytes[23] != 17 || net16(bytes + 16) < 28 || net16(bytes + 38) + 20 != net16(bytes + 16))
		return expected;

	payload = net16(bytes + 38) - 8u;
	expected.datagram = is_cut_well(frame, payload) && net16(bytes + (from_vm ? 34 : 36));
	if (!expected.datagram)
		return expected;
	expected.guest_port = net16(bytes + (from_vm ? 34 : 36));
	expected.remote_port = net16(bytes + (from_vm ? 36 : 34));
	memcpy(&expected.remote_be, bytes + (from_vm ? 30 : 26), 4);
	expected.shape = has_shape(frame, payload);
	if (is_at(frame->policy, P_ENDPOINT, bytes + (from_vm ? 30 : 26), bytes + (from_vm ? 36 : 34)))
		expected.remote = EXPECT_ENDPOINT;
	else if (is_at(frame->policy, P_PREVIOUS, bytes + (from_vm ? 30 : 26), bytes + (from_vm ? 36 : 34)) &&
	         frame->head.now_ns < policy64(frame->policy, P_UNTIL))
		expected.remote = EXPECT_PREVIOUS;
	return expected;
}
