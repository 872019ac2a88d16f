/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the control socket asks for, carried out. */
#ifndef VMN_NAT_REQUEST_H
#define VMN_NAT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "vmn/nat_control.h"

struct vmn_engine;
struct vmn_control_client;

/* `body`: `head->body_bytes` of them. Returns the bytes of the answer's body, written to `answer`, and sets `status`. */
size_t vmn_request_answer(struct vmn_engine *engine, struct vmn_control_client *client, const struct vmn_nat_head *head,
                          const uint8_t *body, uint16_t *status, uint8_t *answer);

#endif
