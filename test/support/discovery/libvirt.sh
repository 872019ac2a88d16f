# A libvirtd of its own, with everything it keeps in file systems that go with it: `libvirt.sh FOLDER`, in a mount namespace of
# its own. FOLDER is where its log goes. Runs until it is killed.
set -e
folder=$1
for dir in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
	[ -d "$dir" ] || mkdir -p "$dir"
	mount -t tmpfs libvirt "$dir"
done
# The users that the package would have made.
cp /etc/passwd "$folder/passwd" && echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>"$folder/passwd"
cp /etc/group "$folder/group" && printf 'libvirt-qemu:x:64055:\nkvm:x:64056:\n' >>"$folder/group"
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/group" /etc/group
cat >/etc/libvirt/qemu.conf <<-END
	security_driver = "none"
	user = "root"
	group = "root"
	stdio_handler = "file"
	cgroup_controllers = []
END
echo "log_outputs=\"3:file:$folder/libvirtd.log\"" >/etc/libvirt/libvirtd.conf
exec libvirtd
