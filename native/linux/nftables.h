/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_NFTABLES_H
#define VMN_NFTABLES_H

#include <stdint.h>

#include "failure.h"

/*
 * Which rule set the network namespace of the calling thread has: another number after each transaction, whoever made it
 * (NFT_MSG_GETGEN, which `nft` goes by too). Needs CAP_NET_ADMIN. 0, or -1.
 */
int vmn_nftables_generation(uint32_t *generation, struct vmn_failure *failure);

#endif
