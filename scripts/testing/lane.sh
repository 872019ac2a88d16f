#!/usr/bin/env bash
# lane.sh NUMBER COMMAND...: runs it as the first of a lane, which `unshare --pid --fork --mount --net --mount-proc` has made around
# this script. Agents of a lane find its VMs only; its taps, pins and namespaces go with it. This shell stays: as the first process of
# its namespace it is the parent of whoever loses theirs, and must reap them (libvirtd waits until a QEMU that it has detached is gone).
set -euo pipefail
number=$1
shift

# Lanes share files. What is named by a process id, as in build/cache, must not be named alike in two of them.
echo $((number * 8000)) >/proc/sys/kernel/ns_last_pid

ip link set lo up
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns

# Interfaces under /sys are those of the network namespace in which it was mounted. What else was mounted there stays.
before=/run/netns/sys-before
mkdir $before
mount --rbind /sys $before
mount -t sysfs sysfs /sys
for below in fs/cgroup kernel/debug kernel/tracing kernel/security; do
	if mountpoint -q $before/$below; then mount --rbind $before/$below /sys/$below; fi
done
umount --lazy $before
rmdir $before
mount -t bpf bpf /sys/fs/bpf

"$@"
exit $?
