// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* unshare */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "failure.h"
#include "place.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define UDP_OFFSET 34 /* Ethernet and an IPv4 header without options */
#define UDP_CHECKSUM_OFFSET 6
#define HEADERS_BYTES 42

void place_enter_own(void)
{
	static const char off[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
	int file;

	if (unshare(CLONE_NEWNET))
		bench_fail("a network namespace of our own (root?)", NULL);
	/* The host's own IPv6 chatter would be counted too. */
	file = open(off, O_WRONLY);
	if (file < 0)
		return; /* no IPv6 in this kernel */
	if (write(file, "1", 1) != 1)
		bench_fail(off, NULL);
	close(file);
}

void place_make_tap(struct tap *tap, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	tap->guest = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	/* Persistent: the kernel takes all of them down at once with their namespace, not one after the other with their files. */
	if (tap->guest < 0 || ioctl(tap->guest, TUNSETIFF, &request) || ioctl(tap->guest, TUNSETPERSIST, 1))
		bench_fail("tap", name);
	request.ifr_flags = IFF_UP;
	if (control < 0 || ioctl(control, SIOCSIFFLAGS, &request))
		bench_fail("up with tap", name);
	close(control);
	tap->ifindex = if_nametoindex(name);
}

void place_write(const struct tap *tap, const uint8_t *frame, uint32_t frame_bytes, uint32_t segment_bytes)
{
	struct virtio_net_hdr header = {0};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)frame, frame_bytes}};

	if (segment_bytes) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = UDP_OFFSET;
		header.csum_offset = UDP_CHECKSUM_OFFSET;
		header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		header.gso_size = (__u16)segment_bytes;
		header.hdr_len = HEADERS_BYTES;
	}
	if (writev(tap->guest, parts, 2) < 0)
		bench_fail("writing to a tap", NULL);
}
