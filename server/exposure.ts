import { type AddressInfo, BlockList } from 'node:net'
import type { Settings } from './settings.ts'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/**
 * A sentence for the operator if every client that reaches the network of this host may upload.
 *
 * @param address that the service listens on; a socket of the file system is reached by local users only.
 * @param auth the setting AUTH.
 * @param container the variable `container`, which container managers and our image set
 *   (https://systemd.io/CONTAINER_INTERFACE). A container always listens on a public address; its operator decides
 *   who can reach that.
 */
export function exposure(
  address: AddressInfo | string | null,
  auth: Settings['AUTH'] | 'application',
  container: string | undefined,
): string | undefined {
  if (auth !== 'none' || container !== undefined || address === null || typeof address === 'string') return undefined
  const family = address.family === 'IPv6' ? 'ipv6' : 'ipv4'
  if (LOOPBACK.check(address.address, family)) return undefined
  return (
    `Without authentication, every client that can reach ${address.address} port ${address.port} can upload. ` +
    'Set AUTH, or HOST=127.0.0.1 with a proxy that authenticates.'
  )
}
