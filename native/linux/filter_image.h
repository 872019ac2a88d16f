/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled filter that this kernel can take, of those that are embedded. */
#ifndef VMN_FILTER_IMAGE_H
#define VMN_FILTER_IMAGE_H

#include <stddef.h>

#include "failure.h"

/* An ELF object for libbpf; lives as long as the library. */
struct vmn_filter_image {
	const void *bytes;
	size_t size;
};

/* Fails when the kernel has no BTF: neither can be loaded then. */
int vmn_filter_image(struct vmn_filter_image *image, struct vmn_failure *failure);

#endif
