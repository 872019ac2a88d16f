import { noCloudFiles } from '../../../../src/cloudinit/seed-image/no-cloud.ts';

/** What a VM of ours gets, shortened. */
export const DOCUMENTS = {
  metaData: 'instance-id: vmn-0123456789\nlocal-hostname: guest\n',
  userData: '#cloud-config\nruncmd: [[touch, /root/tenant-was-here]]\n',
  vendorData: '#cloud-config\nwrite_files: [{path: /etc/wireguard/wg0.conf, content: "PrivateKey = 0"}]\n',
  networkConfig: 'version: 2\nethernets: {eth0: {addresses: [100.64.0.2/32]}}\n',
};

export const FILES = noCloudFiles(DOCUMENTS);
