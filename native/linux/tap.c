// SPDX-License-Identifier: Apache-2.0
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"

static int open_device(const char *name, unsigned int flags, struct vmn_failure *failure)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd;

	if (strlen(name) >= sizeof(request.ifr_name) || !*name || strchr(name, '%'))
		return vmn_fail(failure, EINVAL, "ioctl(TUNSETIFF)", "%.40s is no interface name", name);
	strcpy(request.ifr_name, name);
	fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return vmn_fail(failure, errno, "open", TUN_DEVICE);
	if (ioctl(fd, TUNSETIFF, &request)) {
		vmn_fail(failure, errno, "ioctl(TUNSETIFF)", "%s", name);
		close(fd);
		return -1;
	}
	return fd;
}

/* The name may be another interface's by now; the descriptor knows which one it holds. */
static uint32_t ifindex_of(int fd)
{
	struct ifreq request = {};

	return ioctl(fd, TUNGETIFF, &request) ? 0 : if_nametoindex(request.ifr_name);
}

int vmn_tap_create(const char *name, struct vmn_tap *tap, struct vmn_failure *failure)
{
	tap->fd = open_device(name, IFF_TUN_EXCL, failure);
	if (tap->fd < 0)
		return -1;
	tap->ifindex = ifindex_of(tap->fd);
	if (!tap->ifindex) {
		vmn_fail(failure, errno, "if_nametoindex", "%s", name);
		close(tap->fd);
		return -1;
	}
	return 0;
}

int vmn_tap_persist(int fd, int64_t owner, struct vmn_failure *failure)
{
	if (owner >= 0 && ioctl(fd, TUNSETOWNER, (unsigned long)owner))
		return vmn_fail(failure, errno, "ioctl(TUNSETOWNER)", "tap");
	if (ioctl(fd, TUNSETPERSIST, 1ul))
		return vmn_fail(failure, errno, "ioctl(TUNSETPERSIST)", "tap");
	return 0;
}

int vmn_tap_open(const char *name, bool vnet_header, uint32_t offloads, struct vmn_tap *tap,
                 struct vmn_failure *failure)
{
	uint32_t expected = if_nametoindex(name);

	if (!expected)
		return vmn_fail(failure, ENODEV, "if_nametoindex", "%s", name);
	tap->fd = open_device(name, vnet_header ? IFF_VNET_HDR : 0, failure);
	if (tap->fd < 0)
		return -1;
	/* TUNSETIFF makes what does not exist: a tap that vanished meanwhile must not come back without its filter. */
	tap->ifindex = ifindex_of(tap->fd);
	if (tap->ifindex != expected) {
		vmn_fail(failure, ENODEV, "ioctl(TUNGETIFF)", "%s was removed while it was opened", name);
		close(tap->fd);
		return -1;
	}
	if (offloads && ioctl(tap->fd, TUNSETOFFLOAD, (unsigned long)offloads)) {
		vmn_fail(failure, errno, "ioctl(TUNSETOFFLOAD)", "%s: %#x", name, offloads);
		close(tap->fd);
		return -1;
	}
	return 0;
}
