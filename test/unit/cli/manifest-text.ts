/** A manifest as a user writes it; `spec` replaces parts of its text. */
export function manifest(
  change: { name?: string; vm?: string; endpoint?: string; more?: string } = {},
): string {
  const { name = 'rental-7f3a', vm = 'rental-7f3a', endpoint = '203.0.113.10', more = '' } = change;
  return `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata: {name: ${name}, namespace: tenant-a}
spec:
  consumerEndpoint: {address: ${endpoint}, port: 51900}
  selector: {names: [${vm}]}
${more}`;
}
