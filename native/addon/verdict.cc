// SPDX-License-Identifier: Apache-2.0
#include "marshal.h"
#include "verdict.h"

namespace vmn {

void *state_or_null(const Napi::CallbackInfo &info, size_t at)
{
	if (info[at].IsNull() || info[at].IsUndefined())
		return nullptr;
	if (!info[at].IsTypedArray())
		bad_argument(info.Env(), "a filter state");
	Napi::TypedArray array = info[at].As<Napi::TypedArray>();
	if (array.TypedArrayType() != napi_biguint64_array || array.ByteLength() != vmn_addon_state_bytes())
		bad_argument(info.Env(), "a filter state");
	return array.As<Napi::BigUint64Array>().Data();
}

namespace {

constexpr size_t policy_bytes = 4232;

/*
 * (fromVm, policy | null, state | null, frame, nowNs, nonce, pendingChecksumOffset, superFrame, segmentBytes,
 * vlanInMetadata, ownAnswer). The answer is one number: reason, 0x100 audited, 0x200 the violation threshold was reached.
 */
Napi::Value judge(const Napi::CallbackInfo &info)
{
	Bytes policy = bytes_or_null(info, 1, policy_bytes);
	Bytes frame = bytes(info, 3, 0);
	vmn_judge_request request{};

	request.from_vm = boolean(info, 0);
	request.policy = policy.data;
	request.state = state_or_null(info, 2);
	request.frame = frame.data;
	request.frame_bytes = frame.size;
	request.now_ns = u64(info, 4);
	request.nonce = u64(info, 5);
	request.pending_checksum_offset = u32(info, 6);
	request.super_frame = static_cast<uint8_t>(u32(info, 7));
	request.segment_bytes = u32(info, 8);
	request.vlan_in_metadata = boolean(info, 9);
	request.own_answer = boolean(info, 10);
	const vmn_judge_answer answer = vmn_addon_judge(&request);
	const uint32_t flags = (answer.audited ? 0x100u : 0) | (answer.violations ? 0x200u : 0);
	return Napi::Number::New(info.Env(), answer.reason | flags);
}

Napi::Value state_bytes(const Napi::CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), static_cast<double>(vmn_addon_state_bytes()));
}

Napi::Object arp_of(Napi::Env env, const vmn_parsed_frame &parsed)
{
	Napi::Object arp = Napi::Object::New(env);

	arp.Set("operation", Napi::Number::New(env, parsed.arp.operation));
	arp.Set("senderMac", mac_text(env, parsed.arp.sender_mac));
	arp.Set("senderAddress", address_text(env, parsed.arp.sender_be));
	arp.Set("targetMac", mac_text(env, parsed.arp.target_mac));
	arp.Set("targetAddress", address_text(env, parsed.arp.target_be));
	return arp;
}

Napi::Object ipv4_of(Napi::Env env, const vmn_parsed_frame &parsed)
{
	Napi::Object ipv4 = Napi::Object::New(env);

	ipv4.Set("headerBytes", Napi::Number::New(env, parsed.ipv4.header_bytes));
	ipv4.Set("totalBytes", Napi::Number::New(env, parsed.ipv4.total_bytes));
	ipv4.Set("fragmentField", Napi::Number::New(env, parsed.ipv4.fragment));
	ipv4.Set("ttl", Napi::Number::New(env, parsed.ipv4.ttl));
	ipv4.Set("protocol", Napi::Number::New(env, parsed.ipv4.protocol));
	ipv4.Set("source", address_text(env, parsed.ipv4.source_be));
	ipv4.Set("destination", address_text(env, parsed.ipv4.destination_be));
	ipv4.Set("payloadOffset", Napi::Number::New(env, parsed.ipv4.payload_offset));
	return ipv4;
}

Napi::Object transport_of(Napi::Env env, const vmn_parsed_frame &parsed)
{
	Napi::Object transport = Napi::Object::New(env);

	transport.Set("sourcePort", Napi::Number::New(env, parsed.transport.source_port));
	transport.Set("destinationPort", Napi::Number::New(env, parsed.transport.destination_port));
	transport.Set("udpBytes", Napi::Number::New(env, parsed.transport.udp_bytes));
	transport.Set("payloadOffset", Napi::Number::New(env, parsed.transport.payload_offset));
	return transport;
}

/* (frame) */
Napi::Value parse_frame(const Napi::CallbackInfo &info)
{
	Napi::Env env = info.Env();
	Bytes frame = bytes(info, 0, 0);
	vmn_parsed_frame parsed;

	vmn_addon_parse(frame.data, frame.size, &parsed);
	Napi::Object result = Napi::Object::New(env);
	if (parsed.failure)
		result.Set("failure", parsed.failure);
	if (parsed.is_ethernet) {
		result.Set("destination", mac_text(env, parsed.destination));
		result.Set("source", mac_text(env, parsed.source));
		result.Set("etherType", Napi::Number::New(env, parsed.ethertype));
		result.Set("payloadOffset", Napi::Number::New(env, parsed.payload_offset));
		result.Set("vlan", Napi::Boolean::New(env, parsed.is_vlan));
	}
	if (parsed.is_arp)
		result.Set("arp", arp_of(env, parsed));
	if (parsed.is_ipv4)
		result.Set("ipv4", ipv4_of(env, parsed));
	if (parsed.is_transport)
		result.Set("transport", transport_of(env, parsed));
	return result;
}

Napi::Value abi_layout(const Napi::CallbackInfo &info)
{
	Napi::Object result = Napi::Object::New(info.Env());
	size_t count;
	const vmn_layout_line *lines = vmn_addon_layout(&count);

	for (size_t i = 0; i < count; i++)
		result.Set(lines[i].name, Napi::Number::New(info.Env(), static_cast<double>(lines[i].value)));
	return result;
}

} // namespace

void export_verdict(Napi::Env env, Napi::Object exports)
{
	exports.Set("judge", Napi::Function::New(env, judge));
	exports.Set("filterStateBytes", Napi::Function::New(env, state_bytes));
	exports.Set("parseFrame", Napi::Function::New(env, parse_frame));
	exports.Set("abiLayout", Napi::Function::New(env, abi_layout));
}

} // namespace vmn
