/* SPDX-License-Identifier: Apache-2.0 */
/* The key `policy` of a corpus case: words that change what is the same in every case. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "corpus_reader.h"

#define HOUR_NS 3600000000000ull

/* Who plays in every case; only what the words of `policy` say is different from case to case. */
static void cast(struct vmn_policy *policy)
{
	static const __u8 guest_mac[6] = {0x02, 0x76, 0xaa, 0xbb, 0xcc, 0xdd};
	static const __u8 gateway_mac[6] = {0x02, 0x76, 0x6d, 0x6e, 0x00, 0x01};

	memset(policy, 0, sizeof(*policy));
	policy->abi = VMN_POLICY_ABI;
	policy->generation = 7;
	memcpy(policy->guest_mac, guest_mac, 6);
	memcpy(policy->gateway_mac, gateway_mac, 6);
	policy->guest_address_be = inet_addr("100.64.0.5");
	policy->gateway_address_be = inet_addr("169.254.1.1");
	policy->mode = VMN_MODE_FILTERED;
	policy->endpoint.address_be = inet_addr("203.0.113.10");
	policy->endpoint.port_be = htons(51900);
	/* Any key will do: the corpus leaves nothing to chance. */
	policy->secret[0] = 0x0706050403020100ull;
	policy->secret[1] = 0x0f0e0d0c0b0a0908ull;
}

enum word { MODE = 1, STRICT = 2, QUARANTINE = 4, AUDIT = 8, FOREIGN = 16, PREVIOUS = 32, MAX_PACKET = 64 };

static const struct {
	const char *word;
	enum word kind;
	__u32 mode;
	__u32 flag;
	__u64 previous_ns; /* how long the previous endpoint has left */
} WORDS[] = {
	{.word = "filtered", .kind = MODE, .mode = VMN_MODE_FILTERED},
	{.word = "conntrack", .kind = MODE, .mode = VMN_MODE_CONNTRACK},
	{.word = "strict", .kind = STRICT, .flag = VMN_POLICY_STRICT_WIREGUARD},
	{.word = "quarantined", .kind = QUARANTINE, .flag = VMN_POLICY_QUARANTINED},
	{.word = "audit", .kind = AUDIT, .flag = VMN_POLICY_AUDIT},
	{.word = "foreign", .kind = FOREIGN},
	{.word = "previous=alive", .kind = PREVIOUS, .previous_ns = HOUR_NS},
	{.word = "previous=expired", .kind = PREVIOUS, .previous_ns = 0},
};

/* Takes one word into the policy and says which of its kind it is; 0: it failed. */
static unsigned policy_word(struct reader *reader, const char *word)
{
	struct vmn_policy *policy = &reader->out->policy;
	size_t i;

	if (strncmp(word, "sampled=", 8) == 0) {
		policy->mode = VMN_MODE_SAMPLED;
		return corpus_parse_number(reader, word + 8, VMN_MILLION, &policy->sample_per_million) == 0 ? MODE : 0;
	}
	if (strncmp(word, "max-packet=", 11) == 0)
		return corpus_parse_number(reader, word + 11, 65535, &policy->max_packet_bytes) == 0 ? MAX_PACKET : 0;
	for (i = 0; i < ARRAY_SIZE(WORDS) && strcmp(WORDS[i].word, word) != 0; i++)
		;
	if (i == ARRAY_SIZE(WORDS)) {
		corpus_fail(reader, "unknown policy word \"%s\"; see test/support/corpus/README.md", word);
		return 0;
	}
	policy->flags |= WORDS[i].flag;
	if (WORDS[i].kind == MODE)
		policy->mode = WORDS[i].mode;
	if (WORDS[i].kind == FOREIGN)
		policy->abi = VMN_POLICY_ABI + 1;
	if (WORDS[i].kind == PREVIOUS) {
		policy->previous.address_be = inet_addr("198.51.100.7");
		policy->previous.port_be = htons(51820);
		policy->previous_until_ns = reader->now_ns + WORDS[i].previous_ns;
	}
	return WORDS[i].kind;
}

int corpus_parse_policy(struct reader *reader, const char *text)
{
	unsigned seen = 0;
	char word[64];

	if (strcmp(text, "none") == 0)
		return 0;
	reader->out->has_policy = true;
	cast(&reader->out->policy);
	for (;;) {
		size_t length = strcspn(text, " ");
		unsigned kind;

		snprintf(word, sizeof(word), "%.*s", length < sizeof(word) ? (int)length : 0, text);
		kind = policy_word(reader, word);
		if (kind == 0)
			return -1;
		if (seen & kind)
			return corpus_fail(reader, "\"%s\" and another of its kind; keep one of them", word);
		seen |= kind;
		if (text[length] == '\0')
			return 0;
		text += length + 1;
	}
}
